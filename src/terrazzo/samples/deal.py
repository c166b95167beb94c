"""Dealing: units that must not be torn apart go to the parts of a split, by a seeded draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST, DROPPED = 0, 1, 2, -1
Sides = NDArray[np.int8]

TRIES = 256
WORK = 2e7
"""Window-unit pairs that all tries together look at, roughly; large tables get fewer tries."""
FEWEST_TRIES = 24
CUTS = 6
"""Cuts for the validation part that are tried in one order."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """What is dealt: windows, or scenes."""

    units: NDArray[np.int64]
    """(items, n) units, from 0, that an item lies in; repeated to fill the row. An item of units on two sides is dropped."""
    classes: NDArray[np.int64]
    """(items, classes) pixels of each class."""

    @property
    def count(self) -> int:
        """How many units there are."""
        return int(self.units.max(initial=-1)) + 1


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Wanted shares of the items that are kept."""

    validation: float
    test: float


def deal(items: Items, shares: Shares, seed: int) -> Sides:
    """Deal units to training, validation and test; the side of each item, or DROPPED where its units went to different sides.

    Orders of the units are drawn, and each is cut where the shares come closest to the wanted ones. Of all draws the one is taken
    that leaves no wanted part empty, has the classes in all parts, comes closest to the shares, and drops the fewest items, in this
    order of importance.
    """
    if not shares.validation and not shares.test:
        return np.full(len(items.units), TRAIN, np.int8)
    rng = np.random.default_rng(seed)
    best: tuple[tuple[float, ...], Sides] | None = None
    for _ in range(int(np.clip(WORK / max(items.units.size, 1), FEWEST_TRIES, TRIES))):
        sides = _cut(items, rng.permutation(items.count), shares)
        badness = _badness(items, sides, shares)
        if best is None or badness < best[0]:
            best = badness, sides
    return best[1] if best is not None else np.full(len(items.units), TRAIN, np.int8)


def _cut(items: Items, rank: NDArray[np.int64], shares: Shares) -> Sides:
    """Cut an order of the units: the first are for validation, the next for the test, the rest for training."""
    low, high = rank[items.units].min(1), rank[items.units].max(1)
    units = items.count
    before = _cumulative(high, units)  # before[p]: items wholly in the first p units
    after = len(low) - _cumulative(low, units)  # after[p]: items wholly beyond them
    if shares.validation:
        error = np.abs(before / np.maximum(before + after, 1) - shares.validation) + (before == 0)
        cuts = np.argsort(error, kind="stable")[: CUTS if shares.test else 1]
    else:
        cuts = np.zeros(1, np.int64)
    best_error, best_cuts = np.inf, (0, 0)
    for first in cuts.tolist():
        second, error_there = _second_cut(low, high, after, first, shares) if shares.test else (first, 0.0)
        if error_there < best_error:
            best_error, best_cuts = error_there, (first, second)
    first, second = best_cuts
    sides = np.full(len(low), DROPPED, np.int8)
    sides[high < first] = VALIDATION
    sides[(low >= first) & (high < second)] = TEST
    sides[low >= second] = TRAIN
    return sides


def _second_cut(low: NDArray[np.int64], high: NDArray[np.int64], after: NDArray[np.int64], first: int, shares: Shares) -> tuple[int, float]:
    """Where the test part ends, when the validation part ends at `first`, and how far the shares are off then."""
    units = len(after) - 1
    validation = int(np.count_nonzero(high < first))
    test = _cumulative(high[low >= first], units)
    kept = np.maximum(validation + test + after, 1)
    error = np.abs(validation / kept - shares.validation) + np.abs(test / kept - shares.test) + (test == 0)
    error[:first] = np.inf
    second = int(np.argmin(error))
    return second, float(error[second])


def _cumulative(ranks: NDArray[np.int64], units: int) -> NDArray[np.int64]:
    """(units + 1,) how many ranks are smaller than 0, 1, ..., units."""
    return np.concatenate([[0], np.cumsum(np.bincount(ranks, minlength=units)[:units])])


def _badness(items: Items, sides: Sides, shares: Shares) -> tuple[float, ...]:
    """Smaller is better: empty parts, missing classes (twice as bad in training), distance from the shares, dropped items."""
    wanted = {TRAIN: 1.0 - shares.validation - shares.test, VALIDATION: shares.validation, TEST: shares.test}
    counts = {side: int(np.count_nonzero(sides == side)) for side, share in wanted.items() if share}
    kept = max(sum(counts.values()), 1)
    present = items.classes.any(0)
    missing = 0.0
    for side in counts:
        absent = present & ~items.classes[sides == side].any(0)
        missing += float(absent.sum()) * (2 if side == TRAIN else 1)
    error = sum(abs(count / kept - wanted[side]) for side, count in counts.items())
    return sum(count == 0 for count in counts.values()), missing, round(error, 2), 1.0 - kept / max(len(sides), 1)
