"""From the probabilities of a pixel to its class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.thresholds import level_of
from terrazzo.labels.bits import to_bits
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import BlendedRows, most_probable
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.stream import Job

HALF = 0.5
"""The threshold of classes that overlap, unless they have another."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Each pixel by itself: a class with a threshold where its probability reaches that, the most probable of several; else the most
    probable of the classes without, or of all if every class has one. Of classes that overlap, all that reach their thresholds."""

    least: tuple[int | None, ...] = ()
    """A class's threshold in units of PROBABILITY_ONE, None if it has none; empty: no class has."""
    sure: int = 0
    """Where no probability is as large, in the same units, a pixel is unsure."""
    overlapping: bool = False

    @classmethod
    def of(
        cls, names: Sequence[str], thresholds: Mapping[str, float], unsure: float | None = None, *, overlapping: bool = False
    ) -> "Decision":
        """names: of the classes. thresholds: by the names of those that have one. unsure: the least probability of a class at all.

        overlapping: a pixel may be of several classes; then none is unsure.
        """
        if overlapping:
            return cls(least=tuple(level_of(thresholds.get(name, HALF)) for name in names), overlapping=True)
        least = tuple(level_of(thresholds[name]) if name in thresholds else None for name in names) if thresholds else ()
        return cls(least=least, sure=0 if unsure is None else level_of(unsure))

    def needed(self, wanted: range, height: int) -> range:  # noqa: ARG002 - of every step
        """No pixel needs another."""
        return wanted

    def run(self, rows: Iterator[BlendedRows], job: Job, wanted: range) -> Iterator[FinishedRows]:  # noqa: ARG002 - of every step
        """The rows with their classes."""
        for each in rows:
            yield FinishedRows(blended=each, indices=self.indices(each))

    def indices(self, rows: BlendedRows) -> NDArray[np.uint8]:
        """Class indices, or bit sets of classes that overlap, (rows, width), the number of classes where unsure, 255 where invalid or not
        predicted."""
        if self.overlapping:
            return self._sets(rows)
        if not self.least and not self.sure:
            return rows.indices()
        shares = rows.probabilities()
        found = self._by_thresholds(rows, shares) if self.least else rows.indices()
        found[(shares.max(axis=0) < self.sure) & (found != IGNORE)] = len(shares)
        return found

    def _sets(self, rows: BlendedRows) -> NDArray[np.uint8]:
        least = np.array(self.least, np.uint16)[:, np.newaxis, np.newaxis]
        return to_bits(rows.probabilities() >= least, ~rows.valid | (rows.totals == 0))

    def _by_thresholds(self, rows: BlendedRows, shares: NDArray[np.uint16]) -> NDArray[np.uint8]:
        free = [index for index, least in enumerate(self.least) if least is None] or list(range(len(self.least)))
        winner: NDArray[np.uint8] = np.array(free, np.uint8)[most_probable(shares[free])]
        # of the classes whose threshold is reached; below any probability as long as none is
        most = np.full(winner.shape, -1, np.int32)
        for index, least in enumerate(self.least):
            if least is None:
                continue
            better = (shares[index] >= least) & (shares[index] > most)
            winner[better] = index
            np.copyto(most, shares[index], where=better)
        winner[~rows.valid | (rows.totals == 0)] = IGNORE
        return winner


MOST_PROBABLE = Decision()
"""Each pixel has its most probable class."""
