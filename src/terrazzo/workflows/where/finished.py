"""A run that has ended, opened again: its samples, its images and labels, and what its model says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RecipeError
from terrazzo.models.bundle import load_bundle
from terrazzo.prediction.stream import Job, Predictor, options_of, predict_rows
from terrazzo.progress import Advance
from terrazzo.samples.ground import Rectangles
from terrazzo.samples.rows import Sample
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import Source
from terrazzo.samples.table import Samples
from terrazzo.training.run import RunFolder, RunState
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.lesson import judged, prepare
from terrazzo.workflows.sample_origin import packed_table


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """What a run was made of."""

    folder: RunFolder
    samples: Samples
    """Windows are in pixels of the images themselves, at whatever size the model works."""
    scenes: dict[str, Scene]
    """Of a run that learned from a packed store, none."""
    store: Source

    @property
    def name(self) -> str:
        return self.folder.path.name

    def job(self, scene: str, predictor: Predictor, members: Sequence[Sample]) -> Job:
        """The job of an image of the run, for any model, around some of its samples; of a packed store, of the image as it was packed."""
        ground = Rectangles.of([sample.window for sample in members])
        if scene in self.scenes:
            return predictor.open_job(self.scenes[scene].image, ground.touch)
        return predictor.job(self.store.raster(scene), ground.touch)


def is_run(path: Path) -> bool:
    """Whether a training ended in this folder."""
    return RunFolder(path=path).state is RunState.FINISHED


def open_run(path: Path) -> FinishedRun:
    """Open a run. Raises RecipeError if it is none or has not ended, DataError or PairingError if its images or labels are gone."""
    if not is_run(path):
        raise RecipeError(f"{path} is no run that has ended: it lacks recipe.toml or report.html. Give the folder that train left.")
    folder = RunFolder(path=path.resolve())
    table, context = packed_table(open_context(folder.recipe))
    lesson = prepare(folder, table, context)
    full = judged(lesson, context.recipe)
    return FinishedRun(folder=folder, samples=full.samples, scenes={scene.name: scene for scene in lesson.scenes}, store=full.store)


def predictor_of(run: FinishedRun, context: Context) -> Predictor:
    """The model of a run, predicting as it did when the run ended."""
    bundle = load_bundle(run.folder.path)
    return Predictor.of(bundle, context.device, options_of(bundle, {}))


@dataclass(frozen=True, kw_only=True)
class Said:
    """Rows of what a model says of a scene."""

    row_off: int
    probabilities: NDArray[np.uint16]
    """(classes, rows, width), 65535 = 1; all 0 where nothing was predicted."""

    @property
    def row_end(self) -> int:
        """The first row below them."""
        return self.row_off + int(self.probabilities.shape[1])


def said_of(run: FinishedRun, scene: str, predictor: Predictor, members: Sequence[Sample], advance: Advance) -> Iterator[Said]:
    """What a model says of a scene around some of its samples, from top to bottom; elsewhere it says nothing."""
    for rows in predict_rows([run.job(scene, predictor, members)], predictor, advance):
        yield Said(row_off=rows.row_off, probabilities=rows.probabilities())


def in_step(streams: Sequence[Iterator[Said]]) -> Iterator[list[Said]]:
    """The same rows of several streams that begin and end at the same rows, though they come in different pieces."""
    waiting = [next(stream) for stream in streams]
    while True:
        end = min(each.row_end for each in waiting)
        yield [_cut(each, waiting[0].row_off, end) for each in waiting]
        for number, (each, stream) in enumerate(zip(waiting, streams, strict=True)):
            if each.row_end > end:
                waiting[number] = _cut(each, end, each.row_end)
            elif (following := next(stream, None)) is not None:
                waiting[number] = following
            else:
                return


def _cut(said: Said, start: int, end: int) -> Said:
    return Said(row_off=start, probabilities=said.probabilities[:, start - said.row_off : end - said.row_off])
