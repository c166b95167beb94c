"""TFRecords against bytes put together by hand, and against everything that is no TFRecord."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import DataError
from terrazzo.samples.tfrecord.crc32c import masked
from terrazzo.samples.tfrecord.example import read_example, write_example
from terrazzo.samples.tfrecord.records import read_records, write_record

# Example { features { feature { key: "image" value { bytes_list { value: "PNG!" } } } feature { key: "label" ... "M" } } }
BY_HAND = bytes.fromhex("0a24 0a11 0a05 696d616765 1208 0a06 0a04 504e4721 0a0e 0a05 6c6162656c 1205 0a03 0a01 4d 0000").rstrip(b"\0")
BY_HAND = b"\x0a" + bytes([len(BY_HAND) - 2]) + BY_HAND[2:]


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def test_an_example_is_the_bytes_of_the_specification() -> None:
    assert write_example({"label": b"M", "image": b"PNG!"}) == BY_HAND
    assert read_example(BY_HAND) == {"image": b"PNG!", "label": b"M"}


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=500), max_size=5))
def test_examples_come_back(features: dict[str, bytes]) -> None:
    assert read_example(write_example(features)) == features


@given(st.binary(max_size=200))
def test_any_bytes_are_an_example_or_a_value_error(data: bytes) -> None:
    try:
        read_example(data)
    except ValueError as error:
        assert "fields" in str(error) or "features" in str(error)  # noqa: PT017


def test_features_of_numbers_are_passed_over() -> None:
    # feature "n" with int64_list { value: 7 }, and a feature with a float list, beside one of bytes
    numbers = bytes.fromhex("0a0a 0a01 6e 1205 1a03 0a01 07")
    floats = bytes.fromhex("0a0d 0a01 66 1208 1206 0a04 0000803f")
    strings = bytes.fromhex("0a0a 0a01 62 1205 0a03 0a01 41")
    assert read_example(b"\x0a" + bytes([len(numbers + floats + strings)]) + numbers + floats + strings) == {"b": b"A"}


def test_records_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrec"
    data = [b"one", b"", bytes(5000)]
    with path.open("wb") as file:
        for each in data:
            write_record(file, each)
    assert path.read_bytes() == b"".join(map(record, data))
    assert list(read_records(path)) == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (record(b"first") + record(b"second")[:-1], "record 1 is of 6 bytes: more than are left"),
        (record(b"first") + record(b"second")[:5], "record 1 is damaged: the checksum of its length"),
        (b"\x89PNG and so on, no record at all", "record 0 is damaged: the checksum of its length"),
        (struct.pack("<QI", 2**60, masked(struct.pack("<Q", 2**60))) + b"x", "record 0 is of 1152921504606846976 bytes"),
        (record(b"first")[:13] + b"F" + record(b"first")[14:], "record 0 is damaged: the checksum of its bytes"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.tfrec").write_bytes(data)
    with pytest.raises(DataError, match=said):
        list(read_records(tmp_path / "a.tfrec"))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list(read_records(tmp_path / "none.tfrec"))
