"""Large maps by way of their journals: of their rows those that are missing are predicted, and kept as soon as they are finished."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.journal import Block, Journal
from terrazzo.prediction.journal_folder import begun_with
from terrazzo.prediction.outputs.tally import Tally
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.refine.whole import Kept
from terrazzo.prediction.stream import Job, Predictor, rows_of

BLOCK_PX = 2**22
"""Finished rows are kept once they hold this many pixels. A map of no more has no journal: it is as quickly made anew."""


class KeptRows(NamedTuple):
    """Finished rows as a journal keeps them."""

    indices: NDArray[np.uint8]
    """(rows, width)."""
    layers: NDArray[np.uint16] | None
    """(bands, rows, width); None without any."""


def is_large(job: Job) -> bool:
    """Whether its map has a journal."""
    height, width = job.mapped.shape
    return height * width > BLOCK_PX


def open_journal(path: Path, job: Job, predictor: Predictor, part: str | None = None) -> Journal:
    """The journal of a large map, or of a part of it; see `Journal`.

    Raises ConflictError if there is one of a map that is made otherwise.
    """
    facts = json.loads(predictor.provenance(job.raster, job.facts))
    asked = predictor.options.model_dump(include={"probabilities", "entropy"})
    made_with = {**facts, **predictor.runtime_facts([job]), **asked}
    return Journal(path, made_with, job.mapped.shape[1], Kept.of(predictor).bands, part)


def kept_means(paths: Iterable[Path]) -> dict[str, Any] | None:
    """What an unfinished map among these says that it is made with; None if there is none."""
    return next((kept for path in paths if (kept := begun_with(path)) is not None), None)


def missing_jobs(job: Job, journal: Journal) -> list[Job]:
    """The jobs of those of its rows that the journal does not have, from the top."""
    return [replace(job, part=gap) for gap in journal.missing(job.rows)]


def kept_rows(
    work: Job, pieces: Iterator[FinishedRows], journal: Journal, predictor: Predictor, total: Tally | None = None
) -> Iterator[KeptRows]:
    """The finished rows of a job whose turn it is, which the journal is given in blocks; the last of them when all are drawn.

    total: is told what is kept.
    """
    kept = Kept.of(predictor)
    unkept = _Unkept(journal, work, Tally(predictor.legend) if total is None else total, predictor)
    for rows in rows_of(work, pieces):
        found = KeptRows(rows.indices, kept.of_rows(rows))
        unkept.add(rows, found)
        yield found
    unkept.finish()


class _Unkept:
    """Rows that are finished, until they are enough for a block of the journal."""

    def __init__(self, journal: Journal, work: Job, total: Tally, predictor: Predictor) -> None:
        """total: is told what is kept."""
        self._journal = journal
        self._gaps = work.gaps
        self._total = total
        self._legend = predictor.legend
        self._row_off = work.rows.start
        self._begin()

    def add(self, rows: FinishedRows, found: KeptRows) -> None:
        """Take the next rows; keep them if there are enough."""
        self._parts.append(found)
        self._tally.add(rows.blended, rows.indices)
        if sum(part.indices.size for part in self._parts) >= BLOCK_PX:
            self.finish()

    def finish(self) -> None:
        """Keep what there is."""
        if not self._parts:
            return
        indices = np.concatenate([part.indices for part in self._parts])
        layers = [part.layers for part in self._parts if part.layers is not None]
        # reading is ahead: what was found further below is known again when that is read again
        notes = {**self._tally.notes(), "gaps": [] if self._gaps is None else self._gaps.notes()}
        self._journal.add(
            Block(row_off=self._row_off, indices=indices, layers=np.concatenate(layers, axis=1) if layers else None, notes=notes)
        )
        self._row_off += len(indices)
        self._total.add_notes(self._tally.notes())
        self._begin()

    def _begin(self) -> None:
        self._parts: list[KeptRows] = []
        self._tally = Tally(self._legend)
