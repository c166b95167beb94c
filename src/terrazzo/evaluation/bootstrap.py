"""Intervals of scores by the bootstrap: units (scenes, blocks of a raster) are drawn again and again, with replacement.

Pixels beside each other are alike, so they are no independent draws; units are. What is drawn is whole units with all their counts:

    values = np.concatenate([mean_iou(some) for some in resampled(counts, 1000, seed=0)])
    low, high = interval(values)

The same seed and number of units draw the same units, so that differences between two maps of the same scenes are paired.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""Share of the resamples that lie within an interval."""
FEWEST_UNITS = 5
"""With fewer units an interval would say next to nothing."""
PIECE = 2**22
"""Numbers held at a time, about, so that memory stays bounded."""

Interval = tuple[float, float] | None
"""Lower and upper end, or None where it is undefined."""


def resampled(counts: NDArray[np.number], resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Sums of the counts over as many units as there are, drawn with replacement; some resamples at a time.

    counts: (units, ...). Yields (some, ...): float64 that holds whole numbers below 2^53 exactly. All together are `resamples`.
    """
    units = len(counts)
    flat = counts.reshape(units, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    some = max(1, min(resamples, PIECE // max(units, flat.shape[1], 1)))
    for start in range(0, resamples, some):
        number = min(some, resamples - start)
        drawn = rng.integers(0, units, (number, units)) + np.arange(number)[:, np.newaxis] * units
        weights = np.bincount(drawn.ravel(), minlength=number * units).reshape(number, units)
        yield (weights.astype(np.float64) @ flat).reshape(number, *counts.shape[1:])


def interval(values: NDArray[np.float64]) -> Interval:
    """The percentile interval of resampled values (resamples,), NaN left out; None if no value is left."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high
