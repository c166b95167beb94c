"""A layer resampled to another grid by GDAL's warper, block by block.

    target grid: blocks of fixed places          the file: the window that a block needs
    +---+---+---+                                     ______
    |   | x |   |    -- which pixels? -->            /  x  /
    +---+---+---+    <-- warp these ----            /_____/

What is missing (nodata, masks, alpha, NaN) goes through the warper as NaN, band by band, so that it never counts as a value: a dataset
that GDAL warps by itself has one nodata value or one mask, and would know nothing of bands that join from other files. A pixel is valid
where the centre of its cell falls on a valid pixel of the file (with 'average': where its cell touches one); its value is made of the
valid ones around.
"""

import itertools
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.decoded import DecodedImage
from terrazzo.rasters.formats.source import READ_LIMIT_BYTES, Block
from terrazzo.rasters.grid import cut_transform, to_ground
from terrazzo.rasters.layers import Layer, not_missing
from terrazzo.rasters.place import FAILURES, Place
from terrazzo.rasters.validity import Mask
from terrazzo.rasters.window import Shape, Window, whole

BLOCK_PX = 256
"""Side of a block of the target. Blocks lie at fixed places, so that a pixel is the same in whatever window it is asked for."""
READ_PX = 1024
"""Blocks are made smaller where they would need more than about this many columns or rows of the file."""
NODES = 5
"""Points along the side of a block that are looked up in the file; up to five, GDAL looks up each exactly."""
CHART_PX = 16
"""Side of the image of coordinates that is warped to look points up."""
KERNEL_PX = 2
"""How far the widest kernel (cubic) reaches, in pixels of the coarser of both grids."""
SPARE_PX = 4
"""Pixels of the file that are read around what a block needs."""
LARGEST_EXACT = 2**53
"""The warper computes in floating point, which holds whole numbers up to this one exactly."""

_PLANE = CRS.from_epsg(3857)
"""Any flat CRS will do, for both sides are in it."""
_AWAY = 2.0**24
"""An origin that is not zero: GDAL takes unit squares from zero on for no place at all."""
_NAN = {"src_nodata": np.nan, "dst_nodata": np.nan}


class WarpedLayer:
    """A layer on another grid. Memory does not depend on its size."""

    def __init__(self, path: Path, layer: Layer, place: Place, target: Place, resampling: str) -> None:
        """path: for messages. place: where the layer is now. target: where its pixels go. resampling: a name of rasterio's."""
        self._path = path
        self._layer = layer
        self._place = place
        self._target = target
        self._scales = _scales(place, target)
        self._method = {
            "resampling": Resampling[resampling],
            # each band has its own holes
            "UNIFIED_SRC_NODATA": "NO",
            # GDAL would measure them in each block anew, and choose slightly different kernels
            **({"XSCALE": self._scales[0], "YSCALE": self._scales[1]} if self._scales else {}),
        }
        # these give a pixel a value wherever their kernel touches one, and would close small holes
        self._fills = resampling in ("bilinear", "cubic")
        large = max(place.shape) > READ_PX
        self._side = max(1, min(BLOCK_PX, int(READ_PX * min(self._scales or (1, 1))))) if large else BLOCK_PX
        self._chart, self._chart_place = self._draw_chart()
        self._blocks: dict[tuple[int, int], DecodedImage] = {}
        self._lock = threading.Lock()
        self.shape = target.shape
        self.bands = layer.bands
        self.dtype = layer.dtype

    def read(self, window: Window) -> Block:
        values = np.empty((self.bands, *window.shape), self.dtype)
        holes: Mask = np.zeros(values.shape, np.bool_)
        shown: Mask = np.ones(window.shape, np.bool_)
        for place in self._blocks_of(window):
            there, block = self._window(place), self._block(place)
            inner = there.intersection(window) or there
            at, of = inner.inside(window), inner.inside(there)
            values[:, *at] = block.values[:, *of]
            if block.holes is not None:
                holes[:, *at] = block.holes[:, *of]
            if block.mask is not None:
                shown[at] = block.mask[of]
        return Block(values=values, mask=None if shown.all() else shown, holes=holes if holes.any() else None)

    def close(self) -> None:
        with self._lock:
            made = list(self._blocks.values())
            self._blocks.clear()
        for block in made:
            block.drop()
        self._layer.close()

    def _blocks_of(self, window: Window) -> Iterator[tuple[int, int]]:
        """(row, column) of the blocks that a window touches, counted in blocks."""
        rows = range(window.row_off // self._side, -(-window.row_end // self._side))
        columns = range(window.col_off // self._side, -(-window.col_end // self._side))
        return itertools.product(rows, columns)

    def _window(self, place: tuple[int, int]) -> Window:
        row, column = (number * self._side for number in place)
        height, width = self.shape
        return Window(col_off=column, row_off=row, width=min(self._side, width - column), height=min(self._side, height - row))

    def _block(self, place: tuple[int, int]) -> Block:
        with self._lock:
            block = self._blocks.setdefault(place, DecodedImage(partial(self._make, self._window(place))))
        return block.kept()

    def _make(self, window: Window) -> Block:
        """A window of the target."""
        needed = self._needed(window)
        if needed is None:
            full = (self.bands, *window.shape)
            return Block(values=np.zeros(full, self.dtype), mask=np.zeros(window.shape, np.bool_), holes=np.ones(full, np.bool_))
        block = self._layer.read(needed)
        place = self._place.seen_from((needed.col_off, needed.row_off))
        to = cut_transform(self._target.affine, (window.col_off, window.row_off))
        self._check_exact(block)
        complete = block.mask is None and block.holes is None and self.dtype != np.float16
        return self._complete(block, place, window, to) if complete else self._with_holes(block, place, window, to)

    def _complete(self, block: Block, place: dict[str, Any], window: Window, to: Affine) -> Block:
        """Warp pixels of which none is missing, in their own type, for that is fast. One more band tells where the file ends."""
        source = np.ones((self.bands + 1, *block.values.shape[1:]), self.dtype)
        source[:-1] = block.values
        warped = np.zeros((self.bands + 1, *window.shape), self.dtype)
        self._warp(source, place, warped, to)
        shown = warped[-1] != 0
        return Block(values=warped[:-1], mask=shown, holes=np.broadcast_to(~shown, warped[:-1].shape))

    def _with_holes(self, block: Block, place: dict[str, Any], window: Window, to: Affine) -> Block:
        """Warp pixels with NaN for what is missing. In one more band that is what the mask hides."""
        narrow = self.dtype.itemsize <= 2 or self.dtype == np.float32
        source = np.zeros((self.bands + 1, *block.values.shape[1:]), np.float32 if narrow else np.float64)
        source[:-1] = np.where(not_missing(block), block.values, np.nan)
        if block.mask is not None:
            source[-1][~block.mask] = np.nan
        warped = np.full((self.bands + 1, *window.shape), np.nan, source.dtype)
        self._warp(source, place, warped, to, **_NAN)
        if self._fills:
            nearest = np.full_like(warped, np.nan)
            self._warp(source, place, nearest, to, resampling=Resampling.nearest, **_NAN)
            warped[np.isnan(nearest)] = np.nan
        missing = np.isnan(warped)
        return Block(values=_in_type(warped[:-1], self.dtype), mask=~missing[-1], holes=missing[:-1])

    def _needed(self, window: Window) -> Window | None:
        """The window of the file that a window of the target is made from, or None if they do not meet."""
        step = (window.width / (NODES - 1), window.height / (NODES - 1))
        found = np.full((2, NODES, NODES), np.nan)
        to = cut_transform(self._target.affine, (window.col_off - step[0] / 2, window.row_off - step[1] / 2), step)
        self._warp(self._chart, self._chart_place, found, to, resampling=Resampling.bilinear, XSCALE=1, YSCALE=1, **_NAN)
        places = found[:, np.isfinite(found).all(axis=0)]
        if not places.size:
            return None
        low, high = places.min(axis=1), places.max(axis=1)
        # a twentieth, for between the nodes the edge of the block is a curve
        around = np.array([KERNEL_PX / min(1, scale) for scale in self._scales or (1, 1)]) + SPARE_PX + (high - low) / 20
        (left, top), (right, bottom) = np.floor(low - around).astype(int), np.ceil(high + around).astype(int)
        needed = Window(col_off=int(left), row_off=int(top), width=int(right - left), height=int(bottom - top))
        inner = needed.intersection(whole(self._place.shape))
        if inner is not None and inner.width * inner.height * (self.bands + 1) * 8 > READ_LIMIT_BYTES:
            raise RasterError(
                f"{self._path}: a cell of the grid to read it on holds {inner.height} x {inner.width} of its pixels, too many. "
                "Give a smaller cell_size."
            )
        return inner

    def _draw_chart(self) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """An image, (2, height, width), whose values are columns and rows of the file, and its place; it reaches far around the file.

        So far that a block whose nodes all miss it cannot meet the file between them.
        """
        height, width = self._place.shape
        reach = max(width, height, *(2 * BLOCK_PX / (NODES - 1) / scale for scale in self._scales or (1, 1)))
        step = ((width + 2 * reach) / CHART_PX, (height + 2 * reach) / CHART_PX)
        columns, rows = ((np.arange(CHART_PX) + 0.5) * size - reach for size in step)
        return np.stack(np.meshgrid(columns, rows)), self._place.seen_from((-reach, -reach), step)

    def _warp(self, source: NDArray[Any], place: dict[str, Any], out: NDArray[Any], to: Affine, **method: Any) -> None:
        try:
            with rasterio.Env():
                reproject(source, out, **place, dst_crs=self._target.crs, dst_transform=to, **{**self._method, **method})
        except FAILURES as error:
            cause = " ".join(str(error.__cause__ or error).split())
            raise RasterError(f"{self._path} cannot be resampled ({cause}). Are its CRS and its place on the ground right?") from error

    def _check_exact(self, block: Block) -> None:
        if self.dtype.kind == "f" or self.dtype.itemsize < 8:
            return
        there = not_missing(block)
        largest = max(abs(int(block.values.min(where=there, initial=0))), int(block.values.max(where=there, initial=0)))
        if largest > LARGEST_EXACT:
            raise RasterError(f"{self._path} holds {self.dtype} values up to {largest}, too large to be resampled exactly. Convert them.")


def resized_layer(path: Path, layer: Layer, shape: Shape, resampling: str) -> WarpedLayer:
    """A layer brought to (height, width) pixels, wherever it lies on the ground.

    The warper wants ground on both sides: a pixel of the file stands for a square of one unit, and a new pixel for its share of them.
    """
    (height, width), (rows, columns) = layer.shape, shape
    own = Place(shape=layer.shape, crs=_PLANE, ground=Affine(1, 0, _AWAY, 0, -1, _AWAY))
    target = Place(shape=shape, crs=_PLANE, ground=Affine(width / columns, 0, _AWAY, 0, -height / rows, _AWAY))
    return WarpedLayer(path, layer, own, target, resampling)


def _scales(place: Place, target: Place) -> tuple[float, float] | None:
    """Pixels of the target in one of the file, along its columns and rows, at its centre; None where that is beyond the target's CRS."""
    corners = place.central_pixel(target.crs)
    if corners is None:
        return None
    inverse = ~target.affine
    (x0, y0), (x1, y1), (x2, y2) = (to_ground(inverse, corner) for corner in corners)
    return float(np.hypot(x1 - x0, y1 - y0)), float(np.hypot(x2 - x0, y2 - y0))


def _in_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values from the warper in the type of the file; whole numbers are rounded as GDAL does, NaN becomes 0."""
    known: NDArray[Any] = np.where(np.isnan(values), 0, values)
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        known = np.clip(np.floor(known + 0.5), limits.min, limits.max)
    return known.astype(dtype)
