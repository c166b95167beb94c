"""Outlines and rims of one scene as its rows come.

A pixel is counted once the rows within its reach are there:

        rows kept            reach rows that were counted, for those below need them
        rows to be counted
        rows still waiting   reach rows, whose neighbours below are not there yet
"""

import math

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.boundary import BoundaryCounts, count_boundaries
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Shape

TILE_PX = 512
"""Tiles are at least this wide and high: what stays in the processor's cache, and is skipped where all of it is one class."""


def reach_px(distance: float, shape: Shape) -> int:
    """The distance of a scene in whole pixels, at least 1. distance: in pixels, or below 1 as a share of the diagonal."""
    return max(1, round(distance * math.hypot(*shape) if distance < 1 else distance))


class BoundaryTally:
    """Counts the boundaries of a scene from top to bottom; what it keeps is as high as the distance and a tile."""

    def __init__(self, classes: int, distance: float, shape: Shape) -> None:
        """distance: in pixels, or below 1 as a share of the scene's diagonal; above 0. shape: (height, width)."""
        self._distance = reach_px(distance, shape)
        self._reach = self._distance + 1
        self._tile = max(TILE_PX, 2 * self._reach)
        self._height = shape[0]
        self._counts = BoundaryCounts.none(classes)
        self._classes = classes
        self._pending: list[NDArray[np.uint8]] = []
        """Truth and map of the rows from `_start` on, each (2, rows, width)."""
        self._start = 0
        self._counted = 0
        self._end = 0

    def add(self, rows: Rows) -> None:
        both = np.stack([rows.truth, rows.predicted])
        # what one of them leaves out counts in neither
        ignored = (rows.truth == IGNORE) | (rows.predicted == IGNORE)
        both |= np.negative(ignored.view(np.uint8))  # 255 where ignored
        self._pending.append(both)
        self._end = rows.row_end
        last = self._end == self._height
        ready = self._end if last else self._end - self._reach
        if last or ready - self._counted >= self._tile:
            self._count(ready)

    def finish(self) -> BoundaryCounts:
        """The counts, once all rows were added."""
        return self._counts

    def _count(self, end: int) -> None:
        """Count the rows up to `end`, and keep those that the next ones need."""
        both = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending, axis=1)
        for top in range(self._counted, end, self._tile):
            self._count_strip(both, top - self._start, min(top + self._tile, end) - self._start)
        self._counted = end
        start = max(0, end - self._reach)
        self._pending = [both[:, start - self._start :].copy()]
        self._start = start

    def _count_strip(self, both: NDArray[np.uint8], top: int, bottom: int) -> None:
        above = max(0, top - self._reach)
        strip = both[:, above : bottom + self._reach]
        for left in range(0, strip.shape[2], self._tile):
            right = min(left + self._tile, strip.shape[2])
            before = max(0, left - self._reach)
            truth, predicted = strip[:, :, before : right + self._reach]
            part = slice(top - above, bottom - above), slice(left - before, right - before)
            found = count_boundaries(truth, predicted, part, self._distance, self._classes)
            if found is not None:
                self._counts = self._counts + found
