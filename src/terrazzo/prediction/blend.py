"""Blending overlapping windows in integers, so that the sum does not depend on the order of its parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.rasters.window import Window

PROBABILITY_ONE = 65535
"""A probability of 1, quantised."""
LARGEST_WEIGHT = 64
"""Weight along one side. Five overlapping windows weigh half of 5 * 64 at most, so 65535 times both sides' sum is below 2^32."""

PIECE_PX = 2**21
"""Pixels of finished rows that are handed out at once, about."""

Blend = Literal["hann", "linear", "flat", "crop"]


def side_weights(size: int, blend: Blend) -> NDArray[np.uint32]:
    """Weights 1 to 64 of the pixels along one side of a window, symmetric, largest in the middle; flat, and before it is cropped: all 1."""
    if blend in ("flat", "crop"):
        # as large as 64 they could overflow where five windows meet along a side
        return np.ones(size, np.uint32)
    centre = (np.arange(size) + 0.5) / size
    shape = 1 - np.abs(2 * centre - 1) if blend == "linear" else np.sin(np.pi * centre) ** 2
    weights: NDArray[np.uint32] = np.maximum(1, np.rint(shape * LARGEST_WEIGHT)).astype(np.uint32)
    return weights


def kept_side(start: int, last: int, size: int, stride: int) -> slice:
    """Of the pixels along one side of a window, those that crop keeps: every pixel of the raster from one window, far from its border.

    start: of the window. last: of the last one. What no neighbour has is kept too.
    """
    margin = (size - stride) // 2
    return slice(0 if start == 0 else margin, size if start == last else margin + stride)


def most_probable(values: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
    """(rows, width) which of (classes, rows, width) is the largest, of equal ones the first.

    Class by class over whole rows: numpy's argmax goes from pixel to pixel, which takes fifteen times as long.
    """
    best, most = np.zeros(values.shape[1:], np.uint8), values[0].copy()
    for index, each in enumerate(values[1:], start=1):
        np.maximum(best, np.multiply(each > most, index, dtype=np.uint8), out=best)
        np.maximum(most, each, out=most)
    return best


@dataclass(frozen=True, kw_only=True)
class BlendedRows:
    """Finished rows of a map, as wide as the raster."""

    row_off: int
    sums: NDArray[np.uint32]
    """(classes, rows, width), weighted probabilities."""
    totals: NDArray[np.uint32]
    """(rows, width), what the sums of a probability of 1 would be in units of PROBABILITY_ONE; 0 where nothing was predicted."""
    valid: NDArray[np.bool_]
    """(rows, width)."""

    @property
    def row_end(self) -> int:
        """The first row below."""
        return self.row_off + len(self.totals)

    def touches(self, rows: range) -> bool:
        """Whether one of them is among rows of the map."""
        return self.row_off < rows.stop and self.row_end > rows.start

    def between(self, start: int, end: int) -> "BlendedRows":
        """Those from a row of the map on and above another; one of them at least must lie there."""
        top, bottom = max(0, start - self.row_off), end - self.row_off
        return BlendedRows(
            row_off=self.row_off + top, sums=self.sums[:, top:bottom], totals=self.totals[top:bottom], valid=self.valid[top:bottom]
        )

    def part(self, rows: slice, columns: slice) -> "BlendedRows | None":
        """What of them lies in rows and columns of the raster, counted from the first of those; None if nothing does."""
        first, end = max(self.row_off, rows.start), min(self.row_end, rows.stop)
        if first >= end:
            return None
        own = slice(first - self.row_off, end - self.row_off)
        return BlendedRows(
            row_off=first - rows.start, sums=self.sums[:, own, columns], totals=self.totals[own, columns], valid=self.valid[own, columns]
        )

    def within(self, covered: NDArray[np.bool_]) -> "BlendedRows":
        """The same with no data where it is not covered. covered: (rows, width)."""
        return replace(self, valid=self.valid & covered)

    def indices(self) -> NDArray[np.uint8]:
        """Class indices (rows, width) of the largest probability; 255 where invalid or not predicted."""
        best = most_probable(self.sums)
        best[~self.valid | (self.totals == 0)] = IGNORE
        return best

    def probabilities(self) -> NDArray[np.uint16]:
        """(classes, rows, width), 65535 = 1; all classes 0 where invalid or not predicted."""
        totals = np.where(self.valid, self.totals, 0)
        half = totals // 2
        # in 64 bits, because half a weight is added to round
        shares = (self.sums.astype(np.uint64) + half) // np.maximum(totals, 1)
        return np.where(totals > 0, shares, 0).astype(np.uint16)


class BlendBand:
    """The rows of a map that are still being added to: as high as a window, as wide as the raster."""

    def __init__(self, grid: SlidingGrid, classes: int, blend: Blend) -> None:
        height, width = grid.size[0], grid.shape[1]
        self._sums = np.zeros((classes, height, width), np.uint32)
        self._totals = np.zeros((height, width), np.uint32)
        self._valid = np.zeros((height, width), np.bool_)
        self._grid = grid
        self._crop = blend == "crop"
        self._last = (grid.row_starts[-1], grid.col_starts[-1])
        self._weights = np.outer(side_weights(grid.size[0], blend), side_weights(grid.size[1], blend))

    def add(self, window: Window, valid: NDArray[np.bool_], probabilities: NDArray[np.uint16] | None) -> None:
        """Add a window, cut to the raster, whose top is the band's top; probabilities (classes, full height, full width) quantised."""
        rows, columns = slice(0, window.height), slice(window.col_off, window.col_end)
        # a window that nobody wants is not read, and says nothing of what others know
        self._valid[rows, columns] |= valid
        if probabilities is None:
            return
        weights = self._weights_of(window)[: window.height, : window.width]
        self._sums[:, rows, columns] += probabilities[:, : window.height, : window.width] * weights
        self._totals[rows, columns] += weights

    def _weights_of(self, window: Window) -> NDArray[np.uint32]:
        """(height, width) of a full window."""
        if not self._crop:
            return self._weights
        sides = zip((window.row_off, window.col_off), self._last, self._grid.size, self._grid.stride, strict=True)
        rows, columns = (kept_side(*side) for side in sides)
        weights = np.zeros_like(self._weights)
        weights[rows, columns] = 1
        return weights

    def take(self, row_off: int, rows: int) -> Iterator[BlendedRows]:
        """Hand out the top rows, which no later window touches, piece by piece; after the last the others have moved up.

        row_off: of the band's top. On wide rasters all these rows at once would be half as large again as the band itself.
        """
        step = max(1, PIECE_PX // self._totals.shape[1])
        for top in range(0, rows, step):
            part = slice(top, min(top + step, rows))
            yield BlendedRows(
                row_off=row_off + top,
                sums=self._sums[:, part].copy(),
                totals=self._totals[part].copy(),
                valid=self._valid[part].copy(),
            )
        for array in (self._sums, self._totals, self._valid):
            _move_up(array, rows)


def _move_up(array: NDArray[np.generic], rows: int) -> None:
    """The rows of (..., rows, width) from a row on become the first; zeros follow."""
    height = array.shape[-2]
    # numpy minds where both parts overlap, and takes no second copy where they do not
    array[..., : height - rows, :] = array[..., rows:, :]
    array[..., height - rows :, :] = 0
