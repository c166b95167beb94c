"""index: the windows to learn from, as a samples table."""

from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import RecipeError
from terrazzo.labels.reader import LabelPlace, LabelReader, find_legend
from terrazzo.labels.sentences import counted
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.write import check_writable
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.index import build_index
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.samples.table import Samples
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.sample_facts import sample_facts, sample_lines


def index(images: str | Path, labels: str | Path, out: str | Path, context: Context | None = None) -> Result:
    """Pair images with labels, cover them with windows, and write a samples table to OUT.

    images, labels: a file, a folder or a pattern each, relative to the working directory.
    Raises PairingError, LabelError, RasterError or DataError naming all files that do not fit; EnvironmentFault.
    """
    context, out = context or open_context(), Path(out)
    check_writable(out.absolute().parent)
    data = context.recipe.data.model_copy(update={"images": str(images), "labels": str(labels)})
    samples = index_scenes(find_scenes(data, context.folder), data, context)
    samples.save(out)
    scenes = counted(samples.frame["scene"].nunique(), "image")
    return Result(
        text="\n".join([f"{counted(len(samples), 'window')} of {scenes} in {out}", *sample_lines(samples)]),
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
    return build_index(checked, label_reader(scenes, data, context), context.recipe.samples, context.progress)


def label_reader(scenes: Sequence[Scene], data: DataOptions, context: Context) -> LabelReader:
    """What reads the labels of scenes, in the classes that the context's [legend] says, or that they hold."""
    places: list[LabelPlace] = [scene.label for scene in scenes if scene.label is not None]
    legend = find_legend(places, context.recipe.legend, context.recipe.labels, context.progress)
    return LabelReader(legend, data, context.recipe.labels)
