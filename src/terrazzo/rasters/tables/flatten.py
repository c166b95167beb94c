"""Pixels as rows of a table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from affine import Affine
from numpy.typing import NDArray

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.tables.layout import TableLayout
from terrazzo.rasters.window import Shape, Window

READ_BYTES = 2**23
"""Of pixels that are read at once."""
BLOCK_ROWS = 2**18
"""Rows of a table that are made at once, about."""
UNLABELLED = 255
"""Index of what no class has."""

Indices = NDArray[np.uint8]
ReadClasses = Callable[[Window], Indices]
"""Class indices (height, width) of a window of an image, 255 where it has none."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image to flatten."""

    number: int
    """Its place among the images, from 0."""
    raster: Raster
    classes: ReadClasses | None = None


@dataclass(frozen=True, kw_only=True)
class Flattening:
    """How images become rows."""

    layout: TableLayout
    step: int = 1
    """Every n-th pixel of every n-th row, from the first."""
    keep_invalid: bool = False
    """Also rows of what has no value; the value is empty."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Pixels that become rows together."""

    picture: Picture
    pixels: Pixels
    classes: Indices | None
    rows: NDArray[np.int32]
    """Number of each row of pixels in the image."""
    columns: NDArray[np.int32]


def read_windows(shape: Shape, pixel_bytes: int) -> Iterator[Window]:
    """Windows that hold each pixel of an image once, in its order of pixels: whole rows, or parts of a row that is very long."""
    height, width = shape
    rows, columns = max(1, READ_BYTES // (width * pixel_bytes)), max(1, READ_BYTES // pixel_bytes)
    for row_off in range(0, height, rows):
        for col_off in range(0, width, columns):
            yield Window(col_off=col_off, row_off=row_off, width=min(columns, width - col_off), height=min(rows, height - row_off))


def pixel_count(shape: Shape, step: int) -> int:
    """Pixels of an image that a table shows, were all valid."""
    return -(-shape[0] // step) * -(-shape[1] // step)


def read_part(picture: Picture, window: Window, step: int) -> Part:
    """The pixels of a window that are to become rows."""
    rows = np.arange(-(-window.row_off // step) * step, window.row_end, step, dtype=np.int32)
    columns = np.arange(-(-window.col_off // step) * step, window.col_end, step, dtype=np.int32)
    if not len(rows) or not len(columns):
        empty = np.zeros((picture.raster.bands, len(rows), len(columns)), picture.raster.dtype)
        pixels = Pixels(values=empty, valid=np.zeros(empty.shape[1:], np.bool_), holes=None)
        return Part(picture=picture, pixels=pixels, classes=None, rows=rows, columns=columns)
    pixels = picture.raster.read(window)
    classes = None if picture.classes is None else picture.classes(window)
    down, right = slice(int(rows[0]) - window.row_off, None, step), slice(int(columns[0]) - window.col_off, None, step)
    return Part(
        picture=picture,
        pixels=Pixels(
            values=pixels.values[:, down, right],
            valid=pixels.valid[down, right],
            holes=None if pixels.holes is None else pixels.holes[:, down, right],
        ),
        classes=None if classes is None else classes[down, right],
        rows=rows,
        columns=columns,
    )


def cut_part(part: Part, *, wide: bool) -> Iterator[Part]:
    """Parts of about BLOCK_ROWS rows of the table, in the order of pixels."""
    most = max(1, BLOCK_ROWS // (1 if wide else part.pixels.values.shape[0]))
    height, width = len(part.rows), len(part.columns)
    rows = max(1, most // max(width, 1))
    columns = max(1, min(width, most))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield _slice(part, slice(top, top + rows), slice(left, left + columns))


def _slice(part: Part, down: slice, right: slice) -> Part:
    pixels = part.pixels
    return Part(
        picture=part.picture,
        pixels=Pixels(
            values=pixels.values[:, down, right],
            valid=pixels.valid[down, right],
            holes=None if pixels.holes is None else pixels.holes[:, down, right],
        ),
        classes=None if part.classes is None else part.classes[down, right],
        rows=part.rows[down],
        columns=part.columns[right],
    )


def make_rows(part: Part, how: Flattening) -> pa.RecordBatch:
    """The rows of some pixels, by row, column and, unless the table is wide, band."""
    columns = _wide(part, how) if how.layout.wide else _long(part, how)
    return pa.RecordBatch.from_arrays(columns, schema=how.layout.schema())


def _long(part: Part, how: Flattening) -> list[Any]:
    bands = part.pixels.values.shape[0]
    values = np.moveaxis(part.pixels.values, 0, -1).reshape(-1)
    holes = None if part.pixels.holes is None else np.moveaxis(part.pixels.holes, 0, -1).reshape(-1)
    kept = None if holes is None or how.keep_invalid else np.flatnonzero(~holes)
    if kept is None:
        pixel = np.repeat(np.arange(len(values) // bands), bands)
        band = np.tile(np.arange(bands, dtype=np.int32), len(values) // bands)
    else:
        values, holes = values[kept], None
        pixel, band = kept // bands, (kept % bands).astype(np.int32)
    found = [*_places(part, how, pixel), pa.array(band + 1)]
    if how.layout.named:
        names = part.picture.raster.band_names
        found.append(_dictionary(band, names))
    return [*found, _values(values, holes, how), *_class_columns(part, how, pixel)]


def _wide(part: Part, how: Flattening) -> list[Any]:
    bands = part.pixels.values.shape[0]
    values = part.pixels.values.reshape(bands, -1)
    holes = None if part.pixels.holes is None else part.pixels.holes.reshape(bands, -1)
    valid = part.pixels.valid.reshape(-1)
    pixel = np.arange(values.shape[1]) if how.keep_invalid or valid.all() else np.flatnonzero(valid)
    columns = [_values(values[band][pixel], None if holes is None else holes[band][pixel], how) for band in range(bands)]
    return [*_places(part, how, pixel), *columns, *_class_columns(part, how, pixel)]


def _values(values: NDArray[Any], holes: NDArray[np.bool_] | None, how: Flattening) -> Any:
    return pa.array(values.astype(how.layout.dtype, copy=False), mask=holes)


def _places(part: Part, how: Flattening, pixel: NDArray[np.intp]) -> list[Any]:
    """Image, x, y, row and column of each row of the table. pixel: numbers of pixels in the part."""
    width = max(len(part.columns), 1)
    down, right = pixel // width, pixel % width
    rows, columns = part.rows[down], part.columns[right]
    x, y = centres(part.picture.raster.grid, rows, columns)
    image = [] if how.layout.images is None else [_dictionary(np.full(len(pixel), part.picture.number, np.int32), how.layout.images)]
    return [*image, pa.array(x), pa.array(y), pa.array(rows), pa.array(columns)]


def centres(grid: Grid, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x, y) of the centres of pixels: on the ground where the raster has a transform, else in pixels, y down."""
    a, b, c, d, e, f = (grid.transform or Affine.identity())[:6]
    across, along = columns + 0.5, rows + 0.5
    # without rotation a row of the table costs one product
    x = a * across + c if b == 0 else a * across + b * along + c
    y = e * along + f if d == 0 else d * across + e * along + f
    return x, y


def _class_columns(part: Part, how: Flattening, pixel: NDArray[np.intp]) -> list[Any]:
    classes = how.layout.classes
    if classes is None:
        return []
    indices = np.zeros(0, np.uint8) if part.classes is None else part.classes.reshape(-1)[pixel]
    none = indices == UNLABELLED
    values = np.zeros(UNLABELLED + 1, np.uint8)
    values[: len(classes)] = [entry.value for entry in classes]
    names = pa.DictionaryArray.from_arrays(
        pa.array(indices.astype(np.int32), mask=none), pa.array([entry.name for entry in classes], pa.string())
    )
    return [pa.array(values[indices], mask=none), names]


def _dictionary(places: NDArray[np.int32], names: tuple[str | None, ...]) -> Any:
    """Texts by their places; None is no text."""
    missing = np.array([name is None for name in names])
    texts = pa.array([name or "" for name in names], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=missing[places] if missing.any() else None), texts)
