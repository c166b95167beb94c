"""Numbers of objects in maps that come row by row: those of 8-connected components, or those that labels have."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """The objects of a band of rows."""

    places: NDArray[Any]
    """(height, width) of any integer type: 0 where there is no object."""
    base: int
    """What is added to numbers above 0 to have those of the whole image."""

    def numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers in the whole image of objects of this band; none may be 0."""
        return places + self.base


class Numbering(Protocol):
    """Tells the objects of one image apart, band by band from top to bottom."""

    def number(self, mask: NDArray[np.bool_], given: NDArray[Any] | None, *, below: bool) -> Numbered:
        """Number the objects of the next rows.

        mask: (height, width), where objects may be; at least a row. given: their numbers where the labels have them, same shape.
        below: whether the rows lie right below those before.
        """
        ...

    def final(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the numbers of earlier bands have become, now that all rows are known: the same for all parts of an object."""
        ...


class GivenNumbers:
    """Objects that labels tell apart, though they touch; one may lie in several pieces."""

    def number(self, mask: NDArray[np.bool_], given: NDArray[Any] | None, *, below: bool) -> Numbered:  # noqa: ARG002 - no seam matters
        assert given is not None
        return Numbered(places=given * mask, base=0)

    def final(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return numbers


class Unions:
    """Numbers from 1 on, of which some turn out to be the same: eight bytes for each (union-find)."""

    def __init__(self) -> None:
        self._parents = array("q", [0])
        """Of each number a lower one that is the same, or itself."""

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self._parents) - 1

    def extend(self, count: int) -> None:
        """Add numbers, each of them another."""
        self._parents.extend(range(len(self._parents), len(self._parents) + count))

    def unite(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        """Numbers of two rows of pixels that are the same, (n,) each; in neighbouring pixels they mostly repeat."""
        pairs = np.stack([one, other], axis=1)
        fresh = np.ones(len(pairs), np.bool_)
        fresh[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
        for first, second in pairs[fresh].tolist():
            low, high = sorted((self._root(first), self._root(second)))
            self._parents[high] = low

    def roots(self) -> NDArray[np.int64]:
        """(numbers + 1,): what each number has become, by the number; 0 stays 0."""
        roots = np.array(self._parents, np.int64)
        while True:
            above = roots[roots]
            if np.array_equal(above, roots):
                return roots
            roots = above

    def _root(self, number: int) -> int:
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number


class Components:
    """8-connected components, the same whatever the bands: those that meet at a seam become one.

    Keeps one row of the image and eight bytes for each component of each band.
    """

    def __init__(self) -> None:
        self._unions = Unions()
        self._last: NDArray[np.int64] | None = None

    def number(self, mask: NDArray[np.bool_], given: NDArray[Any] | None, *, below: bool) -> Numbered:  # noqa: ARG002 - none are given
        found, places = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        numbered = Numbered(places=places, base=len(self._unions))
        self._unions.extend(found - 1)
        if self._last is not None and below:
            self._join(self._last, _row(numbered, 0))
        self._last = _row(numbered, -1)
        return numbered

    def final(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._unions.roots()[numbers]

    def _join(self, upper: NDArray[np.int64], lower: NDArray[np.int64]) -> None:
        for above, under in diagonals(upper, lower, (-1, 0, 1)):
            touching = np.flatnonzero((above > 0) & (under > 0))
            self._unions.unite(above[touching], under[touching])


def diagonals(upper: NDArray[Any], lower: NDArray[Any], shifts: Iterable[int]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Of two rows of pixels (..., width), one below the other, what meets where the lower is shifted to the left by so many columns."""
    width = upper.shape[-1]
    for shift in shifts:
        yield upper[..., max(0, -shift) : width - max(0, shift)], lower[..., max(0, shift) : width - max(0, -shift)]


def _row(numbered: Numbered, row: int) -> NDArray[np.int64]:
    places: NDArray[np.int64] = numbered.places[row].astype(np.int64)
    places[places > 0] += numbered.base
    return places
