"""simulate: images with exact labels, and a recipe to learn them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import UsageError
from terrazzo.labels.sentences import counted, listed
from terrazzo.options import Options
from terrazzo.rasters.write import check_writable
from terrazzo.recipes.recipe import Recipe
from terrazzo.simulation import ccd, frame
from terrazzo.simulation.scenes import files, scene
from terrazzo.workflows.context import Context, Result, open_context


@dataclass(frozen=True, kw_only=True)
class World:
    """Something that can be simulated."""

    make: Callable[[Path, Context], list[Path]]
    """Writes a set to a folder and returns its images."""
    side: int
    """Of an image where no size is given."""
    written: tuple[str, ...]
    """What is in the folder besides images and labels."""
    foreign: Callable[[Recipe], list[str]]
    """The options that were given, and are of another world."""


def simulate(world: str, out: str | Path, context: Context | None = None) -> Result:
    """Write OUT/images, OUT/labels, OUT/instances and OUT/recipe.toml; the same options write the same bytes.

    world: ccd or scenes. Raises UsageError for another world, or for options of another one, ConflictError if OUT holds another
    simulation, EnvironmentFault.
    """
    if world not in WORLDS:
        raise UsageError(f"there is no world {world!r} to simulate; worlds are {', '.join(WORLDS)}.")
    context, out, kind = context or open_context(), Path(out), WORLDS[world]
    foreign = kind.foreign(context.recipe)
    if foreign:
        raise UsageError(f"the world {world!r} does not obey {listed(foreign)}; leave {'it' if len(foreign) == 1 else 'them'} out.")
    check_writable(out)
    images = kind.make(out, context)
    height, width = context.recipe.simulation.shape_or(kind.side)
    recipe = out / "recipe.toml"
    lines = [
        f"{counted(len(images), 'image')} of {height} x {width} pixels in {out / 'images'}, their labels in {out / 'labels'}",
        f"besides: {', '.join(str(out / name) for name in kind.written)}",
        f"recipe: {recipe}",
    ]
    return Result(text="\n".join(lines), written={"outputs": [out / name for name in ("images", "labels", *kind.written)] + [recipe]})


def _make_frames(out: Path, context: Context) -> list[Path]:
    options = context.recipe.simulation
    if options.tracks is not None:
        options = options.model_copy(update={"tracks": context.folder / options.tracks})
    return ccd.simulate_ccd(out, options, context.progress)


def _make_scenes(out: Path, context: Context) -> list[Path]:
    recipe = context.recipe
    return files.simulate_scenes(out, recipe.simulation, recipe.scenes, context.progress, context.threads)


def _not_of_frames(recipe: Recipe) -> list[str]:
    return _given("scenes", recipe.scenes, set(type(recipe.scenes).model_fields))


def _not_of_scenes(recipe: Recipe) -> list[str]:
    common = {"preset", "count", "size", "seed"}
    return _given("simulation", recipe.simulation, set(type(recipe.simulation).model_fields) - common)


def _given(table: str, options: Options, names: set[str]) -> list[str]:
    """Which of some options differ from their defaults: a recipe that says all defaults is no complaint."""
    defaults = type(options)()
    return [
        f"[{table}] {name}" for name in type(options).model_fields if name in names and getattr(options, name) != getattr(defaults, name)
    ]


WORLDS = {
    "ccd": World(make=_make_frames, side=frame.SIDE, written=("instances", "tracks"), foreign=_not_of_frames),
    "scenes": World(make=_make_scenes, side=scene.SIDE, written=("instances", *files.SET_FILES), foreign=_not_of_scenes),
}
