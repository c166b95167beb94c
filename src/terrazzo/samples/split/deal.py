"""Dealing: units that must not be torn apart go to the parts of a split, by a seeded draw."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST, DROPPED = 0, 1, 2, -1
Sides = NDArray[np.int8]
Units = NDArray[np.int64]

TRIES = 256
ALIKE_TRIES = 1024
"""Where the parts are to be alike in more than their size."""
WORK = 2e7
"""Window-unit pairs that all tries together look at, roughly; large tables get fewer tries."""
FEWEST_TRIES = 24
CUTS = 6
"""Cuts for the validation part that are tried in one order."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """What is dealt: windows, or scenes."""

    units: Units
    """(items, n) units, from 0, that an item lies in; repeated to fill the row. An item of units on two sides is dropped."""
    classes: NDArray[np.int64]
    """(items, classes) pixels of each class."""
    alike: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """(items, n) quantities whose mean should be alike in all parts, or nothing."""

    @property
    def count(self) -> int:
        """How many units there are."""
        return int(self.units.max(initial=-1)) + 1

    def part(self, chosen: NDArray[np.bool_], units: Units) -> "Items":
        """Some of the items, with other numbers for their units."""
        alike = self.alike[chosen] if self.alike.size else self.alike
        return Items(units=units, classes=self.classes[chosen], alike=alike)


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Wanted shares of the items that are kept."""

    validation: float
    test: float


def deal(items: Items, shares: Shares, seed: int) -> Sides:
    """Deal units to training, validation and test; the side of each unit. `of_items` tells where that leaves the items.

    Orders of the units are drawn, and each is cut where the shares come closest to the wanted ones. Of all draws the one is taken
    that leaves no wanted part empty, has the classes in all parts, comes closest to the shares (and is most alike), and drops the
    fewest items, in this order of importance.
    """
    best: tuple[tuple[float, ...], Sides] = (), np.full(items.count, TRAIN, np.int8)
    if not shares.validation and not shares.test:
        return best[1]
    rng = np.random.default_rng(seed)
    most = ALIKE_TRIES if items.alike.size else TRIES
    for _ in range(int(np.clip(WORK / max(items.units.size, 1), FEWEST_TRIES, most))):
        sides = _cut(items, rng.permutation(items.count), shares)
        badness = _badness(items, of_items(items.units, sides), shares)
        if not best[0] or badness < best[0]:
            best = badness, sides
    return best[1]


def of_items(units: Units, sides: Sides) -> Sides:
    """The side of each item, or DROPPED where its units went to different sides.

    units: (items, n). sides: of each unit.
    """
    found = sides[units]
    return np.where((found == found[:, :1]).all(1), found[:, 0], DROPPED).astype(np.int8)


def _cut(items: Items, rank: NDArray[np.int64], shares: Shares) -> Sides:
    """Cut an order of the units: the first are for validation, the next for the test, the rest for training.

    rank: of each unit.
    """
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
    sides = np.full(units, TRAIN, np.int8)
    sides[rank < best_cuts[1]] = TEST
    sides[rank < best_cuts[0]] = VALIDATION
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
    """Smaller is better: empty parts, missing classes (twice as bad in training), distance from the shares and from being alike,
    dropped items.

    sides: of the items.
    """
    wanted = {TRAIN: 1.0 - shares.validation - shares.test, VALIDATION: shares.validation, TEST: shares.test}
    counts = {side: int(np.count_nonzero(sides == side)) for side, share in wanted.items() if share}
    kept = max(sum(counts.values()), 1)
    present = items.classes.any(0)
    missing = 0.0
    for side in counts:
        absent = present & ~items.classes[sides == side].any(0)
        missing += float(absent.sum()) * (2 if side == TRAIN else 1)
    error = sum(abs(count / kept - wanted[side]) for side, count in counts.items())
    return (
        sum(count == 0 for count in counts.values()),
        missing,
        round(error + _unlike(items, sides, list(counts)), 2),
        1.0 - kept / max(len(sides), 1),
    )


def _unlike(items: Items, sides: Sides, parts: list[int]) -> float:
    """How far the means of the parts are from those of all kept items: relative, the mean of all quantities, the sum of all parts."""
    if not items.alike.size:
        return 0.0
    everywhere = items.alike[sides != DROPPED].sum(0) / max(int(np.count_nonzero(sides != DROPPED)), 1)
    present = everywhere > 0
    unlike = 0.0
    for side in parts:
        chosen = sides == side
        mean = items.alike[chosen].sum(0) / max(int(np.count_nonzero(chosen)), 1)
        unlike += float(np.mean(np.abs(mean[present] / everywhere[present] - 1))) if present.any() else 0.0
    return unlike
