"""The objects of one image, gathered row by row: any height in memory for some rows and a table of the objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.objects.components import Components, GivenNumbers, Numbering
from terrazzo.evaluation.objects.found import FoundObjects, find_objects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.runs import find_runs, objects_of, overlaps_of
from terrazzo.evaluation.objects.table import Objects, Overlaps, added, merged, no_objects, no_overlaps
from terrazzo.labels.legend import IGNORE

Table = TypeVar("Table", Objects, Overlaps)

CHUNK_PX = 1 << 20
"""Pixels of a band looked at at a time."""
MERGE_FROM = 1 << 16
"""Rows of a table from which its parts are merged as they gather."""


class ObjectTally:
    """Gathers the objects of one image from its rows, the same whatever the bands they come in.

    Objects of the labels are those that they tell apart, else, as those of the map, the 8-connected components of the classes.
    Ground where the labels or the map have 255 is left out: it adds to no object, though a component of the map may reach over it.
    """

    def __init__(self, rule: ObjectRule) -> None:
        self._rule = rule
        self._truth: _Side | None = None
        self._predicted: _Side | None = None
        self._overlaps = _Gathered(added, no_overlaps())
        self._row = 0
        self._counted = False

    def add(
        self,
        row_off: int,
        truth: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        instances: NDArray[Any] | None = None,
        predicted_instances: NDArray[Any] | None = None,
    ) -> None:
        """Add the next rows of the image, from top to bottom; between them may be rows that are never added.

        truth, predicted: (height, width) class indices, 255 where left out. instances, predicted_instances: same shape, object numbers,
        0 where there is none; given for all bands of an image or for none.
        Raises UsageError if rows come twice, or numbers only at times.
        """
        if row_off < self._row and self._truth is not None:
            raise UsageError(f"Row {row_off} comes after row {self._row - 1}; the rows of an image must come in order.")
        if self._truth is None or self._predicted is None:
            self._truth, self._predicted = _Side(given=instances is not None), _Side(given=predicted_instances is not None)
        if (instances is None) == self._truth.given or (predicted_instances is None) == self._predicted.given:
            raise UsageError("Some rows of an image come with numbers of objects, others without. Give them for all or for none.")
        height, width = truth.shape
        step = max(1, CHUNK_PX // max(1, width))
        for first in range(0, height if width else 0, step):
            rows = slice(first, first + step)
            self._add(
                row_off + first,
                _Rows(indices=truth[rows], numbers=None if instances is None else instances[rows], side=self._truth),
                _Rows(
                    indices=predicted[rows],
                    numbers=None if predicted_instances is None else predicted_instances[rows],
                    side=self._predicted,
                ),
            )

    def found(self) -> FoundObjects:
        """The objects of the rows so far, matched."""
        truth, predicted = (no_objects() if side is None else side.objects() for side in (self._truth, self._predicted))
        return find_objects(
            truth, predicted, self._all_overlaps(), lowest=self._rule.lowest, least_px=self._rule.least_px, empty=not self._counted
        )

    def _add(self, row_off: int, truth: "_Rows", predicted: "_Rows") -> None:
        below = row_off == self._row
        self._row = row_off + len(truth.indices)
        left_out = (truth.indices == IGNORE) | (predicted.indices == IGNORE)
        counts = ~left_out if left_out.any() else None
        self._counted = self._counted or counts is None or bool(counts.any())
        true, guess = (rows.side.numbering.number(self._mask(rows.indices), rows.numbers, below=below) for rows in (truth, predicted))
        runs = find_runs(row_off, true, guess, counts)
        truth.side.add(objects_of(runs, runs.truth, true))
        predicted.side.add(objects_of(runs, runs.predicted, guess))
        if self._overlaps.add(overlaps_of(runs, true, guess)):
            self._overlaps.become(self._all_overlaps())

    def _all_overlaps(self) -> Overlaps:
        found = self._overlaps.whole()
        if self._truth is None or self._predicted is None:
            return found
        truth, predicted = self._truth.numbering.final(found.truth), self._predicted.numbering.final(found.predicted)
        return added([Overlaps(truth=truth, predicted=predicted, shared=found.shared)])

    def _mask(self, indices: NDArray[np.uint8]) -> NDArray[np.bool_]:
        classes = self._rule.classes
        if len(classes) == 1:
            return np.equal(indices, np.uint8(classes[0]))
        wanted = np.zeros(256, np.bool_)
        wanted[list(classes)] = True
        return wanted[indices]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The next rows of one side."""

    indices: NDArray[np.uint8]
    numbers: NDArray[Any] | None
    side: "_Side"


class _Gathered(Generic[Table]):
    """Tables that come one by one; they are merged whenever they have become twice as long as when they were merged last."""

    def __init__(self, merge: Callable[[Sequence[Table]], Table], first: Table) -> None:
        self._merge: Callable[[Sequence[Table]], Table] = merge
        self._parts: list[Table] = [first]
        self._rows = 0
        self._limit = MERGE_FROM

    def add(self, part: Table) -> bool:
        """Whether it is time to merge."""
        self._parts.append(part)
        self._rows += len(part)
        return self._rows > self._limit

    def whole(self) -> Table:
        return self._merge(self._parts) if len(self._parts) > 1 else self._parts[0]

    def become(self, table: Table) -> None:
        """Keep one table instead of the parts."""
        self._parts, self._rows = [table], len(table)
        self._limit = max(MERGE_FROM, 2 * len(table))


class _Side:
    """The objects of the labels, or those of the map."""

    def __init__(self, *, given: bool) -> None:
        self.given = given
        self.numbering: Numbering = GivenNumbers() if given else Components()
        self._parts = _Gathered(merged, no_objects())

    def add(self, part: Objects) -> None:
        if self._parts.add(part):
            self._parts.become(self.objects())

    def objects(self) -> Objects:
        found = self._parts.whole()
        return found.renumbered(self.numbering.final(found.numbers))
