"""What was predicted, counted while it is written: how often each class, and how sure the model was."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows

logger = logging.getLogger(__name__)
THINNED = 8
"""Of large maps every n-th row and column is enough to tell how sure the model is."""


class Tally:
    """How often each class was predicted, and the largest probability of the pixels: the confidence."""

    def __init__(self, legend: Legend, step: int = THINNED) -> None:
        """step: the confidence is that of every n-th row and column."""
        self._legend = legend
        self._step = step
        self._classes = np.zeros(IGNORE + 1, np.int64)
        self._tenths = np.zeros(10, np.int64)
        self._sum = 0

    def add(self, rows: BlendedRows, indices: NDArray[np.uint8]) -> None:
        """Count finished rows and their class indices (rows, width)."""
        self._classes += np.bincount(indices.reshape(-1), minlength=IGNORE + 1)
        # the same rows of the map, whatever pieces they come in
        thinned = slice(-rows.row_off % self._step, None, self._step), slice(None, None, self._step)
        sums, totals = rows.sums[:, *thinned], rows.totals[thinned]
        seen = (totals > 0) & rows.valid[thinned]
        # in whole numbers, so that the sum is the same in any order; the largest is found before pixels are picked, which is much quicker
        units = np.rint(sums.max(axis=0)[seen] / totals[seen]).astype(np.int64)
        self._tenths += np.bincount(np.minimum(units * 10 // PROBABILITY_ONE, 9), minlength=10)
        self._sum += int(units.sum())

    @property
    def mean_confidence(self) -> float | None:
        """Mean of the largest probabilities, 0 to 1; None if nothing was predicted."""
        count = int(self._tenths.sum())
        return self._sum / PROBABILITY_ONE / count if count else None

    def notes(self) -> dict[str, Any]:
        """What was counted, of JSON's types."""
        return {"classes": self._classes.tolist(), "tenths": self._tenths.tolist(), "sum": self._sum}

    def add_notes(self, notes: Mapping[str, Any]) -> None:
        """Add what was counted elsewhere or before."""
        self._classes += np.array(notes["classes"], np.int64)
        self._tenths += np.array(notes["tenths"], np.int64)
        self._sum += int(notes["sum"])

    def recount(self, classes: NDArray[np.int64]) -> None:
        """Count other classes, (256,) pixels of each index: those of a map that was cleaned."""
        self._classes = classes

    def tell(self) -> None:
        """Warn if everything is one class; what is unsure is none."""
        count = len(self._legend.sets.classes)
        present = np.flatnonzero(self._classes[:count])
        if len(present) != 1:
            return
        sure = " that is not unsure" if self._classes[count:IGNORE].any() else ""
        total = max(1, int(self._tenths.sum()))
        shares = ", ".join(f"{low / 10:.1f}: {count / total:.0%}" for low, count in enumerate(self._tenths) if count)
        name = self._legend.sets.shown[int(present[0])].name
        whose = "The largest probability of a class" if self._legend.overlapping else "Its probability"
        logger.warning("Every predicted pixel%s is '%s'. %s, by tenths from: %s.", sure, name, whose, shares)
