"""index: the windows to learn from, as a samples table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from terrazzo.errors import ConflictError, RecipeError, UsageError
from terrazzo.labels.reader import LabelPlace, LabelReader, find_legend
from terrazzo.labels.sentences import counted
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.write import check_writable
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.index import build_index
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.samples.table import Samples, is_samples, load
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.sample_facts import sample_facts, sample_lines
from terrazzo.workflows.sample_origin import check_fresh, settings_of


def index(images: str | Path, labels: str | Path, out: str | Path, context: Context | None = None, *, reset: bool = False) -> Result:
    """Pair images with labels, cover them with windows, and write a samples table to OUT.

    A table that was made of the same files with the same options is kept as it is, with its split; one that is stale is refused.

    images, labels: a file, a folder or a pattern each, relative to the working directory. reset: make the table anew, whatever it was.
    Raises PairingError, LabelError, RasterError or DataError naming all files that do not fit; ConflictError if OUT is another file, or
    a table of other files or options; UsageError if [samples] names a table; EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    if context.recipe.samples.table is not None:
        raise UsageError("[samples] table is for train, which learns from it; index makes a table at OUT. Leave it out.")
    if out.exists() and not is_samples(out):
        raise ConflictError(f"{out} is no samples table: it is not overwritten. Give another OUT.")
    check_writable(out.absolute().parent)
    data = context.recipe.data.model_copy(update={"images": str(images), "labels": str(labels)})
    context = replace(context, recipe=context.recipe.model_copy(update={"data": data}))
    scenes = find_scenes(data, context.folder)
    kept = out.exists() and not reset
    if kept:
        samples = load(out)
        check_fresh(out, samples, scenes, context)
    else:
        samples = index_scenes(scenes, data, context)
        samples.save(out)
    images_told = counted(samples.frame["scene"].nunique(), "image")
    note = ": nothing to do" if kept else ""
    return Result(
        text="\n".join([f"{counted(len(samples), 'window')} of {images_told} in {out}{note}", *sample_lines(samples)]),
        written={"samples": out},
        facts=sample_facts(samples),
    )


def index_scenes(scenes: Sequence[Scene], data: DataOptions, context: Context) -> Samples:
    """Check and index scenes by the context's [legend] and [samples]; not split yet.

    Raises RecipeError if no labels are given, and what `check_scenes` and `build_index` raise.
    """
    if data.labels is None:
        raise RecipeError("[data] labels is missing: give a file, a folder, a pattern such as 'labels/*.tif', or rules.")
    checked = check_scenes(scenes, data, context.recipe.labels)
    samples = build_index(checked, label_reader(scenes, data, context, overlapping=True), context.recipe.samples, context.progress)
    return replace(samples, fingerprint=replace(samples.fingerprint, settings=settings_of(context.recipe)))


def label_reader(scenes: Sequence[Scene], data: DataOptions, context: Context, *, overlapping: bool = False) -> LabelReader:
    """What reads the labels of scenes, in the classes that the context's [legend] says, or that they hold.

    overlapping: whether the caller can do with classes that overlap; else they are refused.
    """
    places: list[LabelPlace] = [scene.label for scene in scenes if scene.label is not None]
    legend = find_legend(places, context.recipe.legend, context.recipe.labels, context.progress, overlapping=overlapping)
    return LabelReader(legend, data, context.recipe.labels)
