"""simulate: images with exact labels, and a recipe to learn them."""

from pathlib import Path

from terrazzo.errors import UsageError
from terrazzo.labels.sentences import counted
from terrazzo.rasters.write import check_writable
from terrazzo.simulation.ccd import simulate_ccd
from terrazzo.simulation.frame import SIDE
from terrazzo.workflows.context import Context, Result, open_context

WORLDS = {"ccd": simulate_ccd}


def simulate(world: str, out: str | Path, context: Context | None = None) -> Result:
    """Write OUT/images, OUT/labels and OUT/recipe.toml; the same options write the same bytes.

    world: ccd. Raises UsageError for another world, ConflictError if OUT holds another simulation, EnvironmentFault.
    """
    if world not in WORLDS:
        raise UsageError(f"there is no world {world!r} to simulate; worlds are {', '.join(WORLDS)}.")
    context, out = context or open_context(), Path(out)
    check_writable(out)
    options = context.recipe.simulation
    if options.tracks is not None:
        options = options.model_copy(update={"tracks": context.folder / options.tracks})
    images = WORLDS[world](out, options, context.progress)
    recipe = out / "recipe.toml"
    height, width = options.shape_or(SIDE)
    lines = [
        f"{counted(len(images), 'image')} of {height} x {width} pixels in {out / 'images'}, their labels in {out / 'labels'}",
        f"recipe: {recipe}",
    ]
    return Result(text="\n".join(lines), written={"outputs": [out / "images", out / "labels", recipe]})
