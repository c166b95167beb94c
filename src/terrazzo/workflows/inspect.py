"""inspect: what files are, and what is wrong with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from terrazzo.errors import DataError, TerrazzoError
from terrazzo.rasters.files import find_images
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.recipe import load_recipe
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.raster_facts import raster_facts, raster_lines
from terrazzo.workflows.sample_facts import sample_facts, sample_lines

UNREADABLE = DataError.exit_code


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one file is, in lines of text and as values that JSON can hold."""

    lines: list[str]
    plain: dict[str, object]


def inspect(paths: str | Path | Sequence[str | Path], context: Context | None = None) -> Result:
    """Tell what files are: rasters, masks, samples tables, recipes, models. A folder stands for the images in it.

    Every pixel of a raster is read up to 256 MB of pixels, beyond that a sample that the text names.
    The result has a problem for each file that cannot be used, and then the exit code 3; nothing is raised for those.
    """
    context = context or open_context()
    given = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    findings: list[Finding] = []
    problems: list[str] = []
    found = list(_files(given, problems))
    with context.progress.task("inspect", len(found), "files") as advance:
        for path in found:
            try:
                findings.append(_look(path, context.recipe.data))
            except TerrazzoError as error:
                problems.append(_naming(path, error))
            advance(1)
    return Result(
        text="\n".join(line for finding in findings for line in finding.lines),
        facts={"files": [finding.plain for finding in findings]},
        problems=problems,
        exit_code=UNREADABLE if problems else 0,
    )


def _files(given: Sequence[Path], problems: list[str]) -> Iterator[Path]:
    """What the given paths stand for; a folder without images is a problem."""
    for path in given:
        if path.is_dir() and not _is_model(path):
            try:
                images = find_images(str(path), Path())
                yield from (path / image.path.relative_to(path.absolute()) for image in images)
            except TerrazzoError as error:
                problems.append(_naming(path, error))
        else:
            yield path


def _look(path: Path, options: DataOptions) -> Finding:
    if path.is_dir() or path.name in ("model.json", "model.safetensors"):
        return _model(path if path.is_dir() else path.parent)
    kinds: dict[str, Callable[[Path], Finding]] = {".parquet": _samples, ".toml": _recipe}
    look = kinds.get(path.suffix.lower())
    return look(path) if look is not None else _raster(path, options)


def _raster(path: Path, options: DataOptions) -> Finding:
    facts = raster_facts(path, options)
    return Finding(lines=raster_lines(facts), plain=facts.plain())


def _samples(path: Path) -> Finding:
    samples = load(path)
    facts = sample_facts(samples)
    size = f"{samples.size[0]} x {samples.size[1]} pixels"
    first = f"{path}: samples table, {facts['windows']} windows of {size} of {facts['scenes']} images"
    return Finding(
        lines=[first, *(f"  {line}" for line in sample_lines(samples))],
        plain={"kind": "samples", "path": str(path.absolute()), **facts},
    )


def _recipe(path: Path) -> Finding:
    """A recipe that is valid and, where it names images, the pairs that it finds."""
    loaded = load_recipe(path)
    given = {table: list(keys) for table, keys in loaded.recipe.model_dump(exclude_unset=True).items()}
    lines = [f"{path}: recipe", *(f"  [{table}] {', '.join(keys)}" for table, keys in given.items() if keys)]
    plain: dict[str, object] = {"kind": "recipe", "path": str(path.absolute()), "given": given}
    if loaded.recipe.data.images is not None:
        scenes = find_scenes(loaded.recipe.data, loaded.folder)
        labelled = sum(scene.label is not None for scene in scenes)
        lines.append(f"  images found: {len(scenes)}, with labels: {labelled}")
        plain |= {"images": len(scenes), "labelled": labelled}
    return Finding(lines=lines, plain=plain)


def _model(folder: Path) -> Finding:
    from terrazzo.workflows.model_facts import model_facts

    facts = model_facts(folder)
    return Finding(lines=facts.lines(), plain=facts.plain())


def _is_model(folder: Path) -> bool:
    return any((folder / place).is_file() for place in ("model.json", "model.safetensors", "model/model.json", "model/model.safetensors"))


def _naming(path: Path, error: TerrazzoError) -> str:
    """The error's sentence, with the path in front where it does not name it."""
    text = str(error)
    return text if str(path) in text or str(path.absolute()) in text else f"{path}: {text}"
