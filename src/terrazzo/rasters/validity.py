"""Which pixels are there, and which are missing."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Invalid = Literal["all", "any"]
Mask = NDArray[np.bool_]


def find_holes(values: NDArray[Any], nodata: Sequence[float | None]) -> Mask | None:
    """Values that are missing: NaN, Inf, and the nodata value of their band.

    values: (bands, height, width). nodata: one a band. Returns the same shape, True where missing, or None if nothing is.
    """
    holes = _not_finite(values)
    for band, value in enumerate(nodata):
        exact = representable(value, values.dtype)
        if exact is None:
            continue
        missing = values[band] == exact
        if missing.any():
            holes = np.zeros(values.shape, np.bool_) if holes is None else holes
            holes[band] |= missing
    return holes


def find_valid(holes: Mask | None, shown: Mask | None, invalid: Invalid) -> Mask | None:
    """Pixels (height, width) to work with, or None if that is all of them.

    A pixel is out where `shown` is False, and where 'all' its bands are holes, or 'any' is.
    """
    if holes is None:
        return None if shown is None or bool(shown.all()) else shown
    missing: Mask = np.all(holes, axis=0) if invalid == "all" else np.any(holes, axis=0)
    valid: Mask = ~missing if shown is None else shown & ~missing
    return None if valid.all() else valid


def representable(value: float | None, dtype: np.dtype[Any]) -> np.generic | None:
    """The nodata value in the type of the pixels, or None where no pixel can have it (such as -9999 in bytes, or NaN)."""
    if value is None or not np.isfinite(value):
        return None  # NaN and Inf are holes anyway
    if dtype.kind == "f":
        largest = float(np.finfo(dtype).max)
        # written with few digits, the lowest float32 is lower than itself
        clipped = max(-largest, min(largest, value)) if abs(value) <= largest * 1.0001 else None
        return dtype.type(clipped) if clipped is not None else None
    bounds = np.iinfo(dtype)
    # Python compares int and float exactly, which 64-bit values need
    whole_number = int(value)
    return dtype.type(whole_number) if whole_number == value and bounds.min <= whole_number <= bounds.max else None


def _not_finite(values: NDArray[Any]) -> Mask | None:
    if values.dtype.kind != "f":
        return None
    finite: Mask = np.isfinite(values)
    return None if finite.all() else ~finite
