"""Parts of a mosaic, read from the tiles that meet them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.chips.look import Mask
from terrazzo.rasters.mosaic.overlap import Canvas, Overlap, OverlapError
from terrazzo.rasters.mosaic.tiles import Placed, Plan
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.validity import find_holes
from terrazzo.rasters.window import Window

PART_BYTES = 24 * 2**20
"""A part of a mosaic is about so large."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a mosaic."""

    window: Window
    values: NDArray[Any]
    """(bands, height, width)."""
    shown: Mask
    """(height, width), True where there is image."""


class Composer:
    """Composes parts of a mosaic; from several threads if need be."""

    def __init__(self, plan: Plan, overlap: Overlap, block_px: int) -> None:
        self._plan = plan
        self._overlap = overlap
        self._block_px = block_px
        self._by_row: defaultdict[int, list[int]] = defaultdict(list)
        for number, placed in enumerate(plan.placed):
            for row in range(placed.window.row_off // block_px, (placed.window.row_end - 1) // block_px + 1):
                self._by_row[row].append(number)

    def windows(self) -> Iterator[Window]:
        """Parts that hold each pixel once, of whole blocks, row by row."""
        height, width = self._plan.grid.shape
        look = self._plan.look
        block_bytes = self._block_px**2 * look.bands * look.dtype.itemsize
        across = max(1, PART_BYTES // block_bytes) * self._block_px
        for row in range(0, height, self._block_px):
            for col in range(0, width, across):
                yield Window(col_off=col, row_off=row, width=min(across, width - col), height=min(self._block_px, height - row))

    def compose(self, window: Window) -> Part:
        """Lay all tiles that meet a window, in their order.

        Raises RasterError if one is broken there, DataError if tiles differ and may not, or hold the mosaic's nodata as a value.
        """
        look = self._plan.look
        canvas = Canvas(look, window.shape, self._overlap)
        laid: list[Placed] = []
        for number in self._by_row[window.row_off // self._block_px]:
            placed = self._plan.placed[number]
            inner = placed.window.intersection(window)
            if inner is None:
                continue
            pixels = placed.tile.raster.read(_local(inner, placed.window))
            values = self._with_nodata(placed, pixels)
            laid.append(placed)
            try:
                canvas.lay(inner.inside(window), values, placed.tile.look.shows(pixels), pixels.holes)
            except OverlapError as error:
                raise _differ(laid, window, error) from error
        canvas.finish()
        return Part(window=window, values=canvas.values, shown=canvas.shown)

    def _with_nodata(self, placed: Placed, pixels: Pixels) -> NDArray[Any]:
        """The values of a tile, with the mosaic's nodata instead of its own."""
        look, own = self._plan.look, placed.tile.look
        if look.nodata is None or str(look.nodata) == str(own.nodata):
            return pixels.values
        color = [band for band in range(look.bands) if band != look.alpha]
        taken = find_holes(pixels.values[color], (look.nodata,) * len(color))
        if taken is not None and bool((taken if pixels.holes is None else taken & ~pixels.holes[color]).any()):
            raise DataError(f"{placed.tile.path} holds {look.nodata:g} as a value, so it cannot be the mosaic's nodata. Give another.")
        if pixels.holes is None:
            return pixels.values
        values = pixels.values.copy()
        for band in color:
            values[band][pixels.holes[band]] = look.nodata
        return values


def _local(window: Window, of: Window) -> Window:
    return Window(col_off=window.col_off - of.col_off, row_off=window.row_off - of.row_off, width=window.width, height=window.height)


def _differ(laid: list[Placed], window: Window, error: OverlapError) -> DataError:
    column, row = window.col_off + error.column, window.row_off + error.row
    here = Window(col_off=column, row_off=row, width=1, height=1)
    there = [str(placed.tile.path) for placed in laid if placed.window.intersection(here) is not None]
    return DataError(
        f"{there[-1]} differs from {', '.join(there[:-1])} where they overlap, such as at column {column}, row {row} of the mosaic. "
        "Choose what counts there: --overlap first, last, min, max or mean."
    )
