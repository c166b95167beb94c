"""Which predicted object is which true one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.table import Numbers, Objects, Overlaps

MILLION = 1_000_000
"""Thresholds are whole millionths: 0.55 is 550,000, not the nearest binary number, and 11 of 20 pixels are not above it."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of true and predicted objects with a pixel in common, each array (n,)."""

    truth: NDArray[np.intp]
    """Position among the true objects."""
    predicted: NDArray[np.intp]
    """Position among the predicted objects."""
    shared: Numbers
    """Pixels of both."""
    union: Numbers
    """Pixels of either."""

    def __len__(self) -> int:
        return len(self.shared)

    @property
    def iou(self) -> NDArray[np.float64]:
        """Shared by union, above 0 and at most 1."""
        shares: NDArray[np.float64] = self.shared / self.union
        return shares

    def take(self, positions: NDArray[np.intp]) -> "Pairs":
        """The pairs at some positions, in their order."""
        return Pairs(
            truth=self.truth[positions], predicted=self.predicted[positions], shared=self.shared[positions], union=self.union[positions]
        )

    def above(self, thresholds: Numbers) -> NDArray[np.bool_]:
        """(thresholds, n): whether the IoU is greater than a threshold, in millionths; exact."""
        larger: NDArray[np.bool_] = self.shared * MILLION > thresholds[:, None] * self.union
        return larger


def pair(truth: Objects, predicted: Objects, overlaps: Overlaps) -> Pairs:
    """All pairs that have a pixel in common. truth, predicted: with numbers 0, 1, ... in their order, as the overlaps have them."""
    union = truth.area[overlaps.truth] + predicted.area[overlaps.predicted] - overlaps.shared
    return Pairs(truth=overlaps.truth, predicted=overlaps.predicted, shared=overlaps.shared, union=union)


def match(pairs: Pairs, lowest: int) -> Pairs:
    """Of pairs with an IoU greater than `lowest` (in millionths), those that match: no object is in two of them.

    The pair with the largest IoU is taken first; among equals, that of the first true object, then of the first predicted one. So what
    matches at a threshold is what matches at a lower one and has the IoU. Of IoUs above 0.5 an object has at most one, and nothing
    has to be chosen.
    """
    found = pairs.take(np.flatnonzero(pairs.above(np.array([lowest]))[0]))
    found = found.take(np.lexsort((found.predicted, found.truth, -found.iou)))
    if lowest * 2 >= MILLION:
        return found
    taken: tuple[set[int], set[int]] = (set(), set())
    kept = []
    for position, (true, guess) in enumerate(zip(found.truth.tolist(), found.predicted.tolist(), strict=True)):
        if true not in taken[0] and guess not in taken[1]:
            taken[0].add(true)
            taken[1].add(guess)
            kept.append(position)
    return found.take(np.array(kept, np.intp))


def best_iou(places: NDArray[np.intp], iou: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(count,) largest IoU of each object's pairs, 0 where it has none."""
    best = np.zeros(count)
    np.maximum.at(best, places, iou)
    return best
