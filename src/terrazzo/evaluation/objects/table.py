"""Objects as tables: how large each is and where it lies, and how many pixels two have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

SMALL_TABLE = 1 << 16
"""Numbers up to this, or to the fourfold of how many there are, are told apart by a table, larger ones by sorting."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Objects of one image, or parts of them; adding up is all it takes to have the whole."""

    numbers: Numbers
    """(n,)."""
    sums: Numbers
    """(4, n): pixels, pixels on ground that is left out, and twice the sums of x and y of the centres of all of them."""
    lows: Numbers
    """(4, n): first column, first row, -(last column + 1), -(last row + 1)."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def area(self) -> Numbers:
        """Pixels on ground that counts."""
        return np.asarray(self.sums[0])

    @property
    def left_out(self) -> Numbers:
        """Pixels on ground that is left out."""
        return np.asarray(self.sums[1])

    @property
    def centers(self) -> NDArray[np.float64]:
        """(n, 2): the centroid as (column, row), 0.5 in the middle of the first pixel."""
        centers: NDArray[np.float64] = (self.sums[2:] / (2 * (self.area + self.left_out))).T
        return centers

    @property
    def sides(self) -> Numbers:
        """(n, 2): width and height of the bounding box, in pixels."""
        return (-self.lows[2:] - self.lows[:2]).T

    def take(self, positions: NDArray[np.intp]) -> "Objects":
        """The objects at some positions, in their order."""
        return Objects(numbers=self.numbers[positions], sums=self.sums[:, positions], lows=self.lows[:, positions])

    def renumbered(self, numbers: Numbers) -> "Objects":
        """The same under other numbers; those that now share one become one object."""
        return merged([replace(self, numbers=numbers)])

    def reading_order(self) -> NDArray[np.intp]:
        """Positions of the objects by first row and first column of their bounding box: the same however they were numbered."""
        left, top, right, bottom = self.lows
        return np.lexsort((*self.sums, right, bottom, left, top))


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """How many pixels true and predicted objects have in common; pairs without any are not listed."""

    truth: Numbers
    predicted: Numbers
    shared: Numbers

    def __len__(self) -> int:
        return len(self.shared)


def no_objects() -> Objects:
    return Objects(numbers=np.zeros(0, np.int64), sums=np.zeros((4, 0), np.int64), lows=np.zeros((4, 0), np.int64))


def no_overlaps() -> Overlaps:
    return Overlaps(truth=np.zeros(0, np.int64), predicted=np.zeros(0, np.int64), shared=np.zeros(0, np.int64))


def merged(parts: Sequence[Objects]) -> Objects:
    """The parts of one number as one object."""
    numbers, places = distinct(np.concatenate([part.numbers for part in parts]))
    sums = _added(np.concatenate([part.sums for part in parts], axis=1), places, len(numbers))
    lows = np.full((4, len(numbers)), np.iinfo(np.int64).max)
    for low, values in zip(lows, np.concatenate([part.lows for part in parts], axis=1), strict=True):
        np.minimum.at(low, places, values)
    return Objects(numbers=numbers, sums=sums, lows=lows)


def added(parts: Sequence[Overlaps]) -> Overlaps:
    """The pixels of each pair of numbers together."""
    truth, truth_places = distinct(np.concatenate([part.truth for part in parts]))
    predicted, predicted_places = distinct(np.concatenate([part.predicted for part in parts]))
    pairs, places = distinct(truth_places * len(predicted) + predicted_places)
    shared = _added(np.concatenate([part.shared for part in parts])[None], places, len(pairs))[0]
    if not len(pairs):
        return no_overlaps()
    return Overlaps(truth=truth[pairs // len(predicted)], predicted=predicted[pairs % len(predicted)], shared=shared)


def distinct(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """The different numbers in their order, and the place of each among them. Numbers are 0 or more."""
    largest = int(numbers.max(initial=0))
    if largest >= max(SMALL_TABLE, 4 * len(numbers)):
        found, places = np.unique(numbers, return_inverse=True)
        return found, places.astype(np.int64)
    present = np.zeros(largest + 1, np.bool_)
    present[numbers] = True
    found = np.flatnonzero(present)
    table = np.zeros(largest + 1, np.int64)
    table[found] = np.arange(len(found))
    return found, table[numbers]


def _added(values: Numbers, places: Numbers, count: int) -> Numbers:
    """(rows, count) sums of (rows, n) values by place."""
    sums = np.zeros((len(values), count), np.int64)
    for total, row in zip(sums, values, strict=True):
        np.add.at(total, places, row)
    return sums
