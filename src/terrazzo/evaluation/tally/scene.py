"""Counting one scene as its rows come, whatever its height, in constant memory.

    tally = SceneTally(classes, options, shape)
    tally.add(Rows(row_off=0, truth=truth, predicted=predicted))       # rows 0 to 99
    tally.add(Rows(row_off=100, truth=truth, predicted=predicted))     # rows 100 to 163
    tally.finish()                                                     # SceneCounts

Each part that counts gets all rows in order; a part that looks at neighbours keeps the few rows that it still needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, UsageError
from terrazzo.evaluation.boundary import BoundaryCounts
from terrazzo.evaluation.confidence import ConfidenceCounts
from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.blocks import BlockTally
from terrazzo.evaluation.tally.boundary import BoundaryTally
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.rasters.window import Shape


@dataclass(frozen=True, kw_only=True)
class SceneCounts:
    """What one scene gives."""

    counts: Counts
    blocks: NDArray[np.int64]
    """(blocks, classes, classes), the confusion of each block of it that holds a pixel."""
    objects: FoundObjects | None = None
    """Matched, where they are asked for."""


class SceneTally:
    """The counts of one scene, fed from top to bottom."""

    def __init__(
        self, classes: int, options: EvaluationOptions, shape: Shape, objects: ObjectRule | None = None, *, overlapping: bool = False
    ) -> None:
        """classes: number of classes. shape: (height, width) of the scene in pixels. objects: which are matched; None: none are.

        overlapping: truth and map are bit sets of the classes.
        """
        self.options = options
        self.shape = shape
        self._classes = classes
        self._overlapping = overlapping
        self._rows = 0
        self._blocks = BlockTally(2**classes if overlapping else classes, shape)
        # each of classes that overlap against the rest
        sides = [2] * classes if overlapping else [classes]
        self._boundaries = [BoundaryTally(number, options.boundary, shape) for number in sides] if options.boundary else []
        self._confidence: ConfidenceCounts | None = None
        self._objects = None if objects is None else ObjectTally(objects)

    def add(self, rows: Rows) -> None:
        """Count the next rows; those before them have been added.

        Raises LabelError if the arrays do not fit each other or the scene, UsageError if the rows are not the next ones.
        """
        if rows.row_off != self._rows:
            raise UsageError(f"Rows from {rows.row_off} cannot be counted after {self._rows} rows; rows come in order.")
        if not rows.truth.shape == rows.predicted.shape == (len(rows.truth), self.shape[1]):
            raise LabelError(
                f"The labels have shape {rows.truth.shape} and the prediction {rows.predicted.shape}; both must be {self.shape[1]} wide."
            )
        self._blocks.add(rows)
        for number, boundary in enumerate(self._boundaries):
            boundary.add(rows.alone(number) if self._overlapping else rows)
        if rows.probabilities is not None:
            if self._confidence is None:
                self._confidence = ConfidenceCounts.none(self._classes, overlapping=self._overlapping)
            self._confidence.add(rows.truth, rows.predicted, rows.probabilities)
        if self._objects is not None:
            self._objects.add(rows.row_off, rows.truth, rows.predicted, rows.instances, rows.predicted_instances)
        self._rows = rows.row_end

    def finish(self) -> SceneCounts:
        """The counts of the scene, once all its rows were added. Raises UsageError if some were not."""
        if self._rows != self.shape[0]:
            raise UsageError(f"{self._rows} rows of {self.shape[0]} were counted; all are needed.")
        confusion, blocks = self._blocks.finish()
        return SceneCounts(
            counts=Counts(confusion=confusion, boundary=self._boundary(), confidence=self._confidence),
            blocks=blocks,
            objects=self._objects.found() if self._objects is not None else None,
        )

    def _boundary(self) -> BoundaryCounts | None:
        if not self._boundaries:
            return None
        found = [boundary.finish() for boundary in self._boundaries]
        return BoundaryCounts.side_by_side([each.of_class(1) for each in found]) if self._overlapping else found[0]
