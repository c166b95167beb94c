"""One class of a map alone: the image where it is that class, and 0 elsewhere."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from terrazzo.labels.carried import open_map
from terrazzo.rasters.fits_rows import FitsLayout
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.rows import Rows
from terrazzo.rasters.tiff_rows import TiffLayout
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import writing_bands, writing_fits

BAND_BYTES = 2**25
"""Of the image, that are looked at at once."""


def isolate(class_map: Path, value: int, image: Raster, out: Path, cards: Header) -> None:
    """Write the image's own values where its map has a class, and 0 elsewhere; where the image has no data its nodata value, if it has one.

    out: .fits, or a GeoTIFF. cards: of the image, for FITS. Memory does not grow with the height.
    Raises RasterError if a file is broken, EnvironmentFault if OUT cannot be written.
    """
    with open_map(class_map) as classes, image, _writing(out, image, cards) as rows:
        for window in _bands(image):
            pixels = image.read(window)
            kept = classes.read(window).values[0] == value
            rows.add(_kept(pixels.values, kept | ~pixels.valid, pixels.valid, image))


def _kept(values: NDArray[np.generic], shown: NDArray[np.bool_], valid: NDArray[np.bool_], image: Raster) -> NDArray[np.generic]:
    """(bands, rows, width) of the image; what is not valid is what its band declares, else 0."""
    alone = np.where(shown, values, np.zeros(1, values.dtype))
    for band, nodata in enumerate(image.nodata):
        if nodata is None and values.dtype.kind != "f":
            alone[band][~valid] = 0
    return alone


def _writing(out: Path, image: Raster, cards: Header) -> AbstractContextManager[Rows]:
    declared = image.nodata[0] if len(set(image.nodata)) == 1 else None
    if out.suffix == ".fits":
        nodata = None if declared is None or image.dtype.kind == "f" else int(declared)
        return writing_fits(out, image.shape, FitsLayout(dtype=image.dtype, bands=image.bands, cards=cards, nodata=nodata))
    names = tuple(name or f"band {number}" for number, name in enumerate(image.band_names, 1))
    return writing_bands(out, image.grid, TiffLayout(dtype=image.dtype, band_names=names, nodata=declared, overviews="mean"))


def _bands(image: Raster) -> Iterator[Window]:
    height, width = image.shape
    rows = max(1, BAND_BYTES // (width * image.bands * image.dtype.itemsize))
    for top in range(0, height, rows):
        yield Window(col_off=0, row_off=top, width=width, height=min(rows, height - top))
