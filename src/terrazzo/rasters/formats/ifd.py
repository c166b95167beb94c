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

_ORIENTATION = 274
_BANDS = 277
_LIMITS = {42112: ("bytes of GDAL metadata", 2**20), 33922: ("numbers of control points", 6 * 2**16)}
"""Tag to the most values of it that are read: GDAL's time for them grows with the square."""

_SHORT = 3

_Entries = Mapping[int, tuple[int, int, int]]
"""Tag to (kind, count, value). The value is the first two bytes of what may be more."""
_ABSENT = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Directory:
    """An image of a TIFF: the main one, a page, an overview or a mask."""

    offset: int
    """Bytes from the start of the file."""
    orientation: int
    """How it wants to be shown: 1 as it is stored (also where it does not say), 2 to 8 mirrored or turned, as in EXIF."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a TIFF or BigTIFF lays out its directories; formats as in struct."""

    offset: str
    count: str
    entry: str
    """Tag, kind, count, the first two bytes of the value."""
    entry_bytes: int

    def read(self, kind: str, file: BinaryIO) -> int:
        (number,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        return int(number)


def read_directories(path: Path) -> list[Directory]:
    """The directories of a TIFF, as far as their chain can be followed.

    Raises RasterError if one has something in a number that would keep GDAL busy for long.
    """
    with path.open("rb") as file:
        found = []
        for offset, entries in _chain(file):
            _check_numbers(path, entries)
            kind, _, value = entries.get(_ORIENTATION, _ABSENT)
            found.append(Directory(offset=offset, orientation=value if kind == _SHORT and 1 <= value <= 8 else 1))
    return found


def _check_numbers(path: Path, entries: _Entries) -> None:
    _, _, bands = entries.get(_BANDS, _ABSENT)
    if bands > BAND_LIMIT:
        raise RasterError(f"{path} declares {bands} bands; at most {BAND_LIMIT} are read. Is the file damaged?")
    for tag, (name, limit) in _LIMITS.items():
        _, count, _ = entries.get(tag, _ABSENT)
        if count > limit:
            raise RasterError(f"{path} has {count} {name}; at most {limit} are read. Is the file damaged?")


def _layout(file: BinaryIO) -> _Layout:
    """The layout that the first bytes tell; the file is left where the offset of the first directory is."""
    start = file.read(4)
    order = "<" if start[:2] == b"II" else ">"
    if b"+" in start[2:]:
        file.seek(8)
        return _Layout(offset=order + "Q", count=order + "Q", entry=order + "HHQH6x", entry_bytes=20)
    return _Layout(offset=order + "I", count=order + "H", entry=order + "HHIH2x", entry_bytes=12)


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
            yield offset, {tag: (kind, number, value) for tag, kind, number, value in struct.iter_unpack(layout.entry, whole)}
            file.seek(offset + struct.calcsize(layout.count) + count * layout.entry_bytes)
            offset = layout.read(layout.offset, file)
    except (struct.error, OverflowError, ValueError, OSError):
        # GDAL says what is wrong, if it is
        return
