"""Histograms of a given range."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 256
MARGIN = 0.1
"""What a view shows beyond 1 % and 99 % of the values, as a share of what is between."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Bins of one width, side by side. Of whole numbers each bin holds the same number of values."""

    low: float
    """Where the first begins."""
    high: float
    """Where the last ends."""
    count: int

    def places(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The bin of each value: 1 to count, 0 for what is below the first, count + 1 for what is above the last."""
        scaled = (values.astype(np.float64) - self.low) * (self.count / (self.high - self.low))
        places = np.floor(scaled).clip(-1, self.count).astype(np.int64) + 1
        # the last bin holds its end
        places[values == self.high] = self.count
        return places

    def counts(self, values: NDArray[Any], weights: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(count + 2,) how many values each bin holds; the first number is of those below, the last of those above.

        weights: how often each value is there.
        """
        places = self.places(values)
        if weights is None:
            return np.bincount(places, minlength=self.count + 2)
        found = np.zeros(self.count + 2, np.int64)
        np.add.at(found, places, weights)
        return found


def bins_between(low: float, high: float, *, whole: bool) -> Bins | None:
    """Up to BINS bins that hold all values from low to high; None where the range is infinite.

    whole: values are whole numbers.
    """
    if not math.isfinite(high - low):
        return None
    if whole:
        low, high = math.floor(low), math.ceil(high)
        step = math.ceil((high - low + 1) / BINS)
        count = math.ceil((high - low + 1) / step)
        return Bins(low=low - 0.5, high=low - 0.5 + count * step, count=count)
    if low == high:
        margin = abs(low) * 1e-3 or 0.5
        return Bins(low=low - margin, high=low + margin, count=1)
    # so narrow a range has fewer different values than bins, and no width that can be told
    return Bins(low=low, high=high, count=BINS if (high - low) / BINS > abs(high + low) * 1e-15 else 1)


def view_between(low: float, high: float, level_1: float, level_99: float, *, whole: bool) -> Bins | None:
    """The bins that a chart shows: a little more than 1 % to 99 % of the values, so that rare ones far out do not hide the rest."""
    margin = (level_99 - level_1) * MARGIN
    if not math.isfinite(margin):
        return None
    start, end = max(low, level_1 - margin), min(high, level_99 + margin)
    return bins_between(min(start, end), max(start, end), whole=whole)
