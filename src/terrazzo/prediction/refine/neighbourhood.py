"""Filters of classes that look at the pixels around each: rows wait until those below them are there.

                 done          row_end
seen    |- margin -|.............|- margin -|
                   |<- handed on ->|            the filter's rows next to a cut are wrong, those further in are right
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.median import majority, most_frequent
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.stream import Job

Filter = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Class indices (height, width) to filtered ones; 255 has no vote and stays."""


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """A filter over the rows of a map, which are the same however they are cut."""

    margin: int
    """Rows above and below a pixel that the filter looks at."""
    filter: Filter

    def needed(self, wanted: range, height: int) -> range:
        """The rows that the filter looks at for others."""
        return range(max(0, wanted.start - self.margin), min(height, wanted.stop + self.margin))

    def run(self, rows: Iterator[FinishedRows], job: Job, wanted: range) -> Iterator[FinishedRows]:
        """The wanted rows of a map, filtered; rows: those that are `needed`."""
        height = job.mapped.shape[0]
        done, top = wanted.start, self.needed(wanted, height).start
        seen = np.zeros((0, job.mapped.shape[1]), np.uint8)
        waiting: list[FinishedRows] = []
        for piece in rows:
            seen = np.concatenate([seen, piece.indices])
            waiting.append(piece)
            ready = min(wanted.stop, height if piece.row_end == height else piece.row_end - self.margin)
            if ready <= done:
                continue
            filtered = self.filter(seen)
            # the probabilities are large: they are handed on in the pieces in which they came
            for each in waiting:
                start, end = max(each.row_off, done), min(each.row_end, ready)
                if start < end:
                    yield FinishedRows(blended=each.blended.between(start, end), indices=filtered[start - top : end - top])
            waiting = [each for each in waiting if each.row_end > ready]
            done, above = ready, max(0, ready - self.margin)
            seen, top = seen[above - top :], above


def neighbourhoods(options: PredictionOptions) -> Iterator[Neighbourhood]:
    """The filters that the options ask for, in their order."""
    if options.median > 1:
        yield Neighbourhood(margin=options.median, filter=partial(majority, radius=options.median))
    if options.majority > 1:
        square = np.ones((options.majority, options.majority), np.float32)
        yield Neighbourhood(margin=options.majority // 2, filter=partial(most_frequent, kernel=square))
