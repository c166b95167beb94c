"""Class maps and the layers beside them on disk, written as their rows are finished."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.labels.carried import open_map
from terrazzo.labels.class_files import map_style
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.journal import Journal
from terrazzo.prediction.keeping import is_large, kept_means, kept_rows, missing_jobs, open_journal
from terrazzo.prediction.outputs.files import MapFiles
from terrazzo.prediction.outputs.layers import layers_of, stacked
from terrazzo.prediction.outputs.names import layer_path
from terrazzo.prediction.outputs.tally import THINNED, Tally
from terrazzo.prediction.refine.chain import finished_rows, needed_jobs
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.refine.whole import Kept, cleaned_rows, journal_rows
from terrazzo.prediction.stream import Job, Predictor, windows_of
from terrazzo.progress import Progress
from terrazzo.rasters.fits_rows import cards_of
from terrazzo.rasters.write import PROVENANCE_TAG

logger = logging.getLogger(__name__)

RowsSeen = Callable[[Job, BlendedRows, NDArray[np.uint8]], None]
"""Called with each finished piece of a map: the job, its rows, and their class indices (rows, width)."""

Counted = Callable[[Path, Tally], None]
"""Called with each map that is whole, and what was counted of it."""

Shown = Callable[[Job, int, NDArray[np.uint8]], NDArray[np.uint8]]
"""Makes of the class indices of rows, from row_off on, those that a map shows."""


def layer_paths(class_map: Path, predictor: Predictor) -> list[Path]:
    """The files beside a class map that the options ask for, each a layer."""
    return [layer_path(class_map, layer.suffix) for layer in layers_of(predictor.options, predictor.legend)]


def provenance_of(class_map: Path) -> str | None:
    """What a map says it was made with; None if it says nothing, or is no map."""
    try:
        with open_map(class_map) as raster:
            return next((value for key, value in raster.tags.items() if key.upper() == PROVENANCE_TAG), None)
    except RasterError:
        return None


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who follows what is written."""

    seen: RowsSeen | None = None
    shown: Shown | None = None
    """What of a class map is written; `seen` gets all that was predicted."""
    counted: Counted | None = None
    quiet: bool = False
    """Whether nobody is warned that all maps are of one class: there are others."""

    @property
    def needs_all_rows(self) -> bool:
        return self.seen is not None or self.shown is not None


def write_maps(jobs: Mapping[Path, Job], predictor: Predictor, progress: Progress, watch: Watch | None = None) -> list[Path]:
    """Predict each job to its class map, and the layers beside it that the options ask for; returns what was written.

    A map appears under its name only when it is whole and was read back. If all maps are of one class, a warning says so.
    Large maps have a journal, so that the same call goes on where this one was broken off; not where others follow every row.
    Raises ConflictError if another process is at a map, or left one that is made otherwise.
    """
    watch = watch or Watch()
    if not watch.needs_all_rows:
        predictor.engine_for(list(jobs.values()), kept_means(jobs))
    large = {} if watch.needs_all_rows else {path: job for path, job in jobs.items() if is_large(job)}
    journals = {path: open_journal(path, job, predictor) for path, job in large.items()}
    works = {path: missing_jobs(job, journals[path]) if path in journals else [job] for path, job in jobs.items()}
    for path, journal in journals.items():
        if journal.rows_done and works[path]:
            logger.info("%s goes on: %d of %d rows are there.", path, journal.rows_done, jobs[path].mapped.shape[0])
    written: list[Path] = []
    tally = Tally(predictor.legend)
    todo = [work for each in works.values() for work in each]
    with progress.task("predict", windows_of(needed_jobs(todo, predictor)), "windows") as advance:
        pieces = finished_rows(todo, predictor, advance)
        for path, job in jobs.items():
            own = Tally(predictor.legend, THINNED if is_large(job) else 1)
            one = _OneMap(path, job, predictor, watch, own)
            written += one.write_on(pieces, works[path], journals[path]) if path in journals else one.write_whole(pieces)
            tally.add_notes(own.notes())
            if watch.counted is not None:
                watch.counted(path, own)
    if not watch.quiet:
        tally.tell()
    return written


def follow_maps(jobs: Sequence[Job], predictor: Predictor, progress: Progress, seen: RowsSeen) -> None:
    """Predict jobs without keeping their maps."""
    with progress.task("score training", windows_of(needed_jobs(jobs, predictor)), "windows") as advance:
        pieces = finished_rows(jobs, predictor, advance)
        for work in jobs:
            for rows in cleaned_rows(work, predictor, pieces):
                seen(work, rows.blended, rows.indices)


class _OneMap:
    """One map, with the layers beside it that are asked for."""

    def __init__(self, path: Path, job: Job, predictor: Predictor, watch: Watch, tally: Tally) -> None:
        self._path = path
        self._kept = Kept.of(predictor)
        self._job = job
        self._predictor = predictor
        self._watch = watch
        self._tally = tally

    def write_whole(self, pieces: Iterator[FinishedRows]) -> list[Path]:
        """Write it from its first row to its last."""
        with self._writing(self._path.parent) as files:
            for rows in cleaned_rows(self._job, self._predictor, pieces):
                self._tally.add(rows.blended, rows.indices)
                files.put_classes(self._show(rows))
                files.put_layers(stacked(self._kept.layers, rows.blended))
        return self._files

    def write_on(self, pieces: Iterator[FinishedRows], works: Sequence[Job], journal: Journal) -> list[Path]:
        """Write what the journal holds, and between it what it is missing, which it is told. works: the jobs of that, from the top."""
        with journal:
            with self._writing(journal.folder) as files:
                self._write_finished(files, pieces, works, journal)
                if self._kept.cleaning is not None:
                    self._write_cleaned(files, journal, self._kept.cleaning)
            for path in self._files:
                (journal.folder / path.name).replace(path)
            journal.remove()
        return self._files

    def _write_finished(self, files: MapFiles, pieces: Iterator[FinishedRows], works: Sequence[Job], journal: Journal) -> None:
        """Write what is finished and is not to be cleaned."""
        done = 0
        for work in works:
            self._put_kept(files, journal, range(done, work.rows.start))
            for rows in kept_rows(work, pieces, journal, self._predictor, self._tally):
                self._put(files, rows.indices, rows.layers)
            done = work.rows.stop
        self._put_kept(files, journal, range(done, self._job.rows.stop))

    def _put_kept(self, files: MapFiles, journal: Journal, rows: range) -> None:
        """Write rows that the journal held from before."""
        for block in journal.replay(rows):
            self._tally.add_notes(block.notes)
            if self._job.gaps is not None:
                self._job.gaps.add_notes(block.notes["gaps"])
            self._put(files, block.indices, block.layers)

    def _put(self, files: MapFiles, indices: NDArray[np.uint8], layers: NDArray[np.uint16] | None) -> None:
        files.put_layers(layers)
        if self._kept.cleaning is None:
            files.put_classes(indices)

    def _write_cleaned(self, files: MapFiles, journal: Journal, cleaning: Cleaning) -> None:
        """Write the classes, now that the journal holds all rows."""
        counts = np.zeros(IGNORE + 1, np.int64)
        for rows in cleaning.clean(lambda: journal_rows(journal), self._job.mapped.grid):
            counts += np.bincount(rows.indices.ravel(), minlength=IGNORE + 1)
            files.put_classes(rows.indices)
        self._tally.recount(counts)

    @property
    def _files(self) -> list[Path]:
        return [self._path, *layer_paths(self._path, self._predictor)]

    def _show(self, rows: FinishedRows) -> NDArray[np.uint8]:
        if self._watch.seen is not None:
            self._watch.seen(self._job, rows.blended, rows.indices)
        return rows.indices if self._watch.shown is None else self._watch.shown(self._job, rows.row_off, rows.indices)

    def _writing(self, folder: Path) -> AbstractContextManager[MapFiles]:
        """Yields what takes the rows; at the end the files in `folder` are whole."""
        legend = self._predictor.legend
        style = map_style(legend, self._predictor.provenance(self._job.raster, self._job.facts))
        if self._path.suffix.lower() == ".fits":
            style = replace(style, cards=cards_of(self._job.mapped, self._predictor.bundle.card.reading.hdu))
        paths = [folder / path.name for path in layer_paths(self._path, self._predictor)]
        layers = list(zip(paths, self._kept.layers, strict=True))
        return MapFiles.writing(folder / self._path.name, self._job.mapped.grid, legend, style, layers)
