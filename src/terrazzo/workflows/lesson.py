"""What a training learns from: scenes and samples, of a recipe, a table, a packed store or a run that goes on."""

from dataclasses import dataclass, replace

from terrazzo.errors import DataError
from terrazzo.labels.legend import Legend
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.sentences import listed
from terrazzo.recipes.recipe import Recipe
from terrazzo.samples.scenes import Scene, find_scenes
from terrazzo.samples.store import SceneStore, Source
from terrazzo.samples.table import Samples, load
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context
from terrazzo.workflows.held_out import Judged
from terrazzo.workflows.lesson_samples import choose_samples
from terrazzo.workflows.packed_lesson import GivenTable, kept_samples, packed_samples


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """All that a training learns from."""

    scenes: list[Scene]
    """Of a packed store, none."""
    samples: Samples
    store: Source

    @property
    def legend(self) -> Legend:
        return self.samples.legend


def prepare(folder: RunFolder, table: GivenTable | None, context: Context) -> Lesson:
    """Find the scenes, index and split them; a samples table that the run already has is used as it is.

    table: the samples table that the recipe names; of a packed store, no image is looked for.
    """
    if not folder.samples.exists():
        return chosen_lesson(table, context)
    if table is not None and table.store is not None:
        return Lesson(scenes=[], samples=kept_samples(folder.samples, table.store), store=table.store)
    scenes, samples = find_scenes(context.recipe.data, context.folder), load(folder.samples)
    if gone := sorted(set(samples.frame["scene"]) - {scene.name for scene in scenes}):
        raise DataError(f"{folder.samples} names scenes that are no longer there: {listed(gone)}. Bring them back, or start a new run.")
    return lesson_of(scenes, samples, context.recipe)


def chosen_lesson(table: GivenTable | None, context: Context) -> Lesson:
    """What a training learns from that begins anew: all windows of the images, or those of the table that the recipe names."""
    if table is not None and table.store is not None:
        return Lesson(scenes=[], samples=packed_samples(table.store, context.recipe, context.progress), store=table.store)
    scenes = find_scenes(context.recipe.data, context.folder)
    return lesson_of(scenes, choose_samples(scenes, table, context), context.recipe)


def lesson_of(scenes: list[Scene], samples: Samples, recipe: Recipe) -> Lesson:
    """Samples of scenes, with what reads them."""
    return Lesson(scenes=scenes, samples=samples, store=SceneStore(scenes, LabelReader(samples.legend, recipe.data, recipe.labels)))


def judged(lesson: Lesson, recipe: Recipe) -> Judged:
    """The same windows in pixels of the images themselves, where the model works at another size: maps are judged at full size."""
    if recipe.data.resize is None or not isinstance(lesson.store, SceneStore):
        return Judged(samples=lesson.samples, store=lesson.store, working=lesson.store)
    data = recipe.data.model_copy(update={"resize": None})
    store = SceneStore(lesson.scenes, LabelReader(lesson.legend, data, recipe.labels))
    frame = lesson.samples.frame.copy()
    shapes = {scene: (lesson.store.shape(scene), store.shape(scene)) for scene in frame["scene"].unique()}
    windows = [window.rescaled(*shapes[scene]) for scene, window in zip(frame["scene"], lesson.samples.windows(), strict=True)]
    for name in ("col_off", "row_off", "width", "height"):
        frame[name] = [getattr(window, name) for window in windows]
    return Judged(samples=replace(lesson.samples, frame=frame), store=store, working=lesson.store)
