"""Rows of a map as few bytes, for as long as they are kept beside it."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_CODEC = pa.Codec("zstd", compression_level=1)


def packed(array: NDArray[Any]) -> bytes:
    """The values of an array, compressed."""
    data: bytes = _CODEC.compress(np.ascontiguousarray(array).tobytes(), asbytes=True)
    return data


def unpacked(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of a type and shape that `packed` made bytes of; it cannot be written to."""
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(_CODEC.decompress(data, size, asbytes=True), dtype).reshape(shape)
