"""Counting one scene as its rows come, whatever its height, in constant memory.

    tally = SceneTally(classes, options, shape)
    tally.add(Rows(row_off=0, truth=truth, predicted=predicted))       # rows 0 to 99
    tally.add(Rows(row_off=100, truth=truth, predicted=predicted))     # rows 100 to 163
    tally.finish()                                                     # Counts

Each part that counts gets all rows in order; a part that looks at neighbours keeps the few rows that it still needs.
"""

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.rasters.window import Shape


class SceneTally:
    """The counts of one scene, fed from top to bottom."""

    def __init__(self, classes: int, options: EvaluationOptions, shape: Shape, objects: ObjectRule | None = None) -> None:
        """classes: number of classes. shape: (height, width) of the scene in pixels. objects: which are matched; None: none are."""
        self.options = options
        self.shape = shape
        self._rows = 0
        self._confusion = Confusion(classes)
        self._objects = None if objects is None else ObjectTally(objects)

    def add(self, rows: Rows) -> None:
        """Count the next rows; those before them have been added.

        Raises LabelError if the arrays do not fit each other, UsageError if the rows are not the next ones.
        """
        if rows.row_off != self._rows:
            raise UsageError(f"Rows from {rows.row_off} cannot be counted after {self._rows} rows; rows come in order.")
        self._confusion.add(rows.truth, rows.predicted)
        if self._objects is not None:
            self._objects.add(rows.row_off, rows.truth, rows.predicted, rows.instances, rows.predicted_instances)
        self._rows = rows.row_end

    def finish(self) -> Counts:
        """The counts of the scene, once all its rows were added. Raises UsageError if some were not."""
        if self._rows != self.shape[0]:
            raise UsageError(f"{self._rows} rows of {self.shape[0]} were counted; all are needed.")
        return Counts(confusion=self._confusion)

    def objects(self) -> FoundObjects | None:
        """The objects of the scene, matched, once all its rows were added; None where none are asked for."""
        return None if self._objects is None else self._objects.found()
