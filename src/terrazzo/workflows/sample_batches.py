"""Pictures of the first batch of a training and of its validation, before the first step: what is wrong with the data shows there."""

from pathlib import Path

from terrazzo.drawing.sheet import sheet_png
from terrazzo.rasters.write import write_bytes
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.training.fit import Trainer
from terrazzo.workflows.lesson import Lesson
from terrazzo.workflows.preview import MADE_BY, chips, pairs_sheet

TRAIN, VALIDATION = "train_sample_batch.png", "val_sample_batch.png"
MOST = 12
"""Samples in a picture; a larger batch is shown in part."""


def draw_sample_batches(folder: Path, trainer: Trainer, lesson: Lesson) -> None:
    """Write both into the folder, by the means that make the batches; without a validation part the second is left out."""
    task, count = trainer.task, min(trainer.options.batch, MOST)
    validation = [Drawn(sample=sample) for sample in task.validation[:count]]
    _draw(folder / TRAIN, "first training batch", trainer, lesson, task.draw.epoch(0, trainer.options.seed)[:count])
    if validation:
        _draw(folder / VALIDATION, "first validation batch", trainer, lesson, validation)


def _draw(path: Path, what: str, trainer: Trainer, lesson: Lesson, drawn: list[Drawn]) -> None:
    making = trainer.task.preparation
    shown = chips(making, drawn, None if path.name == VALIDATION else 0)
    title = f"{path.parent.name}: {what}, {making.size[0]} x {making.size[1]} pixels"
    dtype = lesson.store.raster(shown.windows[0].scene).dtype
    write_bytes(path, sheet_png(pairs_sheet(title, shown, making.scaling, lesson.legend, dtype), MADE_BY))
