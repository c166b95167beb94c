"""From the bands of a mask file to one raw value a pixel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.colors import Color
from terrazzo.labels.raw import COLOR, NO_BAND, Encoding, raw_of_color
from terrazzo.labels.sentences import counted, number
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import Place
from terrazzo.rasters.raster import Pixels, Raster, open_raster

Palette = Mapping[int, Color]


def open_mask(path: Path, reading: DataOptions, onto: Grid | None = None, place: Place | None = None, *, alpha: bool = False) -> Raster:
    """Open a mask file; its alpha band says which pixels are used, unless `alpha` has it read as a band like the others.

    onto, place: as `open_raster` takes them; the pixels are brought to the grid by the nearest.
    Raises RasterError.
    """
    options = reading.model_copy(update={"resampling": "nearest"})
    raster = open_raster(path, options, onto, place)
    if not alpha or raster.alpha is None or reading.bands is not None:
        return raster
    raster.close()
    return open_raster(path, options.model_copy(update={"bands": [*range(1, raster.bands + 2)]}), onto, place)


def open_bands(path: Path, reading: DataOptions, onto: Grid | None = None, place: Place | None = None, *, classes: int) -> Raster:
    """Open a mask of a band a class, as `open_mask` does. Raises RasterError, and LabelError if it has another number of bands."""
    raster = open_mask(path, reading, onto, place, alpha=True)
    if raster.bands != classes:
        raster.close()
        raise LabelError(
            f"{path} has {counted(raster.bands, 'band')}; with [legend] overlapping a mask has one a class, {classes} altogether."
        )
    return raster


def band_sets_valid(pixels: Pixels, raster: Raster) -> NDArray[np.bool_]:
    """Which pixels (height, width) of a mask of a band a class are used, of a window inside it: 0 and 1 are data whatever it declares."""
    declared = set(raster.nodata)
    if pixels.valid.all() or not declared <= {0, 1}:
        return pixels.valid
    void: NDArray[np.bool_] = np.logical_and.reduce([plane == nodata for plane, nodata in zip(pixels.values, raster.nodata, strict=True)])
    return pixels.valid | void


def raw_values(pixels: Pixels, encoding: Encoding, palette: Palette | None) -> NDArray[Any]:
    """The raw value of each pixel, (height, width); those of pixels that are not valid mean nothing. Multihot: all bands.

    palette: the colours of the values of a file of one band.
    Raises LabelError, without the file's name, if the bands cannot hold what the encoding says.
    """
    if encoding == "colors":
        return _colors(pixels.values, palette)
    if encoding == "onehot":
        return band_set(pixels)[0]
    if encoding == "multihot":
        return pixels.values
    first: NDArray[Any] = pixels.values[0]
    if any(not np.array_equal(first, other, equal_nan=first.dtype.kind == "f") for other in pixels.values[1:]):
        bands = len(pixels.values)
        raise LabelError(f"its {bands} bands differ, so they do not hold one value for each pixel. Is it an image, not a mask?")
    return first


def raw_nodata(raster: Raster, encoding: Encoding) -> float | None:
    """The raw value of pixels that the file declares as nodata in all bands."""
    nodata = raster.nodata[0]
    if nodata is None or len(set(raster.nodata)) > 1 or encoding == "multihot":
        return None
    if encoding == "colors":
        return raw_of_color((int(nodata),) * 3) if nodata in range(256) and raster.bands == 3 else None
    if encoding == "onehot":
        return NO_BAND if nodata == 0 else None
    return nodata


def band_set(pixels: Pixels) -> tuple[NDArray[np.int16], int]:
    """The band of each pixel that is set, from 0, NO_BAND where none is, (height, width).

    The second result is the value of bands that are set, 1 or 255; 0 if none is.
    Raises LabelError if a pixel has several, or other values.
    """
    values = pixels.values
    if len(values) < 2:
        raise LabelError("it has one band; one-hot masks have a band for each class")
    is_set = (values != 0) & pixels.valid
    if pixels.holes is not None:
        is_set &= ~pixels.holes
    several = int(np.count_nonzero(np.count_nonzero(is_set, axis=0) > 1))
    if several:
        raise LabelError(f"{counted(several, 'pixel')} have several of its {len(values)} bands set; one-hot masks have one")
    high = values.max(initial=0, where=is_set)
    if high not in (0, 1, 255) or np.any(values[is_set] != high):
        raise LabelError(f"its bands hold values such as {number(float(high))}; one-hot masks hold 0 and 1, or 0 and 255")
    bands = np.argmax(is_set, axis=0).astype(np.int16)
    bands[~is_set.any(axis=0)] = NO_BAND
    return bands, int(high)


def _colors(values: NDArray[Any], palette: Palette | None) -> NDArray[np.int32]:
    if values.dtype != np.uint8 or len(values) not in (1, 3):
        raise LabelError(f"it has {counted(len(values), 'band')} of type {values.dtype}; colours are three bands of 8 bits")
    if len(values) == 1:
        grey: Palette = palette or {value: (value, value, value) for value in range(256)}
        table = np.array([raw_of_color(grey.get(value, (0, 0, 0))) for value in range(256)], np.int32)
        return np.asarray(table[values[0]])
    red, green, blue = values.astype(np.int32)
    return np.asarray(COLOR + (red << 16) + (green << 8) + blue)
