"""What rules ask of an object: its size, its shape, how sure the model is of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.refine.objects.table import AREA_M2, PIXELS, SURENESS, XX, XY, YY, Floats, PieceTable, X, Y
from terrazzo.prediction.vectorize.ground import metres_per_pixel
from terrazzo.rasters.grid import Grid


@dataclass(frozen=True)
class Measured:
    """The pieces of a map, to be measured."""

    table: PieceTable
    grid: Grid
    """Of the map."""

    @property
    def center(self) -> tuple[Floats, Floats]:
        """Column and row of the middle of each piece, (pieces,) each; 0 is the middle of the first pixel."""
        sums = self.table.sums
        return sums[X] / sums[PIXELS], sums[Y] / sums[PIXELS]

    def spread(self, *, metres: bool) -> Floats:
        """(pieces, 2, 2): the covariance of the places in each piece, in squared pixels or metres; a pixel is a square, not a point."""
        sums, (column, row) = self.table.sums, self.center
        xx, yy, xy = (sums[product] / sums[PIXELS] for product in (XX, YY, XY))
        covariance = np.empty((len(self.table), 2, 2))
        covariance[:, 0, 0] = xx - column**2 + 1 / 12
        covariance[:, 1, 1] = yy - row**2 + 1 / 12
        covariance[:, 0, 1] = covariance[:, 1, 0] = xy - column * row
        if not metres:
            return covariance
        stretch = metres_per_pixel(self.grid, column, row)
        moved: Floats = stretch @ covariance @ stretch.transpose(0, 2, 1)
        return moved

    def axes(self, *, metres: bool = False) -> tuple[Floats, Floats]:
        """Length and breadth of the rectangle that is spread as wide as each piece, in pixels or metres."""
        low, high = np.linalg.eigvalsh(self.spread(metres=metres)).T
        return np.sqrt(12 * high), np.sqrt(12 * low)


def _width(measured: Measured) -> Floats:
    left, _, right, _ = measured.table.lows
    return np.asarray(1 - right - left, np.float64)


def _height(measured: Measured) -> Floats:
    _, top, _, bottom = measured.table.lows
    return np.asarray(1 - bottom - top, np.float64)


def _elongation(measured: Measured) -> Floats:
    length, breadth = measured.axes()
    return np.asarray(length / breadth)


def _compactness(measured: Measured) -> Floats:
    length, breadth = measured.axes()
    return np.asarray(measured.table.sums[PIXELS] / (length * breadth))


MEASURES: Mapping[str, Callable[[Measured], NDArray[np.float64]]] = {
    "area_px": lambda measured: measured.table.sums[PIXELS],
    "area_m2": lambda measured: measured.table.sums[AREA_M2],
    "length_px": lambda measured: measured.axes()[0],
    "length_m": lambda measured: measured.axes(metres=True)[0],
    "breadth_px": lambda measured: measured.axes()[1],
    "breadth_m": lambda measured: measured.axes(metres=True)[1],
    "width_px": _width,
    "height_px": _height,
    "elongation": _elongation,
    "compactness": _compactness,
    "confidence": lambda measured: measured.table.sums[SURENESS] / (measured.table.sums[PIXELS] * PROBABILITY_ONE),
}
"""By the names that rules have for them, (pieces,) each. Those in metres need a place on the ground, confidence probabilities."""

ON_GROUND = frozenset({"area_m2", "length_m", "breadth_m"})
"""Measures that are known only where the pixels of a map have a size in metres."""
CONFIDENCE = "confidence"
