"""Rows of a map whose classes are decided."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.blend import BlendedRows


@dataclass(frozen=True, kw_only=True)
class FinishedRows:
    """Rows of a map, as wide as the raster: their classes, and the probabilities that these were decided by."""

    blended: BlendedRows
    indices: NDArray[np.uint8]
    """(rows, width) class indices, or bit sets of classes that overlap, 255 where invalid or not predicted."""

    @property
    def row_off(self) -> int:
        return self.blended.row_off

    @property
    def row_end(self) -> int:
        """The first row below."""
        return self.blended.row_end

    def between(self, start: int, end: int) -> "FinishedRows":
        """Those from a row of the map on and above another; one of them at least must lie there."""
        top, bottom = (max(0, row - self.row_off) for row in (start, end))
        return FinishedRows(blended=self.blended.between(start, end), indices=self.indices[top:bottom])


RowsT = TypeVar("RowsT", BlendedRows, FinishedRows)
