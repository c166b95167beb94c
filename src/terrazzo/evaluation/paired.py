"""Two maps of the same scenes compared: the difference of their scores, how sure it is, and whether chance would do as well.

Scenes, or blocks of ground where scenes are few, are what is drawn and swapped: the pixels of one scene are no independent witnesses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.bootstrap import FEWEST_UNITS, Interval, interval, resampled
from terrazzo.labels.legend import Legend

FEWEST_TESTED = 6
"""Units of which chance alone brings the most extreme outcome in more than 3 of 100 cases are no basis for a test."""
MOST_ENUMERATED = 12
"""Units of which all swaps are tried; of more, some are drawn."""
EQUAL = 1e-12
"""Differences that rounding alone makes are none."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much higher a score of the second map is than that of the first."""

    score: str
    """Such as mean_iou, or iou_7 of the class with the value 7."""
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    """Bounds of the 95 % interval of the difference; None where there are too few units."""
    high: float | None
    p: float | None
    """How often swapping the maps of units at random makes a difference as large; None where there are too few units."""
    better: int
    """Units in which the second map scores higher."""
    worse: int
    alike: int
    """Units in which both score alike, or one has no such score."""


def score_names(legend: Legend) -> list[str]:
    """The scores that are compared, in the order in which `scores_of` gives them."""
    return ["accuracy", "mean_iou", "mean_dice", *(f"{name}_{value}" for name in ("iou", "dice") for value in legend.values)]


def scores_of(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """(..., 3 + 2 classes) accuracy, mean IoU, mean Dice, then IoU and Dice of each class; NaN where there is nothing to score.

    counts: (..., classes, classes) pixels, rows are the truth.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    both = counts.sum(axis=-1) + counts.sum(axis=-2) - hits
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = hits / both
        dice = 2 * hits / (both + hits)
        accuracy = hits.sum(axis=-1) / counts.sum(axis=(-2, -1))
        present = np.maximum((both > 0).sum(axis=-1), 1)
        means = [np.where((both > 0).any(axis=-1), np.nansum(score, axis=-1) / present, np.nan) for score in (iou, dice)]
    found: NDArray[np.float64] = np.concatenate([np.stack([accuracy, *means], axis=-1), iou, dice], axis=-1)
    return found


def compare(first: NDArray[np.int64], second: NDArray[np.int64], legend: Legend, resamples: int, seed: int) -> list[Difference]:
    """Compare the counts of two maps, unit by unit.

    Scores are those of all units' counts together. Intervals come from drawing units with replacement, the same for both maps; p from
    swapping the two maps of each unit, all ways of it for few units, else `resamples` draws.

    first, second: (units, classes, classes) pixels of the same units. resamples: 0 for neither intervals nor p.
    """
    units = len(first)
    totals = [scores_of(counts.sum(axis=0)) for counts in (first, second)]
    observed = totals[1] - totals[0]
    bounds = _bounds(first, second, resamples, seed) if units >= FEWEST_UNITS and resamples else [None] * len(observed)
    p = _chance(first, second, observed, resamples, np.random.default_rng(seed)) if units >= FEWEST_TESTED and resamples else None
    each = scores_of(second) - scores_of(first)
    better, worse = (each > EQUAL).sum(axis=0), (each < -EQUAL).sum(axis=0)
    return [
        Difference(
            score=name,
            first=_plain(totals[0][number]),
            second=_plain(totals[1][number]),
            difference=_plain(observed[number]),
            low=bound[0] if (bound := bounds[number]) is not None else None,
            high=bound[1] if bound is not None else None,
            p=_plain(p[number]) if p is not None else None,
            better=int(better[number]),
            worse=int(worse[number]),
            alike=units - int(better[number]) - int(worse[number]),
        )
        for number, name in enumerate(score_names(legend))
    ]


def compare_means(score: str, first: NDArray[np.float64], second: NDArray[np.float64], resamples: int, seed: int) -> Difference:
    """Compare the means of a score that each scene has by itself, such as the F2 of its objects.

    first, second: (scenes,), no NaN. Otherwise as `compare`.
    """
    units, apart = len(first), second - first
    observed = float(apart.mean())
    bound, p = None, None
    if units >= FEWEST_UNITS and resamples:
        bound = interval(np.concatenate(list(resampled(apart, resamples, seed))) / units)
    if units >= FEWEST_TESTED and resamples:
        flipped = (1 - 2 * _swaps(units, resamples, np.random.default_rng(seed))) @ apart / units
        p = float((np.abs(flipped) >= abs(observed) - EQUAL).mean())
    better, worse = int((apart > EQUAL).sum()), int((apart < -EQUAL).sum())
    return Difference(
        score=score,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=observed,
        low=bound[0] if bound is not None else None,
        high=bound[1] if bound is not None else None,
        p=p,
        better=better,
        worse=worse,
        alike=units - better - worse,
    )


def _bounds(first: NDArray[np.int64], second: NDArray[np.int64], resamples: int, seed: int) -> list[Interval]:
    """The interval of each difference: the same seed draws the same units of both."""
    drawn = zip(resampled(first, resamples, seed), resampled(second, resamples, seed), strict=True)
    differences = np.concatenate([scores_of(other) - scores_of(one) for one, other in drawn])
    return [interval(values) for values in differences.T]


def _chance(
    first: NDArray[np.int64], second: NDArray[np.int64], observed: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The share of swaps whose difference is at least as large; NaN where there is no difference to test."""
    swaps = _swaps(len(first), resamples, rng)
    kept = 1 - swaps
    one = _pooled(kept, first) + _pooled(swaps, second)
    other = _pooled(swaps, first) + _pooled(kept, second)
    differences = scores_of(other) - scores_of(one)
    with np.errstate(invalid="ignore"):
        as_large = np.abs(differences) >= np.abs(observed) - EQUAL
    # a swap that leaves a score undefined speaks neither way
    defined = ~np.isnan(differences)
    shares: NDArray[np.float64] = (as_large & defined).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)
    return np.where(np.isnan(observed), np.nan, shares)


def _swaps(units: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(draws, units) whether the two maps of a unit are swapped: all ways for few units, else drawn ones, what was observed among them."""
    if units <= MOST_ENUMERATED:
        return (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.float64)
    swaps = rng.integers(0, 2, (resamples, units)).astype(np.float64)
    # so p is never 0
    swaps[0] = 0
    return swaps


def _pooled(weights: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(draws, classes, classes) weighted sums over the units; exact, for counts are far below 2^53."""
    units, classes = counts.shape[:2]
    pooled: NDArray[np.float64] = (weights @ counts.reshape(units, -1).astype(np.float64)).reshape(-1, classes, classes)
    return pooled


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
