"""Otsu's threshold of the probabilities of an image: found in all of them at once, so that no block has another."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confidence import LEVELS
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.refine.decide import Decision
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.refine.spool import Spool
from terrazzo.prediction.stream import Job

logger = logging.getLogger(__name__)
UNPARTED = 0.5
"""The threshold where all probabilities are alike."""


def otsu(counts: NDArray[np.int64]) -> int | None:
    """The smallest value of the upper of two parts of a histogram between whose means the variance is largest; None of a single value.

    counts: (values,), how often each value occurs; of equally good thresholds the one in their middle is taken.
    Source: N. Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    if np.count_nonzero(counts) < 2:
        return None
    weights = counts.astype(np.float64)
    values = np.arange(len(counts), dtype=np.float64)
    below, mass = np.cumsum(weights)[:-1], np.cumsum(weights * values)[:-1]
    total, whole = weights.sum(), float(weights @ values)
    apart = (whole * below - total * mass) ** 2
    spread = np.divide(apart, below * (total - below), out=np.zeros_like(apart), where=(below > 0) & (below < total))
    # all values between two that occur next to each other part the same pixels
    best = np.flatnonzero(spread == spread.max())
    return int(best[len(best) // 2]) + 1


@dataclass(frozen=True, kw_only=True)
class OtsuDecision:
    """Decides as `Decision` does once all rows of a map are there and their thresholds known."""

    names: Sequence[str]
    """Of the classes."""
    given: Mapping[str, float]
    """The thresholds that are known, by name."""
    wanted: Sequence[str]
    """The classes whose thresholds are to be found."""
    unsure: float | None
    """As of `Decision`."""
    overlapping: bool = False
    """As of `Decision`."""

    def needed(self, wanted: range, height: int) -> range:  # noqa: ARG002 - the same for any rows
        """All of a map is needed for any row."""
        return range(height)

    def run(self, rows: Iterator[BlendedRows], job: Job, wanted: range) -> Iterator[FinishedRows]:
        """The wanted rows of a map with their classes; rows: all of the map."""
        counts = {name: np.zeros(LEVELS, np.int64) for name in self.wanted}
        with Spool() as spool:
            for each in rows:
                spool.add(each)
                shares = each.probabilities()[:, each.valid & (each.totals > 0)]
                for name in self.wanted:
                    counts[name] += np.bincount(shares[self.names.index(name)], minlength=LEVELS)
            found = {name: _found(counts[name], name, job) for name in self.wanted}
            decision = Decision.of(self.names, {**self.given, **found}, self.unsure, overlapping=self.overlapping)
            among = (each.between(wanted.start, wanted.stop) for each in spool.rows() if each.touches(wanted))
            yield from decision.run(among, job, wanted)


def decision_of(
    names: Sequence[str],
    thresholds: Mapping[str, float | Literal["otsu"]],
    unsure: float | None = None,
    *,
    overlapping: bool = False,
) -> Decision | OtsuDecision:
    """What decides by these thresholds; see `Decision.of`."""
    given = {name: threshold for name, threshold in thresholds.items() if threshold != "otsu"}
    wanted = [name for name in thresholds if name not in given]
    if wanted:
        return OtsuDecision(names=names, given=given, wanted=wanted, unsure=unsure, overlapping=overlapping)
    return Decision.of(names, given, unsure, overlapping=overlapping)


def _found(counts: NDArray[np.int64], name: str, job: Job) -> float:
    level = otsu(counts)
    if level is None:
        if counts.any():
            logger.warning("%s: all probabilities of '%s' are alike; its threshold is %g.", job.mapped.path, name, UNPARTED)
        return UNPARTED
    threshold = level / (LEVELS - 1)
    logger.info("%s: Otsu's threshold of '%s' is %.4f.", job.mapped.path, name, threshold)
    return threshold
