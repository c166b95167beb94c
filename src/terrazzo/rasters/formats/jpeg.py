"""The segments of a JPEG: looked through before any pixel is decoded."""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCAN_LIMIT = 32
"""Progressive photos have some ten scans, at most 24. Each takes time for every pixel, however few bytes it has."""

_SEGMENT_LIMIT = 4096
_GAP_BYTES = 65_536
"""So much padding between segments is skipped."""
_PIXELS_A_BYTE = 512
"""Huffman codes give at least one bit to each block of 64 pixels."""

_EMPTY = {0x01, *range(0xD0, 0xD9)}
"""Markers that nothing follows."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SCAN, _END = 0xDA, 0xD9

# within compressed data, FF is followed by 00 or a restart marker; before a marker there may be any number of FF
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True, kw_only=True)
class Structure:
    """How a JPEG is laid out."""

    scans: int
    progressive: bool


def check_jpeg(path: Path) -> Structure:
    """Look through the segments of the image, not of others that cameras put after it.

    Raises ValueError if there are scans or segments beyond all measure, or too few bytes to hold the pixels, whatever they are.
    """
    scans = pixels = 0
    kinds: set[int] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, (marker, start) in enumerate(_segments(data)):
            if marker in _FRAMES:
                pixels = int.from_bytes(data[start + 1 : start + 3]) * int.from_bytes(data[start + 3 : start + 5])
                kinds.add(marker)
            scans += marker == _SCAN
            if scans > SCAN_LIMIT or number > _SEGMENT_LIMIT:
                raise ValueError(
                    f"it has more than {SCAN_LIMIT} scans" if scans > SCAN_LIMIT else f"it has more than {_SEGMENT_LIMIT} segments"
                )
        if not scans:
            raise ValueError("it holds no pixels")
        if pixels > len(data) * _PIXELS_A_BYTE and not kinds & _ARITHMETIC:
            raise ValueError(f"its {len(data)} bytes cannot hold its {pixels / 10**6:.0f} megapixels")
    return Structure(scans=scans, progressive=bool(kinds & _PROGRESSIVE))


def _segments(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """(marker, first byte of its content) until the end of the image, or where segments stop to follow each other."""
    place, marker = 2, 0
    while (found := _NEXT_MARKER.search(data, place, len(data) if marker == _SCAN else place + _GAP_BYTES)) is not None:
        marker = data[found.end() - 1]
        if marker == _END:
            return
        yield marker, found.end() + 2
        place = found.end() if marker in _EMPTY else found.end() + int.from_bytes(data[found.end() : found.end() + 2])
