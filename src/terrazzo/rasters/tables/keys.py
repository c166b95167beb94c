"""Keys: whole numbers that sort as the values do, so that values of any type are counted by their leading bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY_BITS = {1: 8, 2: 16, 4: 32, 8: 64}
Keys = NDArray[np.unsignedinteger[Any]]


def key_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What values are counted as: their own type if it has up to 16 bits, or is float32, else float64."""
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        return dtype
    return np.dtype(np.float32) if dtype.kind == "f" and dtype.itemsize <= 4 else np.dtype(np.float64)


def key_bits(dtype: np.dtype[Any]) -> int:
    """Bits of the keys of a type that `key_type` gives."""
    return dtype.itemsize * 8


def to_keys(values: NDArray[Any]) -> Keys:
    """A key for each value; one key is smaller than another just where the values are.

    values: one axis, of a type that `key_type` gives, without NaN.
    """
    if values.dtype.kind == "u":
        return values
    top = values.dtype.itemsize * 8 - 1
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    if values.dtype.kind == "i":
        shifted: Keys = values.view(unsigned) ^ unsigned.type(1 << top)
        return shifted
    # minus nought is nought
    bits: Keys = (values + values.dtype.type(0)).view(unsigned)
    # a negative number sorts the other way round: flip all of its bits, else the sign alone
    flip: Keys = (bits >> unsigned.type(top)) * unsigned.type((1 << top) - 1) | unsigned.type(1 << top)
    keys: Keys = bits ^ flip
    return keys


def from_keys(keys: Keys, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values of keys; of a type that `key_type` gives."""
    if dtype.kind == "u":
        return keys.astype(dtype)
    top = dtype.itemsize * 8 - 1
    unsigned = np.dtype(f"u{dtype.itemsize}")
    keys = keys.astype(unsigned)
    if dtype.kind == "i":
        signed: Keys = keys ^ unsigned.type(1 << top)
        return signed.view(dtype)
    positive = keys >> unsigned.type(top) == 1
    bits: Keys = np.where(positive, keys ^ unsigned.type(1 << top), ~keys)
    return bits.view(dtype)


def nearest_to_nought(first: int, last: int, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Of all values whose keys are from `first` to `last`: the one nearest to 0, and how far the others are from it at most.

    Where the bits that are left out of keys are those of rounding, whole numbers are found exactly so.
    """
    ends = np.array([first, last], np.uint64).astype(np.dtype(f"u{dtype.itemsize}"))
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = (float(value) for value in from_keys(ends, dtype))
    return (low, high - low) if low >= 0 else (high, high - low)
