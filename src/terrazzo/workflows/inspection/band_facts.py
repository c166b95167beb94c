"""Figures of one band, gathered block by block: exact counts where values are few enough, else moments and an even sample."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.workflows.inspection.suspects import Suspect, counted_suspects, is_sentinel

MOST_VALUES = 32
"""A band of more different values than this holds no classes."""
COUNTED_BYTES = 64 * 2**20
"""All bands of a raster together: values of up to 16 bits are counted one by one as long as the counters take no more than this."""
SAMPLED_VALUES = 2**22
"""All bands of a raster together: about so many values are kept where they are not counted."""
BINS = 48
"""Bins of a histogram, at most."""
LEVELS = 101
"""Quantiles that are kept of a band: 0 %, 1 %, ... 100 %."""

Values = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How the values of a band are spread, without the rare ones far out."""

    low: float
    """Where the first bin begins."""
    high: float
    """Where the last one ends."""
    shares: tuple[float, ...]
    """Of all values; what lies beyond the ends is in none."""


@dataclass(frozen=True, kw_only=True)
class BandFacts:
    """Figures of the values of one band that are there; None and empty if there is none."""

    name: str | None
    nodata: float | None
    """What the file or the options say stands for missing data."""
    missing_share: float = 0.0
    """Of the pixels that were read, 0 to 1: nodata, NaN, infinite, masked."""
    not_finite_share: float = 0.0
    """Of the pixels that were read, 0 to 1: NaN and infinite."""
    count: int = 0
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[float, ...] = ()
    """The quantiles 0 %, 1 %, ... 100 %; of an even sample where values are not counted."""
    histogram: Histogram | None = None
    suspects: tuple[Suspect, ...] = ()
    ends: tuple[float, float] | None = None
    """Shares of the values in the lowest and in the highest eighth of the range, where values are counted."""
    values: Mapping[float, int] | None = None
    """Value to pixels of what may be classes: up to MOST_VALUES whole numbers."""

    def level(self, percent: int) -> float | None:
        """A percentile, 0 to 100."""
        return self.levels[percent] if self.levels else None

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "name": self.name,
            "nodata": _finite(self.nodata),
            "missing_share": self.missing_share,
            "not_finite_share": self.not_finite_share,
            "count": self.count,
            "mean": _finite(self.mean),
            "sd": _finite(self.sd),
            "low": self.low,
            "high": self.high,
            "percentiles": {str(percent): self.level(percent) for percent in (1, 50, 99)} if self.levels else None,
            "histogram": {
                "low": self.histogram.low,
                "high": self.histogram.high,
                "shares": [round(share, 6) for share in self.histogram.shares],
            }
            if self.histogram
            else None,
            "values": {f"{value:.17g}": count for value, count in self.values.items()} if self.values is not None else None,
        }


class BandTally(Protocol):
    """Figures that grow block by block."""

    def add(self, values: Values) -> None:
        """Take in values that are there, one axis, at least one."""
        ...

    def facts(self, known: BandFacts) -> BandFacts:
        """What is known of the band already, with the figures that were gathered."""
        ...


def tally_of(dtype: np.dtype[Any], bands: int, pixels: int) -> BandTally:
    """The tally that suits a band.

    dtype: of its values. bands: how many the raster has. pixels: how many of each will be read.
    """
    if dtype.kind in "iu" and dtype.itemsize <= 2 and bands * 8 * 256**dtype.itemsize <= COUNTED_BYTES:
        return CountedBand(dtype)
    return SampledBand(max(1, math.ceil(pixels * bands / SAMPLED_VALUES)))


class CountedBand:
    """Counts every value of whole numbers of 8 or 16 bits: all figures are exact."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        limits = np.iinfo(dtype)
        self._first = int(limits.min)
        self._counts = np.zeros(int(limits.max) - self._first + 1, np.int64)

    def add(self, values: Values) -> None:
        shifted = values if self._first == 0 else values.astype(np.int64) - self._first
        counts = np.bincount(shifted)
        self._counts[: len(counts)] += counts

    def facts(self, known: BandFacts) -> BandFacts:
        places = np.flatnonzero(self._counts)
        if not len(places):
            return known
        values, counts = (places + self._first).astype(np.float64), self._counts[places]
        total = int(counts.sum())
        mean = float((values * counts).sum() / total)
        return replace(
            known,
            count=total,
            mean=mean,
            sd=math.sqrt(float(((values - mean) ** 2 * counts).sum()) / total),
            low=float(values[0]),
            high=float(values[-1]),
            levels=levels_of(values, counts),
            histogram=histogram_of(values, counts, whole=True),
            suspects=counted_suspects(values, counts),
            ends=_ends(values, counts),
            values=dict(zip(values.tolist(), counts.tolist(), strict=True)) if len(values) <= MOST_VALUES else None,
        )


class SampledBand:
    """Exact moments and extremes of any numbers; quantiles of every n-th value."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._low = math.inf
        self._high = -math.inf
        self._sample: list[NDArray[np.float64]] = []
        self._far: Counter[float] = Counter()
        self._values: Counter[float] | None = Counter()

    def add(self, values: Values) -> None:
        first = self._count % self._step
        low, high = float(values.min()), float(values.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._merge(values)
        self._sample.append(values[(self._step - first) % self._step :: self._step].astype(np.float64))
        self._count_values(values)
        for extreme in {low, high}:
            if is_sentinel(extreme):
                self._far[extreme] += int(np.count_nonzero(values == extreme))

    def facts(self, known: BandFacts) -> BandFacts:
        if not self._count:
            return known
        values = np.sort(np.concatenate(self._sample))
        ones = np.ones(len(values), np.int64)
        levels = levels_of(values, ones)
        return replace(
            known,
            count=self._count,
            mean=self._mean,
            sd=math.sqrt(max(self._squares, 0.0) / self._count),
            low=self._low,
            high=self._high,
            levels=(self._low, *levels[1:-1], self._high),
            histogram=histogram_of(values, ones, whole=False),
            suspects=self._suspects(values),
            values=dict(sorted(self._values.items())) if self._values else None,
        )

    def _merge(self, values: Values) -> None:
        """Merge the moments of a block into those of the band (Chan, Golub and LeVeque, 1983): exact for large values too."""
        # float64 overflows in squares of what is as large as the largest nodata values; such moments say nothing anyway
        with np.errstate(over="ignore", invalid="ignore"):
            mean, squares = float(values.mean(dtype=np.float64)), float(values.var(dtype=np.float64)) * values.size
        before, self._count = self._count, self._count + values.size
        apart = mean - self._mean
        self._mean += apart * values.size / self._count
        self._squares += squares + apart * apart * (before * values.size / self._count)

    def _count_values(self, values: Values) -> None:
        if self._values is None:
            return
        # most images are told by a few values, without sorting the block
        few = len(np.unique(values[:: max(1, len(values) // 1024)])) <= MOST_VALUES
        found, counts = np.unique(values, return_counts=True) if few else (np.empty(0), np.empty(0))
        if few and len(found) <= MOST_VALUES and not (found % 1).any():
            self._values.update(dict(zip(map(float, found), map(int, counts), strict=True)))
            self._values = self._values if len(self._values) <= MOST_VALUES else None
        else:
            self._values = None

    def _suspects(self, sample: NDArray[np.float64]) -> tuple[Suspect, ...]:
        """Extremes that are sentinels; the nearest other value is that of the sample, which sees all but rare values."""
        found = []
        for extreme in sorted({self._low, self._high}):
            others = sample[sample != extreme]
            if is_sentinel(extreme):
                nearest = float(others[0] if extreme == self._low else others[-1]) if len(others) else None
                found.append(Suspect(value=extreme, share=self._far[extreme] / self._count, nearest=nearest))
        return tuple(found)


def levels_of(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, ...]:
    """The quantiles 0 %, 1 %, ... 100 % of sorted values that occur so often; each is one of the values."""
    reached = np.cumsum(counts)
    wanted = np.linspace(0, 1, LEVELS) * reached[-1]
    places = np.searchsorted(reached, wanted, side="left").clip(0, len(values) - 1)
    return tuple(float(value) for value in values[places])


def histogram_of(values: NDArray[np.float64], counts: NDArray[np.int64], *, whole: bool) -> Histogram | None:
    """A histogram of sorted values that occur so often, from a little below 1 % to a little above 99 % of them.

    whole: the values are whole numbers, and every bin holds the same number of them. None where all values are one, or differ
    by so little that no bins fit between them.
    """
    total = int(counts.sum())
    levels = levels_of(values, counts)
    margin = (levels[99] - levels[1]) * 0.1
    low, high = max(float(values[0]), levels[1] - margin), min(float(values[-1]), levels[99] + margin)
    if not math.isfinite(high - low) or (high - low) / BINS < np.spacing(max(abs(low), abs(high))):
        return None  # all one, or so near that doubles have no bins between them
    if whole:
        step = math.ceil((high - low + 1) / BINS)
        bins = math.ceil((math.floor(high) - math.ceil(low) + 1) / step)
        low = math.ceil(low) - 0.5
        high = low + bins * step
    else:
        bins = BINS
    found, _ = np.histogram(values, bins, (low, high), weights=counts.astype(np.float64))
    return Histogram(low=low, high=high, shares=tuple(float(share) for share in found / total))


def _ends(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float]:
    eighth = (values[-1] - values[0]) / 8
    total = int(counts.sum())
    return int(counts[values <= values[0] + eighth].sum()) / total, int(counts[values >= values[-1] - eighth].sum()) / total


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
