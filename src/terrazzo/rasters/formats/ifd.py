"""Directories of a TIFF, read from its bytes: where each one is, and the orientation tag, which GDAL neither obeys nor tells."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_ORIENTATION = 274
_SHORT = 3
_DIRECTORY_LIMIT = 65_536
"""libtiff reads no more."""
_ENTRY_LIMIT = 4096
"""A directory has some twenty entries; broken ones may declare any number."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a TIFF or BigTIFF lays out its directories; formats as in struct."""

    order: str
    offset: str
    count: str
    entry_bytes: int
    value_at: int
    """Bytes from the start of an entry to its value."""

    def unpack(self, kind: str, data: bytes, start: int = 0) -> int:
        (number,) = struct.unpack_from(self.order + kind, data, start)
        return int(number)

    def read(self, kind: str, file: BinaryIO) -> int:
        return self.unpack(kind, file.read(struct.calcsize(self.order + kind)))


def directory_offsets(path: Path) -> list[int]:
    """Where the directories of a TIFF start, in bytes, as far as their chain can be followed."""
    with path.open("rb") as file:
        layout = _layout(file)
        return list(_chain(file, layout))


def orientation(path: Path) -> int:
    """How the first page wants to be shown: 1 as it is stored (also where the file does not say), 2 to 8 mirrored or turned, as in EXIF."""
    with path.open("rb") as file:
        layout = _layout(file)
        offset = next(_chain(file, layout), None)
        if offset is None:
            return 1
        file.seek(offset)
        size = layout.entry_bytes
        data = file.read(min(layout.read(layout.count, file), _ENTRY_LIMIT) * size)
    for start in range(0, len(data) - size + 1, size):
        if (layout.unpack("H", data, start), layout.unpack("H", data, start + 2)) == (_ORIENTATION, _SHORT):
            value = layout.unpack("H", data, start + layout.value_at)
            return value if 1 <= value <= 8 else 1
    return 1


def _layout(file: BinaryIO) -> _Layout:
    """The layout that the first bytes tell; the file is left where the offset of the first directory is."""
    start = file.read(4)
    order = "<" if start[:2] == b"II" else ">"
    if b"+" in start[2:]:
        file.seek(8)
        return _Layout(order=order, offset="Q", count="Q", entry_bytes=20, value_at=12)
    return _Layout(order=order, offset="I", count="H", entry_bytes=12, value_at=8)


def _chain(file: BinaryIO, layout: _Layout) -> Iterator[int]:
    """Offsets of the directories, until the chain ends, breaks or runs in a circle."""
    seen: set[int] = set()
    try:
        offset = layout.read(layout.offset, file)
        while offset and offset not in seen and len(seen) < _DIRECTORY_LIMIT:
            seen.add(offset)
            file.seek(offset)
            end = layout.read(layout.count, file) * layout.entry_bytes
            yield offset
            file.seek(offset + struct.calcsize(layout.order + layout.count) + end)
            offset = layout.read(layout.offset, file)
    except (struct.error, OverflowError, OSError):
        # GDAL says what is wrong, if it is
        return
