"""Arrays as images: which have a form that an image can have, and where their bands are."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.source import Facts
from terrazzo.rasters.grid import Grid

log = logging.getLogger(__name__)

Axes = Literal["auto", "bands_first", "bands_last"]

HEADER_BYTES = 65_536
"""An array's header takes some hundred bytes; a longer one is not read."""

_SMALL = 4
"""As many bands as a picture has."""


def is_image(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bool:
    """Whether an array can be an image: real numbers of at most 64 bits, in two or three axes, and not empty."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8 and len(shape) in (2, 3) and min(shape) > 0


def check_image(what: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raises RasterError if an array cannot be an image. what: the file, or the array in it."""
    if dtype.hasobject:
        raise RasterError(f"{what} holds Python objects, which could run code and are never unpickled. Save plain numbers.")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise RasterError(f"{what} holds values of type {dtype}; they must be real numbers of at most 64 bits.")
    if not is_image(dtype, shape):
        raise RasterError(f"{what} holds an array of shape {shape}; it must be (height, width) or (bands, height, width).")


def as_planes(array: NDArray[Any], axes: Axes) -> NDArray[Any]:
    """A view of an image array as (bands, height, width): bands come first unless axes is 'bands_last'."""
    if array.ndim == 2:
        return array[None]
    return np.moveaxis(array, 2, 0) if axes == "bands_last" else array


def array_facts(path: Path, name: str, planes: NDArray[Any], axes: Axes) -> Facts:
    """Facts of (bands, height, width); bool counts as 0 and 1. name: of the format."""
    count, height, width = planes.shape
    if axes == "auto" and width <= _SMALL < min(count, height):
        log.info(
            "%s is read as %d bands of %d x %d pixels. If its bands are last, set data.axes to bands_last.", path, count, height, width
        )
    return Facts(
        format=name,
        count=count,
        dtype=np.dtype(np.uint8) if planes.dtype == np.bool_ else planes.dtype.newbyteorder("="),
        grid=Grid(shape=(height, width)),
        nodata=(None,) * count,
        band_names=(None,) * count,
    )
