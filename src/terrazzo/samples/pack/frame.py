"""One packed sample as bytes: image, labels and what is missing, in a fixed order; see docs/pack-format.md.

image      (height, bands, width) rows as they are or less the row above, the bytes of each number in planes; raw: (bands, height, width)
labels     (height, width) bytes
valid      bits, where a pixel is not valid
holes      bits, where a value is missing
instances  (height, width) numbers of four bytes, where objects are told apart
"""

from dataclasses import dataclass
from enum import IntFlag
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape

Codec = Literal["zstd", "raw"]

STRETCH = 64
"""Rows that are stored as differences to each other."""

_LEVEL = 1
"""Higher levels of zstd take several times as long to write and gain a few percent."""


class Sections(IntFlag):
    """What a frame holds besides image and labels, and how its image is written."""

    VALID = 1
    HOLES = 2
    INSTANCES = 4
    DELTA = 8
    """Rows are less the row above them, but for every STRETCH-th."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What a sample holds. The arrays may be views of a file: do not write to them."""

    pixels: Pixels
    labels: NDArray[np.uint8]
    """(height, width) class indices, 255 left out."""
    instances: NDArray[np.uint32] | None = None
    """(height, width) object numbers, 0 where there is none; None: objects are not told apart."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What all frames of a store share."""

    bands: int
    dtype: np.dtype[Any]
    codec: Codec

    @property
    def stored(self) -> np.dtype[Any]:
        """The type on disk: lowest byte first, whatever the machine."""
        return self.dtype.newbyteorder("<")

    def content_bytes(self, shape: Shape, sections: Sections) -> int:
        """Bytes of a frame before compression."""
        area = shape[0] * shape[1]
        return (
            area * self.bands * self.dtype.itemsize
            + area
            + (_bit_bytes(area) if sections & Sections.VALID else 0)
            + (_bit_bytes(area * self.bands) if sections & Sections.HOLES else 0)
            + (4 * area if sections & Sections.INSTANCES else 0)
        )


def encode(sample: Packed, form: Form) -> tuple[bytes, Shape, Sections]:
    """The bytes of a sample, the same for the same sample, its (height, width), and what they hold."""
    pixels = sample.pixels
    shape: Shape = pixels.valid.shape
    sections = Sections(0)
    rest = [sample.labels.tobytes()]
    if not pixels.valid.all():
        sections |= Sections.VALID
        rest.append(np.packbits(pixels.valid).tobytes())
    if pixels.holes is not None and pixels.holes.any():
        sections |= Sections.HOLES
        rest.append(np.packbits(pixels.holes).tobytes())
    if sample.instances is not None:
        sections |= Sections.INSTANCES
        rest.append(sample.instances.astype("<u4").tobytes())
    values = pixels.values.astype(form.stored, copy=False)
    if form.codec == "raw":
        return b"".join([values.tobytes(), *rest]), shape, sections
    codec, rows = _zstd(), np.ascontiguousarray(values.transpose(1, 0, 2)).view(_unsigned(form))
    tail = b"".join(rest)
    plain = codec.compress(_planes(rows) + tail, asbytes=True)
    delta = codec.compress(_planes(_row_delta(rows)) + tail, asbytes=True)
    # noise compresses better as it is
    return (delta, shape, sections | Sections.DELTA) if len(delta) < len(plain) else (plain, shape, sections)


def decode(data: bytes | memoryview, shape: Shape, sections: Sections, form: Form) -> Packed:
    """The sample that `encode` wrote; of raw frames, a view of the data.

    Raises ValueError or pyarrow's errors (OSError, ArrowException) if the data are no such frame.
    """
    wanted = form.content_bytes(shape, sections)
    content = np.frombuffer(data if form.codec == "raw" else _zstd().decompress(data, decompressed_size=wanted), np.uint8)
    if len(content) != wanted:
        raise ValueError(f"it holds {len(content)} bytes instead of {wanted}")
    height, width = shape
    area, parts = height * width, _Cutter(content)
    stored = parts.take(area * form.bands * form.dtype.itemsize)
    labels = parts.take(area).reshape(shape)
    valid = _bits(parts.take(_bit_bytes(area)), shape) if sections & Sections.VALID else np.ones(shape, np.bool_)
    cube = (form.bands, *shape)
    holes = _bits(parts.take(_bit_bytes(area * form.bands)), cube) if sections & Sections.HOLES else None
    instances = parts.take(4 * area).view("<u4").reshape(shape).astype(np.uint32, copy=False) if sections & Sections.INSTANCES else None
    if form.codec == "raw":
        values = stored.view(form.stored).reshape(cube)
    else:
        rows = _numbers(stored, height, form)
        if sections & Sections.DELTA:
            _add_rows(rows)
        values = rows.view(form.stored).reshape(height, form.bands, width).transpose(1, 0, 2)
    values = values.astype(form.dtype, copy=False)
    return Packed(pixels=Pixels(values=values, valid=valid, holes=holes), labels=labels, instances=instances)


class _Cutter:
    """Takes one piece after another."""

    def __init__(self, content: NDArray[np.uint8]) -> None:
        self._content = content
        self._place = 0

    def take(self, count: int) -> NDArray[np.uint8]:
        start, self._place = self._place, self._place + count
        return self._content[start : self._place]


def _zstd() -> Any:
    return pa.Codec("zstd", compression_level=_LEVEL)


def _unsigned(form: Form) -> np.dtype[Any]:
    """Whole numbers of the image's width: differences of them wrap around, so that nothing is lost, whatever the type."""
    return np.dtype(f"<u{form.dtype.itemsize}")


def _row_delta(rows: NDArray[Any]) -> NDArray[Any]:
    """Each row less the one above it, but every STRETCH-th as it is."""
    delta = rows.copy()
    delta[1:] -= rows[:-1]
    delta[::STRETCH] = rows[::STRETCH]
    return delta


def _add_rows(rows: NDArray[Any]) -> None:
    """Undo `_row_delta` in place; rows: (height, anything). Stretches are added up side by side, a call a row of them, for numpy's own
    accumulate is ten times slower."""
    full = len(rows) // STRETCH * STRETCH
    for block in (rows[:full].reshape(-1, STRETCH, rows.shape[1]), rows[full:][None]):
        for above, row in pairwise([block[:, number] for number in range(block.shape[1])]):
            np.add(above, row, row)


def _planes(rows: NDArray[Any]) -> bytes:
    """The lowest bytes of a row's numbers, then the next ones: alike bytes together compress better."""
    size = rows.dtype.itemsize
    if size == 1:
        return rows.tobytes()
    return rows.view(np.uint8).reshape(len(rows), -1, size).transpose(0, 2, 1).tobytes()


def _numbers(stored: NDArray[np.uint8], height: int, form: Form) -> NDArray[Any]:
    """Undo `_planes`: (height, bands * width) numbers that may be written to."""
    size = form.dtype.itemsize
    if size == 1:
        rows = stored.reshape(height, -1)
        return rows if rows.flags.writeable else rows.copy()
    planes = stored.reshape(height, size, -1)
    mixed = np.empty((height, planes.shape[2], size), np.uint8)
    for place in range(size):
        mixed[:, :, place] = planes[:, place]
    return mixed.reshape(height, -1).view(_unsigned(form))


def _bit_bytes(count: int) -> int:
    return -(-count // 8)


def _bits(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.unpackbits(packed, count=int(np.prod(shape))).view(np.bool_).reshape(shape)
