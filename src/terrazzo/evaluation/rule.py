"""The best value rule: what a single threshold on one band achieves, as a baseline for a model.

For each class the rule is the interval of values with the best F1 on the training pixels; it is then scored on held-out ones:

    counted = ValueHistogram(classes)              # training images, in any number
    counted.add(values, truth)
    held_out = RuleScores(best_rules(counted))     # other images
    held_out.add(values, truth)
    held_out.f1()
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, UsageError
from terrazzo.evaluation.confusion import check_indices
from terrazzo.evaluation.scores import Score, f_score
from terrazzo.labels.legend import IGNORE

BINS = 1 << 16
"""Bins at most: images of 8 and 16 bits keep a bin for each value."""

PIECE = 1 << 22
"""Counts held for the distinct values of one piece of an image, so that memory stays bounded."""


@dataclass(frozen=True, kw_only=True)
class ValueRule:
    """A pixel is of the class if low <= value <= high."""

    low: float
    """Smallest value, in the band's units; -inf if the training pixels hold no smaller one."""
    high: float
    """Largest value, in the band's units; inf if the training pixels hold no larger one."""
    f1: float
    """F1 on the pixels that the rule was chosen from, 0 to 1."""

    def takes(self, values: NDArray[np.number]) -> NDArray[np.bool_]:
        """Which values are of the class; NaN is not."""
        return (values >= self.low) & (values <= self.high)

    def __str__(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "all values"
        low = "" if math.isinf(self.low) else f"{self.low:.6g} <= "
        high = "" if math.isinf(self.high) else f" <= {self.high:.6g}"
        return f"{low}value{high}"


class ValueHistogram:
    """Pixels of one band counted by value and class, in one pass over any number of images.

    Each distinct value has a bin of its own until there are more than `bins`; then neighbours are merged at quantiles to
    which every class contributes alike, so that a rare class keeps its resolution. No count is ever lost or estimated.

    lows, highs: float64 (n,), smallest and largest value of each bin; ascending, bins do not overlap. counts: int64 (n, classes).
    """

    def __init__(self, classes: int, bins: int = BINS) -> None:
        """classes: number of classes, 1 to 255. bins: bins at most, 2 or more. Raises UsageError otherwise."""
        if not 1 <= classes <= IGNORE or bins < 2:
            raise UsageError(f"classes is {classes} and bins is {bins}; a histogram takes 1 to {IGNORE} classes and 2 bins or more.")
        self.classes = classes
        self.bins = bins
        self.lows: NDArray[np.float64] = np.empty(0)
        self.highs: NDArray[np.float64] = np.empty(0)
        self.counts: NDArray[np.int64] = np.empty((0, classes), np.int64)

    def add(self, values: NDArray[np.number], truth: NDArray[np.uint8]) -> None:
        """Count one image, or a part of one.

        values: one band, real numbers; NaN and infinite values are left out. truth: class indices of the same shape, 255: left out.
        Raises LabelError if the shapes differ or an index is outside the classes.
        """
        values, truth = _valid_pixels(values, truth, self.classes)
        piece = max(PIECE // self.classes, 1)
        for start in range(0, values.size, piece):
            self._merge(*_count_values(values[start : start + piece], truth[start : start + piece], self.classes))
            if len(self.lows) > self.bins:
                self._coarsen()

    def _merge(self, values: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
        """Add the counts of ascending, distinct values: to the bins that hold them, else as new bins."""
        at = np.searchsorted(self.highs, values)  # the first bin that does not end before the value
        known = at < len(self.lows)
        known[known] = self.lows[at[known]] <= values[known]
        np.add.at(self.counts, at[known], counts[known])
        self.lows = np.insert(self.lows, at[~known], values[~known])
        self.highs = np.insert(self.highs, at[~known], values[~known])
        self.counts = np.insert(self.counts, at[~known], counts[~known], axis=0)

    def _coarsen(self) -> None:
        """Merge neighbours until at most half of the bins are left, so that merging stays rare."""
        shares = self.counts / np.maximum(self.counts.sum(axis=0), 1)
        weights = shares.sum(axis=1)
        ends = np.cumsum(weights)
        quantile = np.floor((ends - weights / 2) / ends[-1] * (self.bins // 2))
        first = np.flatnonzero(np.diff(quantile, prepend=-1.0))
        self.lows, self.highs = self.lows[first], self.highs[np.append(first[1:], len(quantile)) - 1]
        self.counts = np.add.reduceat(self.counts, first, axis=0)


def best_rules(histogram: ValueHistogram) -> list[ValueRule | None]:
    """The interval of values with the best F1 for each class; None for a class without pixels.

    No other interval of bins has a higher F1. An interval that reaches the first or last bin is open on that side.
    """
    taken = _running(histogram.counts.sum(axis=1))
    return [_best_rule(histogram, _running(histogram.counts[:, index]), taken) for index in range(histogram.classes)]


class RuleScores:
    """How well rules find their classes on held-out images; every rule is scored by itself."""

    def __init__(self, rules: Sequence[ValueRule | None]) -> None:
        """rules: one for each class in order; None finds nothing."""
        self.rules = tuple(rules)
        self.hits: NDArray[np.int64] = np.zeros(len(rules), np.int64)
        self.taken: NDArray[np.int64] = np.zeros(len(rules), np.int64)
        self.support: NDArray[np.int64] = np.zeros(len(rules), np.int64)

    def add(self, values: NDArray[np.number], truth: NDArray[np.uint8]) -> None:
        """Score one image, or a part of one; arguments and errors as in ValueHistogram.add."""
        values, truth = _valid_pixels(values, truth, len(self.rules))
        self.support += np.bincount(truth, minlength=len(self.rules))
        for index, rule in enumerate(self.rules):
            if rule is not None:
                found = np.bincount(truth[rule.takes(values)], minlength=len(self.rules))
                self.hits[index] += found[index]
                self.taken[index] += found.sum()

    def f1(self) -> list[Score]:
        """F1 of each class's rule, 0 to 1; None for a class that occurs nowhere and whose rule takes nothing."""
        scores = f_score(self.hits, self.taken - self.hits, self.support - self.hits)
        return [None if math.isnan(score) else score for score in scores.tolist()]


def _valid_pixels(values: NDArray[np.number], truth: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.number], NDArray[np.uint8]]:
    """Values and class indices of the pixels that count: both (pixels,)."""
    if values.shape != truth.shape:
        raise LabelError(f"The labels have shape {truth.shape} and the band {values.shape}; they must be of the same size.")
    check_indices(truth, "labels", classes)
    valid = (truth != IGNORE) & np.isfinite(values)
    return values[valid], truth[valid]


def _count_values(values: NDArray[np.number], truth: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Ascending distinct values (n,) and their counts by class (n, classes)."""
    each = [np.unique(values[truth == index], return_counts=True) for index in range(classes)]
    distinct = np.unique(np.concatenate([found for found, _ in each]))
    counts = np.zeros((len(distinct), classes), np.int64)
    for index, (found, number) in enumerate(each):
        counts[np.searchsorted(distinct, found), index] = number
    return distinct.astype(np.float64), counts


def _running(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of the first 0, 1, ... n counts: (n + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _best_rule(histogram: ValueHistogram, hits: NDArray[np.int64], taken: NDArray[np.int64]) -> ValueRule | None:
    """The best interval of one class; hits, taken: running counts (n + 1,) of the class and of all pixels.

    F1 is 2 hits / (support + taken). An interval better than F1 = f exists if and only if the largest rise of
    2 hits - f taken exceeds f support; take the interval of that rise, and try again with its F1 until none is better.
    Source: W. Dinkelbach, On nonlinear fractional programming, 1967.
    """
    start, end, best = 0, 0, 0.0
    while hits[-1] > 0:
        gain = 2.0 * hits - best * taken
        rise_end = int(np.argmax(gain[1:] - np.minimum.accumulate(gain[:-1]))) + 1
        rise_start = int(np.argmin(gain[:rise_end]))
        f1 = float(2 * (hits[rise_end] - hits[rise_start]) / (hits[-1] + taken[rise_end] - taken[rise_start]))
        if f1 <= best:
            low = histogram.lows[start] if start > 0 else -math.inf
            high = histogram.highs[end - 1] if end < len(histogram.highs) else math.inf
            return ValueRule(low=float(low), high=float(high), f1=best)
        start, end, best = rise_start, rise_end, f1
    return None
