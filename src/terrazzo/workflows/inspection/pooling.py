"""One band over many files: figures put together from those of the files."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terrazzo.workflows.inspection.band_facts import BINS, LEVELS, MOST_VALUES, BandFacts, Histogram

GRID = 2048
"""Values at which the shares of all files below them are added up, at least."""


def pool(bands: Sequence[BandFacts]) -> BandFacts:
    """The figures of a band over all files; counts, means and extremes are exact, quantiles and histogram nearly so."""
    seen = [band for band in bands if band.mean is not None and band.sd is not None and band.levels]
    pixels = [band.count / (1 - band.missing_share) if band.missing_share < 1 else band.count for band in bands]
    first = bands[0]
    known = BandFacts(
        name=first.name if all(band.name == first.name for band in bands) else None,
        nodata=first.nodata if all(band.nodata == first.nodata for band in bands) else None,
        missing_share=sum(band.missing_share * count for band, count in zip(bands, pixels, strict=True)) / max(sum(pixels), 1),
        not_finite_share=max(band.not_finite_share for band in bands),
    )
    if not seen:
        return replace(known, missing_share=1.0)
    count = sum(band.count for band in seen)
    mean = sum((band.mean or 0.0) * band.count for band in seen) / count
    squares = sum(((band.sd or 0.0) ** 2 + ((band.mean or 0.0) - mean) ** 2) * band.count for band in seen) / count
    low, high = min(band.levels[0] for band in seen), max(band.levels[-1] for band in seen)
    at, below = _cumulative(seen, count)
    # values that there are, not means of two: between black and white there may be nothing
    reached = np.searchsorted(below, np.linspace(0, 1, LEVELS)).clip(0, len(at) - 1)
    levels = (low, *(float(level) for level in at[reached[1:-1]]), high)
    return replace(
        known,
        count=count,
        mean=mean,
        sd=math.sqrt(squares),
        low=low,
        high=high,
        levels=levels,
        histogram=_histogram(levels, at, below),
        values=_values(seen),
    )


def _cumulative(bands: Sequence[BandFacts], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values, and the share of all files' pixels below each."""
    at = np.unique(np.concatenate([np.array(band.levels) for band in bands]))
    if len(at) > GRID:
        at = at[np.linspace(0, len(at) - 1, GRID).astype(np.intp)]
    probabilities = np.linspace(0, 1, LEVELS)
    below = np.zeros(len(at))
    for band in bands:
        levels = np.array(band.levels)
        # of quantiles that are one value the last counts: so many values are not above it
        last = np.append(levels[1:] > levels[:-1], np.True_)
        below += np.interp(at, levels[last], probabilities[last], left=0.0) * (band.count / count)
    return at, np.maximum.accumulate(below)


def _histogram(levels: Sequence[float], at: NDArray[np.float64], below: NDArray[np.float64]) -> Histogram | None:
    margin = (levels[99] - levels[1]) * 0.1
    low, high = max(levels[0], levels[1] - margin), min(levels[-1], levels[99] + margin)
    if not math.isfinite(high - low) or high <= low:
        return None
    edges = np.linspace(low, high, BINS + 1)
    reached = np.interp(edges, at, below)
    # what lies at the very beginning is in the first bin
    reached[0] = np.interp(low, at, below, left=0.0) if low > at[0] else 0.0
    return Histogram(low=low, high=high, shares=tuple(float(share) for share in np.diff(reached)))


def _values(bands: Sequence[BandFacts]) -> dict[float, int] | None:
    counts: Counter[float] = Counter()
    for band in bands:
        if band.values is None:
            return None
        counts.update(band.values)
    return dict(sorted(counts.items())) if len(counts) <= MOST_VALUES else None
