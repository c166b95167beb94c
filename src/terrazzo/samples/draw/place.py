"""Where a drawn window lies: a function of (seed, epoch, sample, how often the epoch drew it before)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.draw.epoch import ANY, FILLED, Drawn
from terrazzo.samples.ground import HeldOut, Rectangles
from terrazzo.samples.options import WindowRule
from terrazzo.samples.rows import Sample
from terrazzo.samples.table import Samples

PLACES = 2
"""Sets the generators of places apart from those of orders and of augmentation."""
TRIES = 16
"""Places that are tried before the listed window is taken as it is."""


class Labelled(Protocol):
    """As much of a source as placing needs."""

    def shape(self, scene: str) -> Shape: ...
    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, kw_only=True)
class Placer:
    """Places drawn windows inside their scenes, clear of held-out ground."""

    source: Labelled
    size: Shape
    """(height, width) of a window; in smaller scenes it is as large as the scene."""
    seed: int
    rule: WindowRule = "listed"
    held_out: HeldOut = field(default_factory=lambda: HeldOut(rectangles={}))
    listed: Mapping[str, Rectangles] = field(default_factory=dict)
    """All windows that the table lists, by scene; random windows have their centre in one, so that they show known ground."""

    def place(self, drawn: Drawn, epoch: int) -> Sample:
        """The sample with the window that this epoch shows of it.

        A window that does not fit, for it touches held-out ground or does not hold what was asked for, is drawn anew, at most TRIES
        times; then it is the listed one.
        """
        if self.rule == "listed" or drawn.sample.scene in self.held_out.everywhere:
            return drawn.sample
        key = (self.seed, epoch, drawn.sample.id, drawn.repeat)
        rng = np.random.default_rng(np.random.SeedSequence(key, spawn_key=(PLACES,)))
        for window in self._proposals(drawn, rng):
            if not self.held_out.touches(drawn.sample.scene, window) and self._holds(drawn, window):
                return replace(drawn.sample, window=window)
        return drawn.sample

    def _proposals(self, drawn: Drawn, rng: np.random.Generator) -> Iterator[Window]:
        scene = self.source.shape(drawn.sample.scene)
        if drawn.want > ANY:
            yield from self._centred(drawn, scene, rng)
        elif self.rule == "random":
            yield from self._anywhere(drawn.sample.scene, scene, rng)
        else:
            yield from (_moved(drawn.sample.window, scene, rng) for _ in range(TRIES))

    def _centred(self, drawn: Drawn, scene: Shape, rng: np.random.Generator) -> Iterator[Window]:
        """Windows around pixels of the wanted class that lie in the listed window, each pixel alike."""
        listed = drawn.sample.window
        rows, columns = np.nonzero(self.source.labels(drawn.sample.scene, listed) == drawn.want)
        height, width = self._full(scene)
        for chosen in rng.integers(len(rows), size=TRIES).tolist() if len(rows) else ():
            row, column = listed.row_off + int(rows[chosen]), listed.col_off + int(columns[chosen])
            yield _inside(row - height // 2, column - width // 2, (height, width), scene)

    def _anywhere(self, name: str, scene: Shape, rng: np.random.Generator) -> Iterator[Window]:
        """Windows with their upper left corner anywhere they fit, both ends included."""
        height, width = self._full(scene)
        for _ in range(TRIES):
            row, column = rng.integers(scene[0] - height + 1), rng.integers(scene[1] - width + 1)
            window = Window(col_off=int(column), row_off=int(row), width=width, height=height)
            middle = Window(col_off=window.col_off + width // 2, row_off=window.row_off + height // 2, width=1, height=1)
            if name not in self.listed or self.listed[name].touch(middle):
                yield window

    def _full(self, scene: Shape) -> Shape:
        return min(self.size[0], scene[0]), min(self.size[1], scene[1])

    def _holds(self, drawn: Drawn, window: Window) -> bool:
        if drawn.want >= ANY:
            return True
        labels = self.source.labels(drawn.sample.scene, window)
        filled = bool(np.any((labels > 0) & (labels != IGNORE)))
        return filled == (drawn.want == FILLED)


def listed_windows(samples: Samples) -> dict[str, Rectangles]:
    """All windows of a table, by scene, whatever part they are in."""
    left, top, width, height = (samples.frame[name].to_numpy(np.int64) for name in ("col_off", "row_off", "width", "height"))
    edges = np.stack([left, top, left + width, top + height])
    return {str(scene): Rectangles(edges=edges[:, rows]) for scene, rows in samples.frame.groupby("scene", sort=False).indices.items()}


def _moved(window: Window, scene: Shape, rng: np.random.Generator) -> Window:
    """A window moved by up to half its size, inside its scene."""
    move_x, move_y = rng.uniform(-0.5, 0.5, 2)
    row, column = window.row_off + round(move_y * window.height), window.col_off + round(move_x * window.width)
    return _inside(row, column, window.shape, scene)


def _inside(row: int, column: int, shape: Shape, scene: Shape) -> Window:
    """A window of a shape as near to a place as it can be without leaving its scene."""
    return Window(
        col_off=max(0, min(column, scene[1] - shape[1])),
        row_off=max(0, min(row, scene[0] - shape[0])),
        width=shape[1],
        height=shape[0],
    )
