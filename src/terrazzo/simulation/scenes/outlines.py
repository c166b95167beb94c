"""Outlines of many things, with any number of corners each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes.land import Points

FINEST = 65536.0
"""Corners lie on fractions of a pixel of this, so that windows may begin anywhere and outlines stay the same to the last bit."""


@dataclass(frozen=True, kw_only=True)
class Outlines:
    """Outlines in pixels: x is the column, y the row."""

    corners: Points
    """(m, 2) of all, one after the other."""
    counts: NDArray[np.int64]
    """(n,) corners of each, at least 1."""
    bounds: NDArray[np.float64]
    """(n, 4) left, top, right, bottom."""

    @classmethod
    def of(cls, rings: Sequence[Points], cell_size_m: float) -> Self:
        """From rings in metres."""
        corners = np.rint(np.concatenate([np.empty((0, 2)), *rings]) * (FINEST / cell_size_m)) / FINEST
        return cls.bounded(corners, np.array([len(ring) for ring in rings], np.int64))

    @classmethod
    def bounded(cls, corners: Points, counts: NDArray[np.int64]) -> Self:
        """From corners in pixels."""
        starts = np.cumsum(counts) - counts
        if len(counts) == 0:
            return cls(corners=corners, counts=counts, bounds=np.empty((0, 4)))
        bounds = np.concatenate([np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)], axis=1)
        return cls(corners=corners, counts=counts, bounds=bounds)

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[Points]:
        """The corners of each, (corners, 2)."""
        ends = np.cumsum(self.counts).tolist()
        return (self.corners[end - count : end] for end, count in zip(ends, self.counts.tolist(), strict=True))

    def meet(self, window: Window, by_px: float = 0.0) -> NDArray[np.bool_]:
        """Which may lie in a window that is grown by some pixels."""
        left, top, right, bottom = self.bounds.T
        meets: NDArray[np.bool_] = (
            (left < window.col_end + by_px)
            & (right > window.col_off - by_px)
            & (top < window.row_end + by_px)
            & (bottom > window.row_off - by_px)
        )
        return meets

    def part(self, which: NDArray[np.bool_]) -> "Outlines":
        """Those where True."""
        return Outlines(corners=self.corners[np.repeat(which, self.counts)], counts=self.counts[which], bounds=self.bounds[which])
