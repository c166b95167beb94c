"""Tiled TIFFs in the order of a cloud-optimised one: all directories first, then overviews from the smallest on, then the image.

Compressed blocks are moved as they are, one at a time.

    header | directory: image, its mask, overview, its mask, ... | blocks of the smallest overview | ... | blocks of the image
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.rows import SWALLOWED

_WIDTH, _OFFSETS, _COUNTS, _SUBFILE = 256, 324, 325, 254
_REDUCED, _MASK = 1, 4
"""Bits of the subfile type."""
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Of a value, by TIFF's type."""
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A field of a directory, its value as stored."""

    tag: int
    kind: int
    count: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class _Directory:
    file: BinaryIO
    """Where it was read from."""
    entries: tuple[_Entry, ...]
    offsets: NDArray[np.uint64]
    """Where its blocks are in that file; 0 where a block is not stored."""
    sizes: NDArray[np.uint64]
    width: int
    mask: bool


@dataclass(frozen=True, kw_only=True)
class _Form:
    """Classic TIFF or BigTIFF, little-endian."""

    big: bool

    @property
    def header(self) -> bytes:
        return struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if self.big else struct.pack("<2sHI", b"II", 42, 8)

    @property
    def count(self) -> str:
        return "<Q" if self.big else "<H"

    @property
    def offset(self) -> str:
        return "<Q" if self.big else "<I"

    @property
    def entry(self) -> str:
        return "<HHQ" if self.big else "<HHI"

    @property
    def inline(self) -> int:
        """Bytes of a value that fit into its entry."""
        return 8 if self.big else 4

    def directory_bytes(self, entries: Sequence[_Entry]) -> int:
        size = struct.calcsize(self.count) + len(entries) * (struct.calcsize(self.entry) + self.inline) + struct.calcsize(self.offset)
        return size + sum(_even(len(entry.data)) for entry in entries if len(entry.data) > self.inline)


def reorder(source: Path, target: Path) -> None:
    """Write a tiled, little-endian TIFF, such as GDAL makes, in the order of a cloud-optimised one.

    It takes as much memory as the list of its blocks. Raises OSError if the disk is full, EnvironmentFault if the source is not whole.
    """
    with source.open("rb") as read, target.open("wb") as write:
        form = _form(read)
        _write(write, form, sorted(_chain(read, form), key=lambda directory: (-directory.width, directory.mask)))


def join(levels: Sequence[Path], target: Path) -> list[int]:
    """Write an image and its overviews, the largest first, as one TIFF; returns where the directory of each is, in bytes.

    levels: as for `reorder`, each of one directory; all are BigTIFF, or none. Raises as `reorder` does.
    """
    with ExitStack() as stack, target.open("wb") as write:
        files = [stack.enter_context(level.open("rb")) for level in levels]
        form = _form(files[0])
        image, *overviews = [next(_chain(file, form)) for file in files]
        return _write(write, form, [image, *map(_reduced, overviews)])


def _form(file: BinaryIO) -> _Form:
    return _Form(big=file.read(4)[2:] == b"+\0")


def _reduced(directory: _Directory) -> _Directory:
    """The directory as that of an overview."""
    subfile = _Entry(tag=_SUBFILE, kind=4, count=1, data=struct.pack("<I", _REDUCED))
    others = [entry for entry in directory.entries if entry.tag != _SUBFILE]
    return replace(directory, entries=tuple(sorted((subfile, *others), key=lambda entry: entry.tag)))


def _write(file: BinaryIO, form: _Form, directories: Sequence[_Directory]) -> list[int]:
    """Returns where the directories are."""
    file.write(form.header)
    starts = _write_directories(file, form, directories, _places(directories, form))
    for directory in reversed(directories):
        _copy_blocks(file, directory)
    return starts


def _places(directories: Sequence[_Directory], form: _Form) -> list[NDArray[np.uint64]]:
    """Where the blocks of each directory will be."""
    end = len(form.header) + sum(form.directory_bytes(directory.entries) for directory in directories)
    places: list[NDArray[np.uint64]] = []
    for directory in reversed(directories):
        ends = np.cumsum(directory.sizes, dtype=np.uint64) + np.uint64(end)
        starts = ends - directory.sizes
        places.insert(0, np.where(directory.sizes > 0, starts, np.uint64(0)))
        end = int(ends[-1])
    return places


def _chain(file: BinaryIO, form: _Form) -> Iterator[_Directory]:
    file.seek(struct.calcsize(form.offset))
    try:
        place = _first(file, form)
        while place:
            file.seek(place)
            (count,) = struct.unpack(form.count, file.read(struct.calcsize(form.count)))
            file.seek(place + struct.calcsize(form.count) + count * (struct.calcsize(form.entry) + form.inline))
            following = _offset(file, form)
            yield _read(file, form, place)
            place = following
    except (struct.error, LookupError, ValueError) as error:
        # a full disk may have swallowed the end of the file, or have left zeros, without a word
        raise EnvironmentFault(SWALLOWED.format(Path(file.name).parent)) from error


def _first(file: BinaryIO, form: _Form) -> int:
    if place := _offset(file, form):
        return place
    raise ValueError("there is no directory")


def _offset(file: BinaryIO, form: _Form) -> int:
    (place,) = struct.unpack(form.offset, file.read(struct.calcsize(form.offset)))
    return int(place)


def _read(file: BinaryIO, form: _Form, offset: int) -> _Directory:
    file.seek(offset)
    (count,) = struct.unpack(form.count, file.read(struct.calcsize(form.count)))
    size = struct.calcsize(form.entry) + form.inline
    table = file.read(count * size)
    entries = {entry.tag: entry for entry in (_entry(file, form, table[start : start + size]) for start in range(0, len(table), size))}
    return _Directory(
        file=file,
        entries=tuple(entries.values()),
        offsets=_numbers(entries[_OFFSETS]),
        sizes=_numbers(entries[_COUNTS]),
        width=int(_numbers(entries[_WIDTH])[0]),
        mask=bool(int(_numbers(entries[_SUBFILE])[0]) & _MASK) if _SUBFILE in entries else False,
    )


def _entry(file: BinaryIO, form: _Form, data: bytes) -> _Entry:
    tag, kind, count = struct.unpack_from(form.entry, data)
    value = data[struct.calcsize(form.entry) :]
    length = count * _BYTES[kind]
    if length <= form.inline:
        return _Entry(tag=tag, kind=kind, count=count, data=value[:length])
    (place,) = struct.unpack(form.offset, value)
    file.seek(place)
    stored = file.read(length)
    if len(stored) < length:
        raise ValueError(f"the file ends within the values of tag {tag}")
    return _Entry(tag=tag, kind=kind, count=count, data=stored)


def _numbers(entry: _Entry) -> NDArray[np.uint64]:
    return np.frombuffer(entry.data, np.dtype(_NUMBERS[entry.kind]).newbyteorder("<")).astype(np.uint64)


def _write_directories(file: BinaryIO, form: _Form, directories: Sequence[_Directory], places: Sequence[NDArray[np.uint64]]) -> list[int]:
    starts = []
    for number, (directory, offsets) in enumerate(zip(directories, places, strict=True)):
        start = file.tell()
        starts.append(start)
        entries = [_with_offsets(entry, offsets) for entry in directory.entries]
        size = form.directory_bytes(entries)
        table, values = bytearray(struct.pack(form.count, len(entries))), bytearray()
        values_at = start + size - sum(_even(len(entry.data)) for entry in entries if len(entry.data) > form.inline)
        for entry in entries:
            table += struct.pack(form.entry, entry.tag, entry.kind, entry.count)
            if len(entry.data) <= form.inline:
                table += entry.data.ljust(form.inline, b"\0")
            else:
                table += struct.pack(form.offset, values_at + len(values))
                values += entry.data.ljust(_even(len(entry.data)), b"\0")
        table += struct.pack(form.offset, start + size if number + 1 < len(directories) else 0)
        file.write(table + values)
    return starts


def _with_offsets(entry: _Entry, offsets: NDArray[np.uint64]) -> _Entry:
    if entry.tag != _OFFSETS:
        return entry
    data = offsets.astype(np.dtype(_NUMBERS[entry.kind]).newbyteorder("<")).tobytes()
    return _Entry(tag=entry.tag, kind=entry.kind, count=entry.count, data=data)


def _copy_blocks(file: BinaryIO, directory: _Directory) -> None:
    for offset, size in _stored(directory):
        directory.file.seek(offset)
        file.write(directory.file.read(size))


def _stored(directory: _Directory) -> Iterator[tuple[int, int]]:
    for offset, size in zip(directory.offsets.tolist(), directory.sizes.tolist(), strict=True):
        if size:
            yield offset, size


def _even(length: int) -> int:
    return length + length % 2
