"""Cutting chips out of an image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.chips.layout import ChipPlace, around
from terrazzo.rasters.chips.look import Look, Mask
from terrazzo.rasters.grid import Grid, cut_transform
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A chip and what it holds."""

    place: ChipPlace
    values: NDArray[Any]
    """(bands, height, width)."""
    shown: Mask
    """(height, width), True where there is image."""

    @property
    def valid_share(self) -> float:
        """Of all its pixels, padding too."""
        return float(np.count_nonzero(self.shown) / self.shown.size)


def cut(raster: Raster, look: Look, places: Sequence[ChipPlace]) -> Iterator[Chip]:
    """The chips at places that lie close together, read at once.

    Pixels are exactly those of the image; what lies beyond it is nodata, else 0, and not shown.
    Raises RasterError where the image is broken.
    """
    window = around(places)
    pixels = raster.read(window)
    shown = look.shows(pixels)
    for place in places:
        rows, columns = place.shown.inside(window)
        yield _chip(place, pixels.values[:, rows, columns], shown[rows, columns], look)


def mask_of(look: Look, values: NDArray[Any], shown: Mask) -> Mask | None:
    """What a file needs as a mask: `shown`, unless nodata and alpha say it already."""
    if shown.all() or np.array_equal(look.implied(values), shown):
        return None
    return shown


def chip_grid(grid: Grid, window: Window) -> Grid:
    """The place of a window on the ground, by whole pixels."""
    if grid.transform is None:
        return Grid(shape=window.shape, crs=grid.crs)
    return Grid(shape=window.shape, crs=grid.crs, transform=cut_transform(grid.transform, (window.col_off, window.row_off)))


def _chip(place: ChipPlace, values: NDArray[Any], shown: Mask, look: Look) -> Chip:
    if not place.padded:
        return Chip(place=place, values=values, shown=shown)
    height, width = place.shown.shape
    padded, inside = look.blank(place.window.shape), np.zeros(place.window.shape, np.bool_)
    padded[:, :height, :width] = values
    inside[:height, :width] = shown
    return Chip(place=place, values=padded, shown=inside)
