"""A loss that is no finite number: what it was of, on disk, so that one can look at it."""

from collections.abc import Sequence
from pathlib import Path

from terrazzo.errors import DivergedError
from terrazzo.rasters.write import write_csv
from terrazzo.samples.rows import Sample

COLUMNS = ("sample", "scene", "col_off", "row_off", "width", "height")


class LossDivergedError(DivergedError):
    """Knows the batch at which a training ended."""

    def __init__(self, loss: float, step: int, batch: Sequence[Sample]) -> None:
        """step: from 0. batch: the windows that were learned from."""
        ids = ", ".join(str(sample.id) for sample in batch)
        super().__init__(f"the loss is {loss} at step {step} (samples {ids}). Lower training.learning_rate.")
        self._batch = batch

    def save(self, path: Path) -> None:
        """Write a table, a row a sample: sample (its row in the samples table), scene, and the window in pixels of the scene.

        Raises EnvironmentFault if it cannot be written.
        """
        windows = [(each.id, each.scene, each.window) for each in self._batch]
        write_csv(path, [COLUMNS, *((number, scene, at.col_off, at.row_off, at.width, at.height) for number, scene, at in windows)])
