"""CRC-32C (Castagnoli), the checksum of TFRecords, in numpy.

The checksum is linear, so a long text is cut into many equal pieces that are run through side by side, two bytes at a time; then
neighbours are put together, the left one shifted by the length of the right one, until one is left.

Source: RFC 3720, appendix B.4, for the checksum and its test vectors.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
"""Lowest bit first."""
_ONES = 0xFFFFFFFF
_PIECE_BYTES = 128
_MASK_DELTA = 0xA282EAD8

Words = NDArray[np.uint32]


def _byte_table() -> Words:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_BYTES = _byte_table()
_BYTE_LIST: list[int] = _BYTES.tolist()
_numbers = np.arange(2**16, dtype=np.uint32)
_once = _BYTES[_numbers & 255] ^ (_numbers >> 8)
_PAIRS: Words = _BYTES[_once & 255] ^ (_once >> 8)
"""Two bytes at once."""


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of bytes."""
    if len(data) < 4 * _PIECE_BYTES:
        state = _ONES
        for byte in data:
            state = _BYTE_LIST[(state ^ byte) & 255] ^ (state >> 8)
        return state ^ _ONES
    pieces = 2 ** ((len(data) // _PIECE_BYTES).bit_length() - 1)
    length = 2 * -(-len(data) // (2 * pieces))
    padded = np.zeros(pieces * length, np.uint8)
    # zeros before the first byte that counts change nothing, if one starts from zero; the usual start is the same as inverting four bytes
    start = len(padded) - len(data)
    padded[start:] = np.frombuffer(data, np.uint8)
    padded[start : start + 4] ^= 255
    states = _run(np.ascontiguousarray(padded.view("<u2").reshape(pieces, -1).T))
    level = 0
    while len(states) > 1:
        states = _apply(_shift(length, level), states[::2]) ^ states[1::2]
        level += 1
    return int(states[0]) ^ _ONES


def masked(data: bytes | memoryview) -> int:
    """The checksum as TFRecords store it: turned and moved, so that a checksum of checksums is no constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ONES


def _run(words: NDArray[np.uint16]) -> Words:
    """The state of each column after all its words, from zero. words: (steps, columns)."""
    states = np.zeros(words.shape[1], np.uint32)
    for row in words:
        states = _PAIRS[(states ^ row) & 0xFFFF] ^ (states >> 16)
    return states


@lru_cache(4096)
def _shift(length: int, level: int) -> Words:
    """What `length` * 2**level zero bytes make of a state, as tables of its four bytes: (4, 256)."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    if level:
        half = _shift(length, level - 1)
        bits = _apply(half, _apply(half, bits))
    else:
        for _ in range(length // 2):
            bits = _PAIRS[bits & 0xFFFF] ^ (bits >> 16)
    tables = np.zeros((4, 256), np.uint32)
    for place, bit in enumerate(bits.tolist()):
        table, half_size = tables[place // 8], 1 << place % 8
        table[half_size : 2 * half_size] = table[:half_size] ^ np.uint32(bit)
    return tables


def _apply(tables: Words, states: Words) -> Words:
    result: Words = tables[0][states & 255]
    for place in range(1, 4):
        result = result ^ tables[place][(states >> np.uint32(8 * place)) & 255]
    return result
