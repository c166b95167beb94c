"""The chunks of a PNG: looked through before any is decoded."""

import mmap
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE_BYTES = 8
_CHUNK_BYTES = 12
"""Of a chunk without data: its length, its kind, its checksum."""

_CHUNKS = 20_000
_BYTES_A_CHUNK = 2048
"""Writers make chunks of 8 kB and more; a file of many more chunks than this says is made to waste time."""

_DEFLATE_RATIO = 1040
"""Deflate packs no more than 1032 bytes into one."""

_STEP_BYTES = 2**20

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type to samples a pixel."""


def check_png(path: Path) -> None:
    """Raises ValueError if a PNG is truncated, has chunks beyond all measure, or too few bytes to hold its pixels, whatever they are."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        most = _CHUNKS + len(data) // _BYTES_A_CHUNK
        packed = needed = 0
        for number, (kind, start, end) in enumerate(_chunks(data)):
            if number > most:
                raise ValueError(f"it consists of more than {most} chunks")
            if end + 4 > len(data):
                raise ValueError(f"it is truncated in its chunk {kind!r}")
            if kind == b"IHDR":
                needed = _stored_bytes(data[start:end])
            packed += end - start if kind == b"IDAT" else 0
    if needed > packed * _DEFLATE_RATIO:
        raise ValueError(f"its {packed} bytes of pixels cannot be all")


def still_image(png: bytes) -> bytes:
    """The chunks of a PNG that hold its pixels, checked: OpenCV reads truncated files without a word, and of animations the first frame.

    Raises ValueError or zlib.error if a chunk is damaged or the end is missing.
    """
    kept = [png[:_SIGNATURE_BYTES]]
    pixels = _Pixels()
    for kind, start, end in _chunks(png):
        chunk = png[start - 8 : end + 4]
        if len(chunk) < end - start + _CHUNK_BYTES or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise ValueError(f"its chunk {kind!r} is damaged")
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            kept.append(chunk)
            pixels.add(kind, chunk[8:-4])
        if kind == b"IEND" and pixels.complete:
            return b"".join(kept)
    raise ValueError("its end is missing")


class _Pixels:
    """Runs through the compressed pixels of a PNG, of which nothing is kept."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._left = 0

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def add(self, kind: bytes, data: bytes) -> None:
        """Take the next chunk. Raises ValueError or zlib.error if there are more pixels than declared, or broken ones."""
        if kind == b"IHDR":
            # rows of interlaced images are stored in pieces
            self._left = 2 * _stored_bytes(data) + _STEP_BYTES
        packed = data if kind == b"IDAT" else b""
        while packed and not self._stream.eof:
            self._left -= len(self._stream.decompress(packed, _STEP_BYTES))
            if self._left < 0:
                raise ValueError("it holds more pixels than it declares")
            packed = self._stream.unconsumed_tail


def _chunks(png: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the data of each chunk; the last one may be cut off."""
    place = _SIGNATURE_BYTES
    while place + 8 <= len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        yield kind, place + 8, place + 8 + length
        place += length + _CHUNK_BYTES


def _stored_bytes(header: bytes) -> int:
    """Bytes of all rows before compression. Raises ValueError if the header is of no known kind."""
    width, height, bits, colors = struct.unpack(">IIBB", header[:10])
    if colors not in _SAMPLES:
        raise ValueError(f"its pixels are of the unknown kind {colors}")
    return int(height * (1 + -(-width * bits * _SAMPLES[colors] // 8)))
