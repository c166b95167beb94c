"""FITS images that are written row by row, and compared with what the disk gives back."""

import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.formats.fits import TAG_KEYWORDS, FitsImage
from terrazzo.rasters.formats.fits_units import BLOCK_BYTES
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.rows import SWALLOWED
from terrazzo.rasters.window import Shape

BLOCK_ROWS = 512

_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}
_FLIPPED = {"i1": (8, -128), "u2": (16, 2**15), "u4": (32, 2**31), "u8": (64, 2**63)}
"""Integers of the signedness that FITS does not know: BITPIX and BZERO."""


@dataclass(frozen=True, kw_only=True)
class FitsLayout:
    """What a FITS image holds besides its pixels."""

    dtype: np.dtype[Any]
    bands: int = 1
    cards: fits.Header = field(default_factory=fits.Header)
    """Of the image that it is made from; see `cards_of`."""
    nodata: int | None = None
    """What stands for missing pixels, of integers; of floats it is NaN."""
    names: Mapping[int, str] = field(default_factory=dict)
    """What values mean, as cards CLASS0, CLASS1 ..."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """One line of JSON each; see TAG_KEYWORDS."""


def cards_of(image: Raster, hdu: int | None) -> fits.Header:
    """What a FITS image says of itself but for its pixels; nothing of other formats. hdu: as it was opened.

    Of a part of an image, the pixel that coordinates refer to is counted from the part's own first one.
    """
    if image.format != "FITS":
        return fits.Header()
    cards = FitsImage(image.path, hdu).cards()
    for axis, cut in (("1", image.window.col_off), ("2", image.window.row_off)):
        for key in [key for key in cards if cut and re.fullmatch(f"CRPIX{axis}[A-Z]?", key)]:
            cards[key] -= cut
    return cards


class FitsFile:
    """A FITS file of one image, its rows in the order in which they come."""

    def __init__(self, path: Path, shape: Shape, layout: FitsLayout) -> None:
        self.block_rows = BLOCK_ROWS
        self._path = path
        self._shape = shape
        header = _header(shape, layout)
        data = header.tostring().encode("ascii")
        self._zero = int(header.get("BZERO", 0))
        self._item = abs(int(header["BITPIX"])) // 8
        self._data_at = len(data)
        self._sums: list[tuple[int, int, int]] = []
        size = len(data) + layout.bands * math.prod(shape) * self._item
        self._file = path.open("w+b")
        self._file.write(data)
        self._file.truncate(-(-size // BLOCK_BYTES) * BLOCK_BYTES)

    def put(self, top: int, block: NDArray[Any]) -> None:
        """Write rows from `top` on, (bands, height, width)."""
        for band, rows in enumerate(block):
            place = self._data_at + (band * self._shape[0] + top) * self._shape[1] * self._item
            stored = self._to_stored(rows)
            self._file.seek(place)
            self._file.write(stored)
            self._sums.append((place, len(stored), zlib.crc32(stored)))

    def _to_stored(self, rows: NDArray[Any]) -> bytes:
        bits = rows.astype(rows.dtype.newbyteorder("="), copy=False)
        if self._zero:
            # stored - BZERO is the same bits with the topmost one flipped
            unsigned = np.dtype(f"u{self._item}")
            bits = bits.view(unsigned) ^ np.array(1 << (8 * self._item - 1), unsigned)
        return bits.astype(bits.dtype.newbyteorder(">")).tobytes()

    def finish(self) -> None:
        """Close the file and prove that it holds what was put. Raises EnvironmentFault if not."""
        self.close()
        with self._path.open("rb") as file:
            for place, size, expected in self._sums:
                file.seek(place)
                if zlib.crc32(file.read(size)) != expected:
                    raise EnvironmentFault(SWALLOWED.format(self._path.parent))

    def close(self) -> None:
        """Close the file, finished or not."""
        self._file.close()


def _header(shape: Shape, layout: FitsLayout) -> fits.Header:
    """A whole header: what describes the pixels, then what the image says of itself, then what was made of it."""
    code = layout.dtype.newbyteorder("=").str[1:]
    bitpix, zero = _FLIPPED[code] if code in _FLIPPED else (_BITPIX[code], 0)
    sides = [shape[1], shape[0], *([layout.bands] if layout.bands > 1 else [])]
    header = fits.Header([("SIMPLE", True), ("BITPIX", bitpix), ("NAXIS", len(sides))])
    for axis, side in enumerate(sides, 1):
        header[f"NAXIS{axis}"] = side
    if zero:
        header["BSCALE"], header["BZERO"] = 1, zero
    if layout.nodata is not None:
        # as it is stored
        header["BLANK"] = layout.nodata - zero
    header.extend(layout.cards, unique=False, update=False, end=True)
    for value, name in layout.names.items():
        header[f"CLASS{value}"] = name if name.isascii() and name.isprintable() else ascii(name)
    for tag, text in layout.tags.items():
        # only ASCII is allowed
        header[TAG_KEYWORDS[tag]] = json.dumps(json.loads(text))
    return header
