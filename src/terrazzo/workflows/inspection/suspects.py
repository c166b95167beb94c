"""Values that programs write for "no data", found at the ends of a band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOW = frozenset({-999.0, -9999.0, -32767.0, -32768.0, -99999.0, -2147483648.0})
HIGH = frozenset({9999.0, 32767.0, 65535.0, 2147483647.0, 4294967295.0})
"""What programs write for "no data" below and above all data."""
FAR = 1e20
"""Anything as far out as this is no measurement."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An extreme value that programs use for missing data."""

    value: float
    share: float
    """Of the values that are there, 0 to 1."""
    nearest: float | None
    """The next value; None where there is no other."""


def is_sentinel(value: float) -> bool:
    """Whether programs write this value for missing data."""
    return value in LOW or value in HIGH or abs(value) >= FAR


def counted_suspects(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[Suspect, ...]:
    """The ends of a band that are sentinels, and how often they occur. values: all different ones of the band, sorted."""
    found = []
    for place, beside in ((0, 1), (len(values) - 1, len(values) - 2)):
        if is_sentinel(float(values[place])):
            nearest = float(values[beside]) if len(values) > 1 else None
            found.append(Suspect(value=float(values[place]), share=int(counts[place]) / int(counts.sum()), nearest=nearest))
    return tuple(found[:1] if len(values) == 1 else found)
