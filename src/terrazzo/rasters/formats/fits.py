"""FITS images, mapped into memory, scaled window by window."""

import io
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.decoded import DECODED_LIMIT_BYTES, DecodedImage
from terrazzo.rasters.formats.fits_units import Unit, find_units, unpack
from terrazzo.rasters.formats.signature import GZIP, first_bytes
from terrazzo.rasters.formats.source import Block, Facts
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

_PYTHON_FAILURES = (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
FAILURES = (*_PYTHON_FAILURES, VerifyError, CfitsioException, zlib.error)
"""What astropy raises on broken files."""

# odd cards do not matter, and what makes pixels unreadable is an error here
warnings.filterwarnings("ignore", category=AstropyWarning, module=r"astropy\.io\.fits")

TAG_KEYWORDS = {"TERRAZZO_LEGEND": "TZLEGEND", "TERRAZZO_PROVENANCE": "TZPROV"}
"""Tags of maps by the keywords that hold them: those of FITS are short."""

_OF_PIXELS = ("BLANK", "BUNIT", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM", "INHERIT", "EXTNAME", "EXTVER", "EXTLEVEL", "ZIMAGE")
"""Cards that are of the pixels of an image or of its place in the file, besides those that describe its layout."""

TILE_LIMIT = 400_000
"""Compressed tiles take time each, however small they are; most writers make one a row."""

_LISTED = 12
"""HDUs that a message lists."""

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
    """Bytes before the first pixel; None where the pixels are compressed tile by tile."""

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
        self._packed = first_bytes(path, len(GZIP)) == GZIP
        self._decoded = DecodedImage(self._decode)
        with self._opened() as file:
            units = find_units(path, file)
            number = _choose(path, units, hdu)
            _check_size(path, number, units[number], file)
            header = _image_header(file, number) if units[number].compressed else units[number].header
            self._image = _describe(path, number, units[number], header)
            tags = {key: str(value) for key, value in header.items() if key and key not in ("COMMENT", "HISTORY")}
            tags |= {tag: tags[key] for tag, key in TAG_KEYWORDS.items() if key in tags}
            self._header = header
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
        planes = self._decoded.kept().values if self._packed or self._image.offset is None else self._mapped()
        stored = np.empty((len(bands), *window.shape), np.dtype(_STORED[self._image.bitpix]).newbyteorder("="))
        for place, band in enumerate(bands):
            stored[place] = planes[band - 1, rows, columns]
        return Block(values=_scaled(stored, self._image))

    def cards(self) -> fits.Header:
        """What the image says of itself but for its pixels: where they lie (WCS), the observation, comments."""
        kept = self._header.copy(strip=True)
        for key in (*_OF_PIXELS, *TAG_KEYWORDS.values()):
            kept.remove(key, ignore_missing=True, remove_all=True)
        return kept

    def close(self) -> None:
        self._decoded.drop()

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file, unpacked in memory where it is compressed as a whole."""
        try:
            with unpack(self._path) if self._packed else self._path.open("rb") as file:
                yield file
        except RasterError:
            raise
        except FAILURES as error:
            cause = " ".join(str(error).split()) or type(error).__name__
            raise RasterError(f"{self._path} is not a readable FITS file ({cause}). Copy it again or leave it out.") from error

    def _mapped(self) -> NDArray[Any]:
        with self._opened() as file:
            # mapped anew each time: no file stays open
            return np.memmap(file, _STORED[self._image.bitpix], "r", self._image.offset or 0, self._image.shape)

    def _decode(self) -> Block:
        shape, offset = self._image.shape, self._image.offset
        with self._opened() as file:
            if offset is None:
                with fits.open(file, memmap=False, do_not_scale_image_data=True) as hdus:
                    return Block(values=np.asarray(hdus[self._image.number].data).reshape(shape))
            file.seek(offset)
            data = file.read(math.prod(shape) * abs(self._image.bitpix) // 8)
            return Block(values=np.frombuffer(data, _STORED[self._image.bitpix]).reshape(shape))


def _choose(path: Path, units: list[Unit], wanted: int | None) -> int:
    """The number of the HDU that holds the image.

    Raises RasterError if there is none, if the wanted one holds none, or if several do and none is wanted.
    """
    images = {number: shape for number, unit in enumerate(units) if (shape := unit.shape) is not None}
    listed = ", ".join(
        f"{number} ({units[number].name}, {' x '.join(map(str, shape))})" for number, shape in list(images.items())[:_LISTED]
    )
    listed += f" and {len(images) - _LISTED} more" if len(images) > _LISTED else ""
    if not images:
        raise RasterError(f"{path} holds no image: none of its {len(units)} HDUs has 2 axes, or 3 with the bands first.")
    if wanted is not None:
        if wanted not in images:
            raise RasterError(f"data.hdu is {wanted}; {path} has images (bands x height x width) in HDU {listed}.")
        return wanted
    if len(images) > 1:
        raise RasterError(f"{path} has images in HDU {listed}. Say which with --set data.hdu=N, or predict --hdu N.")
    return next(iter(images))


def _image_header(file: BinaryIO, number: int) -> fits.Header:
    """The header of a compressed image as it was before."""
    file.seek(0)
    # astropy opens no more HDUs than it is asked for
    with fits.open(file, memmap=False, do_not_scale_image_data=True) as hdus:
        return hdus[number].header.copy()


def _describe(path: Path, number: int, unit: Unit, header: fits.Header) -> _Image:
    shape = unit.shape
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
        offset=None if unit.compressed else unit.data_at,
    )
    if not (math.isfinite(image.scale) and math.isfinite(image.zero)):
        raise RasterError(f"{path} has BSCALE {image.scale} and BZERO {image.zero} in HDU {number}; they must be numbers.")
    return image


def _check_size(path: Path, number: int, unit: Unit, file: BinaryIO) -> None:
    """Raises RasterError if pixels are missing, or compressed ones would take too much memory, all or a tile of them."""
    if unit.compressed:
        tiles = int(unit.header["NAXIS2"])
        if tiles > TILE_LIMIT:
            raise RasterError(f"{path} is compressed in {tiles} tiles; at most {TILE_LIMIT} are unpacked. Store it uncompressed.")
        pixels = max(math.prod(unit.shape or ()), math.prod(int(length) for key, length in unit.header.items() if key.startswith("ZTILE")))
        needed = pixels * abs(int(unit.header["ZBITPIX"])) // 8
        if needed > DECODED_LIMIT_BYTES:
            raise RasterError(
                f"{path} would take {needed / 2**20:.0f} MiB decompressed, more than {DECODED_LIMIT_BYTES / 2**20:.0f} MiB. "
                "Store it uncompressed: then it is read by windows."
            )
    present = file.seek(0, io.SEEK_END) - unit.data_at
    if unit.data_bytes > present:
        raise RasterError(
            f"{path} is truncated: HDU {number} needs {unit.data_bytes} bytes of pixels, {max(0, present)} are left. Copy it again."
        )


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
