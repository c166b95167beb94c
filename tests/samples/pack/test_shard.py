"""The index of a shard is found from its last bytes, and nothing that is damaged or made up passes."""

import io
import struct
import zlib

import numpy as np
import pytest

from terrazzo.samples.pack.frame import Form, Sections
from terrazzo.samples.pack.shard import ALIGNMENT, END, Head, ShardWriter, index_bytes, parse_index

FORM = Form(bands=1, dtype=np.dtype(np.uint8), codec="zstd")
FRAMES = [(b"first frame", (3, 5), Sections.DELTA), (b"", (1, 1), Sections.VALID), (b"x" * 1000, (70, 2), Sections(0))]


def written() -> bytes:
    file = io.BytesIO()
    writer = ShardWriter(file, FORM, "abc")
    for data, shape, sections in FRAMES:
        writer.add(data, shape, sections)
    writer.finish()
    return file.getvalue()


def index_of(data: bytes, count: int = 3) -> list[tuple[bytes, tuple[int, int], Sections]]:
    records = parse_index(data[-index_bytes(count) :], len(data), count, FORM)
    assert all(record.offset % ALIGNMENT == 0 for record in records)
    assert all(zlib.crc32(data[record.offset : record.offset + record.length]) == record.crc for record in records)
    return [(data[record.offset : record.offset + record.length], record.shape, record.sections) for record in records]


def test_frames_come_back() -> None:
    assert index_of(written()) == FRAMES


def test_a_shard_says_what_it_is_and_from_what() -> None:
    head = Head.read(io.BytesIO(written()))
    assert head.made_from == "abc"
    assert head.form == {"bands": 1, "dtype": "uint8", "codec": "zstd"}


@pytest.mark.parametrize("cut", [1, 24, 25, 100])
def test_a_cut_shard_is_noticed(cut: int) -> None:
    with pytest.raises(ValueError, match=r"index is damaged|end is missing"):
        index_of(written()[:-cut])


@pytest.mark.parametrize("place", [-1, -10, -20, -30, -100])
def test_a_flipped_bit_in_the_index_is_noticed(place: int) -> None:
    data = bytearray(written())
    data[place] ^= 4
    with pytest.raises(ValueError, match="damaged"):
        index_of(bytes(data))


@pytest.mark.parametrize(
    ("record", "form"),
    [
        ((64, 2**40, 0, 3, 5, 0), FORM),
        ((2**62, 10, 0, 3, 5, 0), FORM),
        ((64, 10, 0, 2**31, 2**31, 0), FORM),
        ((64, 10, 0, 0, 5, 0), FORM),
        ((64, 10, 0, 3, 5, 0), Form(bands=1, dtype=np.dtype(np.uint8), codec="raw")),
    ],
)
def test_an_index_of_frames_that_cannot_be_is_refused(record: tuple[int, ...], form: Form) -> None:
    index = struct.pack("<QQIIII", *record)
    data = bytes(128) + index + struct.pack("<QII8s", 128, 1, zlib.crc32(index), END)
    with pytest.raises(ValueError, match="cannot be"):
        parse_index(data[-index_bytes(1) :], len(data), 1, form)
