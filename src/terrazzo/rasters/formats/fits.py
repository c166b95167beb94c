"""FITS images, mapped into memory, scaled window by window."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.decoded import DecodedImage
from terrazzo.rasters.formats.source import READ_LIMIT_BYTES, Block, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

FAILURES = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, VerifyError, CfitsioException)
"""What astropy raises on broken files."""

# odd cards do not matter, and what makes pixels unreadable is an error here
warnings.filterwarnings("ignore", category=AstropyWarning, module=r"astropy\.io\.fits")

ImageHDU = fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU

_STORED = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
"""BITPIX to the type of the stored values."""

_UNSIGNED = {(8, -128): np.int8, (16, 2**15): np.uint16, (32, 2**31): np.uint32, (64, 2**63): np.uint64}
"""(BITPIX, BZERO) with BSCALE 1: how FITS stores integers of the other signedness."""


@dataclass(frozen=True, kw_only=True)
class _Image:
    """Where and how one HDU stores its pixels."""

    number: int
    shape: tuple[int, int, int]
    """(bands, height, width)"""
    bitpix: int
    scale: float
    zero: float
    blank: int | None
    offset: int | None
    """Bytes before the first pixel; None where the pixels are compressed."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the scaled values: the stored type where nothing is scaled, else the float type that holds them."""
        if self.bitpix < 0:
            return np.dtype(_STORED[self.bitpix]).newbyteorder("=")
        if self.scale == 1 and self.zero == 0:
            return np.dtype(_STORED[self.bitpix]).newbyteorder("=")
        if self.scale == 1 and (self.bitpix, self.zero) in _UNSIGNED:
            return np.dtype(_UNSIGNED[self.bitpix, int(self.zero)])
        return np.dtype(np.float32 if self.bitpix <= 16 else np.float64)

    @property
    def nodata(self) -> float | None:
        """BLANK among the scaled values; where they are floats, blanks become NaN instead."""
        if self.blank is None or self.dtype.kind == "f":
            return None
        return float(self.blank + int(self.zero))


class FitsImage:
    """One image of a FITS file; its rows are kept in the order in which they are stored."""

    def __init__(self, path: Path, hdu: int | None) -> None:
        self._path = path
        self._decompressed = DecodedImage(self._decompress)
        try:
            with fits.open(path, memmap=True, do_not_scale_image_data=True) as hdus:
                self._image = _describe(path, hdus, _choose(path, hdus, hdu))
                header = hdus[self._image.number].header
                tags = {key: str(value) for key, value in header.items() if key and key not in ("COMMENT", "HISTORY")}
        except FAILURES as error:
            raise _unreadable(path, error) from error
        count, height, width = self._image.shape
        self.facts = Facts(
            format="FITS",
            count=count,
            dtype=self._image.dtype,
            grid=Grid(shape=(height, width)),
            nodata=(self._image.nodata,) * count,
            band_names=(None,) * count,
            tags=tags,
        )

    def read(self, window: Window, bands: tuple[int, ...]) -> Block:
        rows, columns = window.slices
        planes = self._mapped() if self._image.offset is not None else self._decompressed.kept().values
        stored = np.empty((len(bands), *window.shape), np.dtype(_STORED[self._image.bitpix]).newbyteorder("="))
        for place, band in enumerate(bands):
            stored[place] = planes[band - 1, rows, columns]
        return Block(values=_scaled(stored, self._image))

    def _mapped(self) -> NDArray[Any]:
        try:
            # mapped anew each time: no file stays open
            return np.memmap(self._path, _STORED[self._image.bitpix], "r", self._image.offset or 0, self._image.shape)
        except FAILURES as error:
            raise _unreadable(self._path, error) from error

    def _decompress(self) -> Block:
        needed = math.prod(self._image.shape) * abs(self._image.bitpix) // 8
        if needed > READ_LIMIT_BYTES:
            raise RasterError(
                f"{self._path} would take {needed / 2**30:.0f} GiB decompressed. Store it uncompressed: then it is read by windows."
            )
        try:
            with fits.open(self._path, memmap=False, do_not_scale_image_data=True) as hdus:
                return Block(values=np.asarray(hdus[self._image.number].data).reshape(self._image.shape))
        except FAILURES as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        self._decompressed.drop()


def _choose(path: Path, hdus: fits.HDUList, wanted: int | None) -> int:
    """The HDU that holds the image.

    Raises RasterError if there is none, if the wanted one holds none, or if several do and none is wanted.
    """
    images = {number: shape for number, hdu in enumerate(hdus) if (shape := _shape(hdu)) is not None}
    listed = ", ".join(f"{number} ({hdus[number].name or 'unnamed'}, {' x '.join(map(str, shape))})" for number, shape in images.items())
    if not images:
        raise RasterError(f"{path} holds no image: none of its {len(hdus)} HDUs has 2 axes, or 3 with the bands first.")
    if wanted is not None:
        if wanted not in images:
            raise RasterError(f"data.hdu is {wanted}; {path} has images (bands x height x width) in HDU {listed}.")
        return wanted
    if len(images) > 1:
        raise RasterError(f"{path} has images in HDU {listed}. Say which with --set data.hdu=N.")
    return next(iter(images))


def _shape(hdu: Any) -> tuple[int, int, int] | None:
    """(bands, height, width) of an HDU, or None where it holds no image."""
    if not isinstance(hdu, ImageHDU):
        return None
    axes: Sequence[int] = hdu.shape
    # radio images have more axes, of length 1
    while len(axes) > 2 and axes[0] == 1:
        axes = axes[1:]
    if len(axes) not in (2, 3) or 0 in axes:
        return None
    return (axes[0], axes[1], axes[2]) if len(axes) == 3 else (1, axes[0], axes[1])


def _describe(path: Path, hdus: fits.HDUList, number: int) -> _Image:
    hdu = hdus[number]
    header = hdu.header
    shape = _shape(hdu)
    bitpix = int(header["BITPIX"])
    if shape is None or bitpix not in _STORED:
        raise RasterError(f"{path} has BITPIX {bitpix} in HDU {number}; it must be one of {', '.join(map(str, _STORED))}.")
    blank = header.get("BLANK") if bitpix > 0 else None
    image = _Image(
        number=number,
        shape=shape,
        bitpix=bitpix,
        scale=float(header.get("BSCALE", 1)),
        zero=float(header.get("BZERO", 0)),
        blank=int(blank) if blank is not None else None,
        offset=None if isinstance(hdu, fits.CompImageHDU) else int(hdu.fileinfo()["datLoc"]),
    )
    needed = math.prod(shape) * abs(bitpix) // 8
    present = path.stat().st_size - (image.offset or 0)
    if image.offset is not None and needed > present:
        raise RasterError(f"{path} is truncated: HDU {number} needs {needed} bytes of pixels, {present} are left. Copy it again.")
    return image


def _scaled(stored: NDArray[Any], image: _Image) -> NDArray[Any]:
    """Stored values to physical ones: stored * BSCALE + BZERO, BLANK to NaN where the result is float."""
    dtype = image.dtype
    if image.scale == 1 and image.zero == 0:
        return stored
    if dtype.kind in "iu":
        # the other signedness of the same size is the same bits with the topmost one flipped
        top = np.array(1 << (8 * dtype.itemsize - 1), f"u{dtype.itemsize}")
        bits = stored.view(top.dtype)
        bits ^= top
        return bits.view(dtype)
    values: NDArray[Any] = stored.astype(dtype) * dtype.type(image.scale) + dtype.type(image.zero)
    if image.blank is not None:
        values[stored == image.blank] = np.nan
    return values


def _unreadable(path: Path, error: Exception) -> RasterError:
    if isinstance(error, RasterError):
        return error
    return RasterError(f"{path} is not a readable FITS file ({' '.join(str(error).split())}). Copy it again or leave it out.")
