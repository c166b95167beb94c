"""Objects of the windows of one scene, each by itself, gathered while the rows of the scene pass by."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.scores import image_f2
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.rasters.window import Window

COLUMNS = ("object_f2", "objects_matched", "objects_false", "objects_missed")
"""What a table of samples has of each: the mean F2 over all thresholds, and counts at the lowest."""


class WindowObjects:
    """Matches the objects of each window as if it were an image of its own: what a border cuts counts as far as it is inside."""

    def __init__(self, windows: Mapping[int, Window], rule: ObjectRule) -> None:
        """windows: by the sample's id."""
        self.scores: dict[int, dict[str, float]] = {}
        """Values of COLUMNS of each window whose rows have all passed, by the sample's id; none of one without ground that counts."""
        self._windows = windows
        self._rule = rule
        self._open: dict[int, ObjectTally] = {}

    def add(self, rows: Rows) -> None:
        """Add the next rows of the scene."""
        band = Window(col_off=0, row_off=rows.row_off, width=rows.truth.shape[1], height=rows.truth.shape[0])
        for number, window in self._windows.items():
            inner = window.intersection(band)
            if inner is None:
                continue
            at = inner.inside(band)
            tally = self._open.setdefault(number, ObjectTally(self._rule))
            instances = None if rows.instances is None else rows.instances[at]
            guessed = None if rows.predicted_instances is None else rows.predicted_instances[at]
            tally.add(inner.row_off, rows.truth[at], rows.predicted[at], instances, guessed)
            if inner.row_end == window.row_end:
                self._finish(number, self._open.pop(number))

    def _finish(self, number: int, tally: ObjectTally) -> None:
        found = tally.found()
        if not found.empty:
            self.scores[number] = object_row(found.counts(np.array(self._rule.thresholds)))


def object_row(counts: NDArray[np.int64]) -> dict[str, float]:
    """The values of COLUMNS. counts: (3, thresholds) matched, false, missed of one image."""
    return dict(zip(COLUMNS, [float(image_f2(counts[None]).mean()), *counts[:, 0].tolist()], strict=True))
