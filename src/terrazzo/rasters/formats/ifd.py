"""Directories of a TIFF, read from its bytes before GDAL sees them: where each one is, and what GDAL neither obeys nor bounds."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.source import BAND_LIMIT

_DIRECTORY_LIMIT = 65_536
"""libtiff reads no more."""
_ENTRY_LIMIT = 4096
"""A directory has some twenty entries; broken ones may declare any number."""

_COMPRESSION, _ORIENTATION, _STRIP_ROWS, _PLANAR, _TILE_WIDTH = 259, 274, 278, 284, 322
_BANDS = 277
_LIMITS = {42112: ("bytes of GDAL metadata", 2**20), 33922: ("numbers of control points", 6 * 2**16)}
"""Tag to the most values of it that are read: GDAL's time for them grows with the square."""

_NUMBERS = {3: "H", 4: "I", 16: "Q"}
"""Kind of a value to its format: 16, 32, 64 bits."""

_Entries = Mapping[int, tuple[int, int]]
"""Tag to (count, value); the value counts where there is one, and it is a whole number. Else it is 0."""
_ABSENT = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Directory:
    """An image of a TIFF: the main one, a page, an overview or a mask."""

    offset: int
    """Bytes from the start of the file."""
    orientation: int
    """How it wants to be shown: 1 as it is stored (also where it does not say), 2 to 8 mirrored or turned, as in EXIF."""
    strip_rows: int
    """Rows of a compressed strip, which is decoded from its start; 0 where there are tiles, or nothing is compressed."""
    interleaved: bool
    """Whether all bands are in each strip."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a TIFF or BigTIFF lays out its directories; formats as in struct."""

    order: str
    offset: str
    count: str
    entry: str
    """Tag, kind, count, value."""
    entry_bytes: int

    def value(self, kind: int, stored: bytes) -> int:
        number = _NUMBERS.get(kind, "")
        # in a classic TIFF, 64 bits are elsewhere
        return self.unpack(number, stored) if number and struct.calcsize(number) <= len(stored) else 0

    def unpack(self, kind: str, data: bytes) -> int:
        (number,) = struct.unpack_from(self.order + kind, data)
        return int(number)

    def read(self, kind: str, file: BinaryIO) -> int:
        return self.unpack(kind, file.read(struct.calcsize(self.order + kind)))


def read_directories(path: Path) -> list[Directory]:
    """The directories of a TIFF, as far as their chain can be followed.

    Raises RasterError if one has something in a number that would keep GDAL busy for long.
    """
    with path.open("rb") as file:
        found = []
        for offset, entries in _chain(file):
            _check_numbers(path, entries)
            found.append(_describe(offset, {tag: value for tag, (_, value) in entries.items()}))
    return found


def _describe(offset: int, values: Mapping[int, int]) -> Directory:
    turned = values.get(_ORIENTATION, 1)
    in_strips = _TILE_WIDTH not in values and values.get(_COMPRESSION, 1) != 1
    return Directory(
        offset=offset,
        orientation=turned if 1 <= turned <= 8 else 1,
        # one strip where the file does not say
        strip_rows=values.get(_STRIP_ROWS, 2**32 - 1) if in_strips else 0,
        interleaved=values.get(_PLANAR, 1) == 1,
    )


def _check_numbers(path: Path, entries: _Entries) -> None:
    _, bands = entries.get(_BANDS, _ABSENT)
    if bands > BAND_LIMIT:
        raise RasterError(f"{path} declares {bands} bands; at most {BAND_LIMIT} are read. Is the file damaged?")
    for tag, (name, limit) in _LIMITS.items():
        count, _ = entries.get(tag, _ABSENT)
        if count > limit:
            raise RasterError(f"{path} has {count} {name}; at most {limit} are read. Is the file damaged?")


def _layout(file: BinaryIO) -> _Layout:
    """The layout that the first bytes tell; the file is left where the offset of the first directory is."""
    start = file.read(4)
    order = "<" if start[:2] == b"II" else ">"
    if b"+" in start[2:]:
        file.seek(8)
        return _Layout(order=order, offset="Q", count="Q", entry="HHQ8s", entry_bytes=20)
    return _Layout(order=order, offset="I", count="H", entry="HHI4s", entry_bytes=12)


def _chain(file: BinaryIO) -> Iterator[tuple[int, _Entries]]:
    """Each directory's offset and entries, until the chain ends, breaks or runs in a circle."""
    layout = _layout(file)
    seen: set[int] = set()
    try:
        offset = layout.read(layout.offset, file)
        while offset and offset not in seen and len(seen) < _DIRECTORY_LIMIT:
            seen.add(offset)
            file.seek(offset)
            count = layout.read(layout.count, file)
            data = file.read(min(count, _ENTRY_LIMIT) * layout.entry_bytes)
            whole = data[: len(data) - len(data) % layout.entry_bytes]
            stored = struct.iter_unpack(layout.order + layout.entry, whole)
            yield offset, {tag: (number, layout.value(kind, value)) for tag, kind, number, value in stored}
            file.seek(offset + struct.calcsize(layout.order + layout.count) + count * layout.entry_bytes)
            offset = layout.read(layout.offset, file)
    except (struct.error, OverflowError, ValueError, OSError):
        # GDAL says what is wrong, if it is
        return
