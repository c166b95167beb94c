"""The checksum against the vectors of RFC 3720 and a table-driven oracle, a byte at a time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.samples.tfrecord.crc32c import crc32c, masked

TABLE = []
for _value in range(256):
    for _ in range(8):
        _value = _value >> 1 ^ 0x82F63B78 * (_value & 1)
    TABLE.append(_value)


def slow(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state = TABLE[(state ^ byte) & 255] ^ state >> 8
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (bytes.fromhex("01c00000000000000000000000000000140000000000040000000014000000182800000000000000 0200000000000000"), 0xD9963A56),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_vectors_of_the_rfc(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected == slow(data)


@settings(max_examples=40, deadline=None)
@given(seed=st.binary(min_size=1, max_size=40), length=st.integers(0, 5000))
def test_long_texts_in_pieces(seed: bytes, length: int) -> None:
    data = (seed * (length // len(seed) + 1))[:length]
    assert crc32c(data) == slow(data)
    assert crc32c(memoryview(data)) == slow(data)


def test_the_mask_of_tensorflow() -> None:
    crc = slow(b"abc")
    assert masked(b"abc") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32
