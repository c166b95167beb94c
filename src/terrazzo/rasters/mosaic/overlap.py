"""What a mosaic holds where tiles overlap."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.chips.look import Look, Mask

Overlap = Literal["first", "last", "min", "max", "mean", "error"]
OVERLAPS: tuple[Overlap, ...] = ("first", "last", "min", "max", "mean", "error")


class Canvas:
    """A part of a mosaic, laid tile by tile.

    Where a single tile lies, its values are kept as they are, also those that are not valid; among several, only valid ones count.
    """

    def __init__(self, look: Look, shape: tuple[int, int], overlap: Overlap) -> None:
        self.values: NDArray[Any] = look.blank(shape, np.nan if look.dtype.kind == "f" and look.nodata is None else None)
        self.shown = np.zeros(shape, np.bool_)
        self._covered = np.zeros(shape, np.bool_)
        self._overlap = overlap
        self._found: Mask | None = None
        self._sums: NDArray[np.float64] | None = None
        self._counts: NDArray[np.uint32] | None = None

    def lay(self, place: tuple[slice, slice], values: NDArray[Any], shown: Mask, holes: Mask | None) -> None:
        """Lay a tile. place: (rows, columns). holes: (bands, height, width), missing values of single bands.

        Raises DataError if overlap is 'error' and it differs from what is there.
        """
        covered = self._covered[place]
        if self._overlap in ("min", "max", "mean"):
            self._combine(place, values, shown, holes)
        elif not covered.any():
            self.values[:, *place] = values
            self.shown[place] = shown
        else:
            self._choose(place, values, shown)
        self._covered[place] = True

    def finish(self) -> None:
        """Take the means, where there are some."""
        if self._sums is None or self._counts is None:
            return
        several = self._counts > 0
        means = self.values[several] + self._sums[several] / (self._counts[several] + 1)
        self.values[several] = means if self.values.dtype.kind == "f" else np.rint(means)

    def _choose(self, place: tuple[slice, slice], values: NDArray[Any], shown: Mask) -> None:
        before = self.shown[place]
        if self._overlap == "error":
            self._check(place, values, shown & before)
        taken = ~self._covered[place] | (shown if self._overlap == "last" else shown & ~before)
        np.copyto(self.values[:, *place], values, where=taken)
        self.shown[place] = before | shown

    def _check(self, place: tuple[slice, slice], values: NDArray[Any], both: Mask) -> None:
        there = self.values[:, *place]
        differ = (there != values) & both
        if values.dtype.kind == "f":
            differ &= ~(np.isnan(there) & np.isnan(values))
        if differ.any():
            _, row, column = (int(index[0]) for index in np.nonzero(differ))
            raise OverlapError(column + place[1].start, row + place[0].start)

    def _combine(self, place: tuple[slice, slice], values: NDArray[Any], shown: Mask, holes: Mask | None) -> None:
        if self._found is None:
            self._found = np.zeros(self.values.shape, np.bool_)
        found, there = self._found[:, *place], self.values[:, *place]
        has = np.broadcast_to(shown, values.shape) if holes is None else shown & ~holes
        both = has & found
        # what no tile covered, or holds no value yet, takes the tile's as it is
        taken = ~self._covered[place] | (has & ~found)
        if self._overlap == "mean":
            self._add(place, values, both)
        else:
            np.copyto(there, (np.minimum if self._overlap == "min" else np.maximum)(there, values), where=both)
        np.copyto(there, values, where=taken)
        found |= has
        self.shown[place] |= shown

    def _add(self, place: tuple[slice, slice], values: NDArray[Any], both: Mask) -> None:
        """Sum up how far further values are from the first: where all are equal, their mean is exactly that."""
        if self._sums is None or self._counts is None:
            self._sums, self._counts = np.zeros(self.values.shape), np.zeros(self.values.shape, np.uint32)
        apart = np.subtract(values, self.values[:, *place], dtype=np.float64, where=both, out=np.zeros(values.shape))
        self._sums[:, *place] += apart
        self._counts[:, *place] += both


class OverlapError(DataError):
    """Two tiles differ where they overlap."""

    def __init__(self, column: int, row: int) -> None:
        super().__init__(f"Tiles differ at column {column}, row {row}.")
        self.column, self.row = column, row
