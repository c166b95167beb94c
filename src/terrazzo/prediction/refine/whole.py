"""Maps that are cleaned as a whole: their finished rows are put by until all are there, and come again with other classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.journal import Journal
from terrazzo.prediction.outputs.layers import Layer, layers_of, stacked
from terrazzo.prediction.packing import packed, unpacked
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.objects.pieces import MapRows
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.refine.spool import Spool
from terrazzo.prediction.stream import Job, Predictor, rows_of


def cleaned_rows(job: Job, predictor: Predictor, pieces: Iterator[FinishedRows]) -> Iterator[FinishedRows]:
    """Of the finished rows of several jobs, those of the one whose turn it is, their whole objects cleaned as the options ask.

    Raises EnvironmentFault if the disk cannot take what is put by.
    """
    cleaning = Cleaning.of(predictor.options, predictor.bundle.legend)
    if cleaning is None:
        yield from rows_of(job, pieces)
        return
    with Spool() as spool:
        kept: list[bytes] = []
        for rows in rows_of(job, pieces):
            spool.add(rows.blended)
            kept.append(packed(rows.indices))

        def again() -> Iterator[MapRows]:
            for blended, data in zip(spool.rows(), kept, strict=True):
                indices = unpacked(data, np.dtype(np.uint8), blended.totals.shape)
                yield map_rows(FinishedRows(blended=blended, indices=indices), cleaning)

        indices = _Queue(each.indices for each in cleaning.clean(again, job.mapped.grid))
        for blended in spool.rows():
            yield FinishedRows(blended=blended, indices=indices.take(len(blended.totals)))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the journal of a map keeps beside its classes: its layers, and last what a cleaning has to know."""

    layers: Sequence[Layer]
    cleaning: Cleaning | None

    @classmethod
    def of(cls, predictor: Predictor) -> "Kept":
        """What the options ask for."""
        options, legend = predictor.options, predictor.bundle.legend
        return cls(layers=layers_of(options, legend), cleaning=Cleaning.of(options, legend))

    @property
    def bands(self) -> int:
        return sum(layer.bands for layer in self.layers) + self._with_sureness

    def of_rows(self, rows: FinishedRows) -> NDArray[np.uint16] | None:
        """(bands, rows, width); None without any."""
        layers = stacked(self.layers, rows.blended)
        if not self._with_sureness:
            return layers
        sure = sureness(rows)[np.newaxis]
        return sure if layers is None else np.concatenate([layers, sure])

    @property
    def _with_sureness(self) -> bool:
        return self.cleaning is not None and self.cleaning.needs_sureness


def journal_rows(journal: Journal) -> Iterator[MapRows]:
    """The rows that the journal of a map keeps; of what is `Kept` the last is taken for what a cleaning has to know."""
    for block in journal.replay():
        yield MapRows(row_off=block.row_off, indices=block.indices, sureness=None if block.layers is None else block.layers[-1])


def map_rows(rows: FinishedRows, cleaning: Cleaning) -> MapRows:
    """What a cleaning has to know of finished rows."""
    return MapRows(row_off=rows.row_off, indices=rows.indices, sureness=sureness(rows) if cleaning.needs_sureness else None)


def sureness(rows: FinishedRows) -> NDArray[np.uint16]:
    """(rows, width): the probability of the class of each pixel, 65535 = 1; 0 where there is none."""
    nowhere = rows.indices >= len(rows.blended.sums)
    own = np.take_along_axis(rows.blended.probabilities(), np.where(nowhere, 0, rows.indices)[np.newaxis], axis=0)[0]
    return np.where(nowhere, 0, own).astype(np.uint16)


class _Queue:
    """Rows that come in pieces of some heights, handed out in others."""

    def __init__(self, pieces: Iterator[NDArray[np.uint8]]) -> None:
        self._pieces = pieces
        self._rest: NDArray[np.uint8] | None = None

    def take(self, height: int) -> NDArray[np.uint8]:
        """The next rows, (height, width)."""
        rest = next(self._pieces) if self._rest is None else self._rest
        while len(rest) < height:
            rest = np.concatenate([rest, next(self._pieces)])
        self._rest = rest[height:]
        return rest[:height]
