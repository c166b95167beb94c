"""Figures of the values of a band."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.tables.bins import Bins

PERCENTS = (1, 2, 5, 25, 50, 75, 95, 98, 99)


@dataclass(frozen=True, kw_only=True)
class Moments:
    """How many values there are, and how they lie."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of the squared distances from the mean."""
    low: float = math.inf
    high: float = -math.inf

    @property
    def sd(self) -> float:
        """Standard deviation of the values, which are all there are."""
        return math.sqrt(max(self.squares, 0.0) / self.count) if self.count else 0.0


def moments_of(values: NDArray[np.generic]) -> Moments:
    """Of one axis of finite numbers."""
    if not values.size:
        return Moments()
    # float64 overflows in squares of what is as large as the largest nodata values; such moments say nothing anyway
    with np.errstate(over="ignore", invalid="ignore"):
        mean, squares = float(values.mean(dtype=np.float64)), float(values.var(dtype=np.float64)) * values.size
    return Moments(count=values.size, mean=mean, squares=squares, low=values.min().item(), high=values.max().item())


def counted_moments(values: NDArray[np.int64], counts: NDArray[np.int64]) -> Moments:
    """Of values in their order, and how often each occurs; exact, but for one rounding each."""
    there = np.flatnonzero(counts)
    if not len(there):
        return Moments()
    total = int(counts.sum())
    mean = int((values * counts).sum()) / total
    squares = float(((values - mean) ** 2 * counts).sum())
    return Moments(count=total, mean=mean, squares=squares, low=int(values[there[0]]), high=int(values[there[-1]]))


def merged(one: Moments, other: Moments) -> Moments:
    """The moments of both together (Chan, Golub and LeVeque, 1983)."""
    count = one.count + other.count
    if not one.count or not other.count:
        return other if not one.count else one
    apart = other.mean - one.mean
    return Moments(
        count=count,
        mean=one.mean + apart * (other.count / count),
        squares=one.squares + other.squares + apart * apart * (one.count * (other.count / count)),
        low=min(one.low, other.low),
        high=max(one.high, other.high),
    )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is told of some values of a band."""

    moments: Moments
    percentiles: Mapping[int, float]
    """By percent; each is a value of the data, the smallest that so many percent do not exceed. Empty if there are no values."""
    error: float
    """How far percentiles are from the truth at most; 0: they are exact."""
    bins: Bins | None
    """Over the whole range; None if there are no values, or the range is infinite."""
    counts: tuple[int, ...]
    """Values in each of the bins; before them how many are below the first, after them how many are above the last."""
    view: Bins | None
    """Where most of the values are."""
    seen: tuple[int, ...]
    """The same for the view."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        told = self.moments
        there = told.count > 0
        return {
            "count": told.count,
            "mean": _finite(told.mean) if there else None,
            "sd": _finite(told.sd) if there else None,
            "min": told.low if there else None,
            "max": told.high if there else None,
            "percentiles": {str(percent): value for percent, value in self.percentiles.items()},
            "percentile_error": self.error,
            "histogram": _histogram(self.bins, self.counts),
            "view": _histogram(self.view, self.seen),
        }


def ranks(count: int) -> list[int]:
    """Which of so many sorted values, from 1, each of PERCENTS is."""
    return [max(1, -(-percent * count // 100)) for percent in PERCENTS]


def _histogram(bins: Bins | None, counts: tuple[int, ...]) -> dict[str, object] | None:
    if bins is None:
        return None
    return {"low": bins.low, "high": bins.high, "counts": list(counts[1:-1]), "below": counts[0], "above": counts[-1]}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
