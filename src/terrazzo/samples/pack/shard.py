"""A shard: frames one after another, and an index at the end that says where each is; see docs/pack-format.md.

"TZSHARD" and the version                        8 bytes
head: length, CRC-32, JSON                       what the frames are, and what they were made from
frames, each at a multiple of 64                 so that numbers of raw frames may be used where they are
index: 32 bytes a frame                          offset, length, CRC-32, height, width, sections
offset of the index, frames, CRC-32 of the index, "TZSEND" and two zeros
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

from terrazzo.rasters.formats.source import READ_LIMIT_BYTES
from terrazzo.rasters.window import Shape
from terrazzo.samples.pack.frame import Form, Sections

MAGIC = b"TZSHARD\x01"
END = b"TZSEND\0\0"
ALIGNMENT = 64
_HEAD = struct.Struct("<II")
_RECORD = struct.Struct("<QQIIII")
_TAIL = struct.Struct("<QII8s")
HEAD_LIMIT = 2**20


@dataclass(frozen=True, kw_only=True)
class Record:
    """Where a frame is, and its size."""

    offset: int
    length: int
    crc: int
    """CRC-32 of its bytes as they are stored."""
    shape: Shape
    """(height, width) in pixels."""
    sections: Sections


class ShardWriter:
    """Writes a shard front to back."""

    def __init__(self, file: BinaryIO, form: Form, made_from: str) -> None:
        """made_from: what tells these samples from all others."""
        self._file = file
        self._form = form
        self._records: list[Record] = []
        facts = {"bands": form.bands, "dtype": form.dtype.name, "codec": form.codec, "made_from": made_from}
        head = json.dumps(facts, sort_keys=True).encode()
        self._place = file.write(MAGIC + _HEAD.pack(len(head), zlib.crc32(head)) + head)

    def add(self, data: bytes, shape: Shape, sections: Sections) -> None:
        """Add a frame as `encode` made it."""
        self._pad()
        record = Record(offset=self._place, length=len(data), crc=zlib.crc32(data), shape=shape, sections=sections)
        self._records.append(record)
        self._place += self._file.write(data)

    def finish(self) -> None:
        """Write the index; nothing can be added afterwards."""
        self._pad()
        index = b"".join(_RECORD.pack(record.offset, record.length, record.crc, *record.shape, record.sections) for record in self._records)
        self._file.write(index + _TAIL.pack(self._place, len(self._records), zlib.crc32(index), END))

    def _pad(self) -> None:
        self._place += self._file.write(bytes(-self._place % ALIGNMENT))


def index_bytes(count: int) -> int:
    """Bytes at the end of a shard of so many frames that `parse_index` needs."""
    return count * _RECORD.size + _TAIL.size


def parse_index(tail: bytes, size: int, count: int, form: Form) -> list[Record]:
    """The records of a shard, from its last bytes.

    tail: `index_bytes(count)` of them. size: of the whole shard.
    Raises ValueError if they are no index of so many frames, or a frame is beyond the file or all measure.
    """
    if len(tail) != index_bytes(count):
        raise ValueError("its end is missing")
    place, frames, crc, end = _TAIL.unpack(tail[-_TAIL.size :])
    index = tail[: -_TAIL.size]
    if end != END or frames != count or place + len(tail) != size or zlib.crc32(index) != crc:
        raise ValueError("its index is damaged, or it was cut off")
    records = [
        Record(offset=offset, length=length, crc=frame_crc, shape=(height, width), sections=Sections(sections))
        for offset, length, frame_crc, height, width, sections in _RECORD.iter_unpack(index)
    ]
    for record in records:
        content = form.content_bytes(record.shape, record.sections)
        if (
            record.offset + record.length > place
            or not 0 < content <= READ_LIMIT_BYTES
            or (form.codec == "raw" and content != record.length)
        ):
            raise ValueError("its index names frames that cannot be")
    return records


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a shard says of itself."""

    form: Mapping[str, Any]
    made_from: str

    @classmethod
    def read(cls, file: BinaryIO) -> Self:
        """Raises ValueError if the file begins otherwise."""
        start = file.read(len(MAGIC) + _HEAD.size)
        if start[: len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + _HEAD.size:
            raise ValueError("it is no shard of this version")
        length, crc = _HEAD.unpack(start[len(MAGIC) :])
        head = file.read(min(length, HEAD_LIMIT))
        if zlib.crc32(head) != crc:
            raise ValueError("its head is damaged")
        facts = json.loads(head)
        return cls(form={key: facts[key] for key in ("bands", "dtype", "codec")}, made_from=str(facts["made_from"]))
