"""Runs: stretches of a row that hold the same two objects. There are far fewer of them than pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.components import Numbered
from terrazzo.evaluation.objects.table import Numbers, Objects, Overlaps, added, merged


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of a band that hold an object, each array (n,)."""

    rows: Numbers
    """In the whole image."""
    columns: Numbers
    """First of the run."""
    lengths: Numbers
    truth: Numbers
    """Number of the true object in the band, 0 where there is none."""
    predicted: Numbers
    counts: NDArray[np.bool_]
    """False on ground that is left out."""


def find_runs(row_off: int, truth: Numbered, predicted: Numbered, counts: NDArray[np.bool_] | None) -> Runs:
    """The runs of a band of rows.

    row_off: first row of the band. counts: (height, width), False on ground that is left out; None: all of it counts.
    """
    maps = [truth.places, predicted.places] + ([] if counts is None else [counts])
    width = truth.places.shape[1]
    begins = np.zeros(truth.places.shape, np.bool_)
    begins[:, 0] = True
    for each in maps:
        begins[:, 1:] |= each[:, 1:] != each[:, :-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=begins.size)
    true, guess = truth.places.ravel()[starts], predicted.places.ravel()[starts]
    used = np.flatnonzero((true > 0) | (guess > 0))
    starts = starts[used]
    rows, columns = np.divmod(starts, width)
    return Runs(
        rows=rows + row_off,
        columns=columns,
        lengths=lengths[used],
        truth=true[used].astype(np.int64),
        predicted=guess[used].astype(np.int64),
        counts=np.ones(len(used), np.bool_) if counts is None else counts.ravel()[starts],
    )


def objects_of(runs: Runs, places: Numbers, numbered: Numbered) -> Objects:
    """The objects of one side. places: the runs' numbers of that side."""
    own = np.flatnonzero(places)
    columns, rows, lengths, counts = runs.columns[own], runs.rows[own], runs.lengths[own], runs.counts[own]
    found = merged(
        [
            Objects(
                numbers=places[own],
                sums=np.stack([lengths * counts, lengths * ~counts, lengths * (2 * columns + lengths), lengths * (2 * rows + 1)]),
                lows=np.stack([columns, rows, -(columns + lengths), -(rows + 1)]),
            )
        ]
    )
    return Objects(numbers=numbered.numbers(found.numbers), sums=found.sums, lows=found.lows)


def overlaps_of(runs: Runs, truth: Numbered, predicted: Numbered) -> Overlaps:
    """What true and predicted objects have in common on ground that counts."""
    both = np.flatnonzero((runs.truth > 0) & (runs.predicted > 0) & runs.counts)
    found = added([Overlaps(truth=runs.truth[both], predicted=runs.predicted[both], shared=runs.lengths[both])])
    return Overlaps(truth=truth.numbers(found.truth), predicted=predicted.numbers(found.predicted), shared=found.shared)
