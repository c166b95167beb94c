"""windows.csv: every window that a step consumed, with its place; what was only made ahead is not in it."""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import writing
from terrazzo.samples.rows import Sample
from terrazzo.training.checkpoint import TrainingState

COLUMNS = ("step", "epoch", "mode", "sample", "scene", "col_off", "row_off", "width", "height", "x", "y")


@dataclass(frozen=True, kw_only=True)
class WindowLog:
    """Appends to windows.csv.

    A row is a window: step (steps done with it, from 1; of validation windows, the steps before them), epoch from 1, mode (train or
    validation), sample, scene, its pixels, and the map coordinates of its upper left corner, empty where the scene has none.
    """

    path: Path
    grid: Callable[[str], Grid]
    """The grid of a scene."""
    _known: dict[str, Grid] = field(default_factory=dict)

    def write(self, state: TrainingState, mode: Literal["train", "validation"], windows: Sequence[Sample]) -> None:
        """Append the windows of a batch; they survive the end of the process right after.

        state: with the step done, its epoch not closed.
        """
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        if not self.path.exists():
            writer.writerow(COLUMNS)
        for sample in windows:
            window = sample.window
            place = (window.col_off, window.row_off, window.width, window.height)
            writer.writerow([state.step, state.epoch + 1, mode, sample.id, sample.scene, *place, *self._corner(sample)])
        with self.path.open("a", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text.getvalue())

    def sync(self) -> None:
        """Have all on disk that was written, as a checkpoint that counts on it is about to be."""
        if self.path.exists():
            with self.path.open("ab") as file:
                os.fsync(file.fileno())

    def cut(self, state: TrainingState) -> None:
        """Forget what a resumed run does again: steps beyond the state's, validation of epochs that are not closed, half a last row."""
        if not self.path.exists():
            return
        with writing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in self._rows():
                step, epoch, mode = int(row[0]), int(row[1]), row[2]
                if step <= state.step and (mode == "train" or epoch <= state.epoch):
                    writer.writerow([step, epoch, mode, int(row[3]), row[4], *map(int, row[5:9]), *(_number(text) for text in row[9:])])

    def _rows(self) -> Iterator[list[str]]:
        """All whole rows."""
        with self.path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
            ended = file.read(1) == b"\n"
        with self.path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            waiting: list[str] | None = None
            for row in rows:
                if waiting is not None:
                    yield waiting
                waiting = row
            if waiting is not None and ended and len(waiting) == len(COLUMNS):
                yield waiting

    def _corner(self, sample: Sample) -> tuple[float | str, float | str]:
        if sample.scene not in self._known:
            self._known[sample.scene] = self.grid(sample.scene)
        grid = self._known[sample.scene]
        if grid.crs is None or grid.transform is None:
            return "", ""
        x, y = grid.transform @ (sample.window.col_off, sample.window.row_off)
        return float(x), float(y)


def _number(text: str) -> float | str:
    return float(text) if text else ""
