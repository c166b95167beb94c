"""The header and data units (HDUs) of a FITS file: where they are, before any pixel is looked at."""

import gzip
import io
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from astropy.io import fits

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.decoded import DECODED_LIMIT_BYTES

BLOCK_BYTES = 2880
"""Headers and data fill whole blocks."""

HEADER_BYTES = 2**21
"""A header of 26,000 cards; real ones have some hundred."""
HEADERS_BYTES = 2**24
"""All headers together."""
UNIT_LIMIT = 2000

_CHUNK_BYTES = 2**20
_END = re.compile(rb"(?:.{80})*?END {77}", re.DOTALL)
_START = (b"SIMPLE  ", b"XTENSION")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One HDU."""

    header: fits.Header
    data_at: int
    """Bytes before its data."""
    data_bytes: int
    """As many as it declares."""

    @property
    def name(self) -> str:
        return str(self.header.get("EXTNAME", "PRIMARY" if "SIMPLE" in self.header else "")).strip() or "unnamed"

    @property
    def compressed(self) -> bool:
        """Whether it is an image in tiles that are compressed one by one, in a table."""
        return _text(self.header, "XTENSION") == "BINTABLE" and self.header.get("ZIMAGE") is True

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(bands, height, width), or None where it holds no image."""
        is_image = self.header.get("GROUPS") is not True and ("SIMPLE" in self.header or _text(self.header, "XTENSION") == "IMAGE")
        if not (is_image or self.compressed):
            return None
        axes: Sequence[int] = _axes(self.header, "ZNAXIS" if self.compressed else "NAXIS")
        # radio images have more axes, of length 1
        while len(axes) > 2 and axes[0] == 1:
            axes = axes[1:]
        if len(axes) not in (2, 3) or min(axes) < 1:
            return None
        return (axes[0], axes[1], axes[2]) if len(axes) == 3 else (1, axes[0], axes[1])


def find_units(path: Path, file: BinaryIO) -> list[Unit]:
    """All HDUs of a FITS file; what follows the last one is left alone.

    Raises RasterError if a header has no end, or there are headers beyond all measure.
    """
    units: list[Unit] = []
    place = total = 0
    while True:
        file.seek(place)
        cards = _read_cards(path, file, len(units))
        if cards is None:
            return units
        total += len(cards)
        if total > HEADERS_BYTES or len(units) == UNIT_LIMIT:
            raise RasterError(f"{path} has more than {UNIT_LIMIT} HDUs or {HEADERS_BYTES / 2**20:.0f} MiB of headers; so much is not read.")
        header = fits.Header.fromstring(cards)
        unit = Unit(header=header, data_at=place + _padded(len(cards)), data_bytes=_data_bytes(header))
        units.append(unit)
        place = unit.data_at + _padded(unit.data_bytes)


def unpack(path: Path) -> BinaryIO:
    """The content of a gzip-compressed file, in memory. Raises RasterError if it is broken, or beyond DECODED_LIMIT_BYTES."""
    unpacked = bytearray()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK_BYTES):
                unpacked += chunk
                if len(unpacked) > DECODED_LIMIT_BYTES:
                    raise RasterError(
                        f"{path} takes more than {DECODED_LIMIT_BYTES / 2**20:.0f} MiB. Unpack it: then it is read by windows."
                    )
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RasterError(f"{path} is broken: it cannot be unpacked ({error}). Copy it again or leave it out.") from error
    return io.BytesIO(unpacked)


def _read_cards(path: Path, file: BinaryIO, number: int) -> bytes | None:
    """The cards of a header up to END, or None where no header starts. number: of the HDU."""
    cards = b""
    while len(cards) <= HEADER_BYTES:
        block = file.read(BLOCK_BYTES)
        if not cards and block[:8] not in _START:
            return None
        found = _END.match(block)
        if found is not None:
            return cards + found.group()
        if len(block) < BLOCK_BYTES:
            break
        cards += block
    raise RasterError(f"{path} is broken or truncated: the header of HDU {number} does not end. Copy it again or leave it out.")


def _data_bytes(header: fits.Header) -> int:
    axes = _axes(header, "NAXIS")
    if header.get("GROUPS") is True and axes and axes[-1] == 0:
        axes = axes[:-1]
    if not axes:
        return 0
    values = _number(header, "GCOUNT", 1) * (_number(header, "PCOUNT", 0) + math.prod(axes))
    return max(0, abs(_number(header, "BITPIX")) * values // 8)


def _axes(header: fits.Header, key: str) -> list[int]:
    """Lengths of the axes, the fastest last. Raises ValueError if one is missing or negative."""
    count = _number(header, key)
    if not 0 <= count <= 999:
        raise ValueError(f"{key} is {count}")
    lengths = [_number(header, f"{key}{axis}") for axis in range(count, 0, -1)]
    if lengths and min(lengths) < 0:
        raise ValueError(f"the axes are {lengths}")
    return lengths


def _number(header: fits.Header, key: str, default: int | None = None) -> int:
    """A whole number of a header. Raises ValueError if it is none."""
    value = header.get(key, default)
    if type(value) is not int:
        raise ValueError(f"{key} is {value!r}")
    return value


def _text(header: fits.Header, key: str) -> str:
    return str(header.get(key, "")).strip()


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
