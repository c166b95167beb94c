"""The file format of TFRecords: a record is its length, the length's checksum, its bytes, and their checksum."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from terrazzo.errors import DataError
from terrazzo.samples.tfrecord.crc32c import masked

RECORD_LIMIT_BYTES = 2**30
"""Longer records are not of images."""

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_HEAD_BYTES = _LENGTH.size + _CRC.size


def write_record(file: BinaryIO, data: bytes) -> None:
    """Add a record."""
    length = _LENGTH.pack(len(data))
    file.write(length + _CRC.pack(masked(length)) + data + _CRC.pack(masked(data)))


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, one after another, each checked.

    Raises DataError naming the record, from 0, that is damaged, cut off or beyond all measure.
    """
    try:
        with path.open("rb") as file:
            left, number = path.stat().st_size, 0
            while left:
                data = _record(file, left, f"{path}: record {number}")
                yield data
                left -= _HEAD_BYTES + len(data) + _CRC.size
                number += 1
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _record(file: BinaryIO, left: int, named: str) -> bytes:
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or masked(head[: _LENGTH.size]) != _CRC.unpack(head[_LENGTH.size :])[0]:
        raise DataError(
            f"{named} is damaged: the checksum of its length differs. Is this a TFRecord file, uncompressed? Else copy it anew."
        )
    (length,) = _LENGTH.unpack(head[: _LENGTH.size])
    if length > min(left - _HEAD_BYTES - _CRC.size, RECORD_LIMIT_BYTES):
        raise DataError(f"{named} is of {length} bytes: more than are left of the file, or than an image takes. Copy the file anew.")
    data = file.read(length)
    stored = file.read(_CRC.size)
    if len(stored) < _CRC.size or masked(data) != _CRC.unpack(stored)[0]:
        raise DataError(f"{named} is damaged: the checksum of its bytes differs. Copy the file anew.")
    return data
