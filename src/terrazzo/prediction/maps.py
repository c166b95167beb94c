"""Class maps and probabilities on disk: what they are called, and writing them as their rows are finished."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.labels.carried import open_map
from terrazzo.labels.class_files import map_style
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.journal import Block, Journal, begun_with
from terrazzo.prediction.outputs.files import MapFiles
from terrazzo.prediction.outputs.layers import PROBABILITIES_SUFFIX, layers_of, stacked
from terrazzo.prediction.outputs.tally import THINNED, Tally
from terrazzo.prediction.refine.chain import finished_rows, needed_jobs
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.rows import FinishedRows
from terrazzo.prediction.refine.whole import Kept, cleaned_rows, journal_rows
from terrazzo.prediction.stream import Job, Predictor, rows_of, windows_of
from terrazzo.progress import Progress
from terrazzo.rasters.fits_rows import cards_of
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.write import PROVENANCE_TAG

logger = logging.getLogger(__name__)
MAP_SUFFIX = "_predseg"
BLOCK_PX = 2**22
"""Finished rows are kept once they hold this many pixels. A map of no more has no journal: it is as quickly made anew."""

RowsSeen = Callable[[Job, BlendedRows, NDArray[np.uint8]], None]
"""Called with each finished piece of a map: the job, its rows, and their class indices (rows, width)."""

Counted = Callable[[Path, Tally], None]
"""Called with each map that is whole, and what was counted of it."""

Shown = Callable[[Job, int, NDArray[np.uint8]], NDArray[np.uint8]]
"""Makes of the class indices of rows, from row_off on, those that a map shows."""


def map_path(out: Path, stem: str, raster: Raster, ending: Literal["auto", "fits"] = "auto", *, overlapping: bool = False) -> Path:
    """OUT/<stem>_predseg.tif; .png where the input is no GeoTIFF and has no map coordinates; .fits where that is asked for.

    overlapping: the map has a band a class, which a PNG cannot hold.
    """
    plain = not overlapping and raster.format != "GTiff" and not raster.grid.georeferenced
    automatic = "png" if plain else "tif"
    return out / f"{stem}{MAP_SUFFIX}.{automatic if ending == 'auto' else ending}"


def probabilities_path(class_map: Path) -> Path:
    """<stem>_probabilities.tif beside a class map."""
    return layer_path(class_map, PROBABILITIES_SUFFIX)


def layer_paths(class_map: Path, predictor: Predictor) -> list[Path]:
    """The files beside a class map that the options ask for, each a layer."""
    return [layer_path(class_map, layer.suffix) for layer in layers_of(predictor.options, predictor.legend)]


def layer_path(class_map: Path, suffix: str) -> Path:
    """The layer of a suffix beside a class map: <stem>SUFFIX.tif."""
    return class_map.with_name(f"{class_map.stem.removesuffix(MAP_SUFFIX)}{suffix}.tif")


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
    journals = {} if watch.needs_all_rows else {path: found for path, job in jobs.items() if (found := open_journal(path, job, predictor))}
    works = {path: _after(job, journals.get(path)) for path, job in jobs.items()}
    written: list[Path] = []
    tally = Tally(predictor.legend)
    todo = list(works.values())
    with progress.task("predict", windows_of(needed_jobs(todo, predictor)), "windows") as advance:
        pieces = finished_rows(todo, predictor, advance)
        for path, work in works.items():
            own = Tally(predictor.legend, THINNED if _is_large(work) else 1)
            one = _OneMap(path, work, predictor, watch, own)
            written += one.write_whole(pieces) if path not in journals else one.write_on(pieces, journals[path])
            tally.add_notes(own.notes())
            if watch.counted is not None:
                watch.counted(path, own)
    tally.tell()
    return written


def kept_means(paths: Iterable[Path]) -> dict[str, Any] | None:
    """What an unfinished map among these says that it is made with; None if there is none."""
    return next((kept for path in paths if (kept := begun_with(path)) is not None), None)


def open_journal(path: Path, job: Job, predictor: Predictor) -> Journal | None:
    """The journal of a map; None if the map is too small for one. Raises ConflictError if there is one of a map that is made otherwise."""
    if not _is_large(job):
        return None
    facts = json.loads(predictor.provenance(job.raster, job.facts))
    asked = predictor.options.model_dump(include={"probabilities", "entropy"})
    return Journal(path, {**facts, **predictor.runtime_facts([job]), **asked}, job.mapped.shape[1], Kept.of(predictor).bands)


def _is_large(job: Job) -> bool:
    height, width = job.mapped.shape
    return height * width > BLOCK_PX


def _after(job: Job, journal: Journal | None) -> Job:
    """A job without the rows that are done."""
    if journal is None or not journal.rows_done:
        return job
    logger.info("%s goes on at row %d of %d.", journal.path, journal.rows_done, job.mapped.shape[0])
    return replace(job, first_row=journal.rows_done)


def follow_maps(jobs: Sequence[Job], predictor: Predictor, progress: Progress, seen: RowsSeen) -> None:
    """Predict jobs without keeping their maps."""
    with progress.task("score training", windows_of(needed_jobs(jobs, predictor)), "windows") as advance:
        pieces = finished_rows(jobs, predictor, advance)
        for work in jobs:
            for rows in cleaned_rows(work, predictor, pieces):
                seen(work, rows.blended, rows.indices)


class _OneMap:
    """One map, with the layers beside it that are asked for."""

    def __init__(self, path: Path, work: Job, predictor: Predictor, watch: Watch, tally: Tally) -> None:
        self._path = path
        self._kept = Kept.of(predictor)
        self._work = work
        self._predictor = predictor
        self._watch = watch
        self._tally = tally

    def write_whole(self, pieces: Iterator[FinishedRows]) -> list[Path]:
        """Write it from its first row to its last."""
        with self._writing(self._path.parent) as files:
            for rows in cleaned_rows(self._work, self._predictor, pieces):
                self._tally.add(rows.blended, rows.indices)
                files.put_classes(self._show(rows))
                files.put_layers(stacked(self._kept.layers, rows.blended))
        return self._files

    def write_on(self, pieces: Iterator[FinishedRows], journal: Journal) -> list[Path]:
        """Write first what the journal holds, then what follows, which it is told."""
        with journal:
            with self._writing(journal.folder) as files:
                self._write_finished(files, pieces, journal)
                if self._kept.cleaning is not None:
                    self._write_cleaned(files, journal, self._kept.cleaning)
            for path in self._files:
                (journal.folder / path.name).replace(path)
            journal.remove()
        return self._files

    def _write_finished(self, files: MapFiles, pieces: Iterator[FinishedRows], journal: Journal) -> None:
        """Write what is finished and is not to be cleaned."""
        for block in journal.replay():
            self._tally.add_notes(block.notes)
            if self._work.gaps is not None:
                self._work.gaps.add_notes(block.notes["gaps"])
            self._put(files, block.indices, block.layers)
        unkept = _Unkept(journal, self._work, self._tally, self._predictor.legend)
        for rows in rows_of(self._work, pieces):
            layers = self._kept.of_rows(rows)
            unkept.add(rows, layers)
            self._put(files, rows.indices, layers)
        unkept.finish()

    def _put(self, files: MapFiles, indices: NDArray[np.uint8], layers: NDArray[np.uint16] | None) -> None:
        files.put_layers(layers)
        if self._kept.cleaning is None:
            files.put_classes(indices)

    def _write_cleaned(self, files: MapFiles, journal: Journal, cleaning: Cleaning) -> None:
        """Write the classes, now that the journal holds all rows."""
        counts = np.zeros(IGNORE + 1, np.int64)
        for rows in cleaning.clean(lambda: journal_rows(journal), self._work.mapped.grid):
            counts += np.bincount(rows.indices.ravel(), minlength=IGNORE + 1)
            files.put_classes(rows.indices)
        self._tally.recount(counts)

    @property
    def _files(self) -> list[Path]:
        return [self._path, *layer_paths(self._path, self._predictor)]

    def _show(self, rows: FinishedRows) -> NDArray[np.uint8]:
        if self._watch.seen is not None:
            self._watch.seen(self._work, rows.blended, rows.indices)
        return rows.indices if self._watch.shown is None else self._watch.shown(self._work, rows.row_off, rows.indices)

    def _writing(self, folder: Path) -> AbstractContextManager[MapFiles]:
        """Yields what takes the rows; at the end the files in `folder` are whole."""
        legend = self._predictor.legend
        style = map_style(legend, self._predictor.provenance(self._work.raster, self._work.facts))
        if self._path.suffix.lower() == ".fits":
            style = replace(style, cards=cards_of(self._work.mapped, self._predictor.bundle.card.reading.hdu))
        paths = [folder / path.name for path in layer_paths(self._path, self._predictor)]
        layers = list(zip(paths, self._kept.layers, strict=True))
        return MapFiles.writing(folder / self._path.name, self._work.mapped.grid, legend, style, layers)


class _Unkept:
    """Rows that are finished, until they are enough for a block of the journal."""

    def __init__(self, journal: Journal, work: Job, total: Tally, legend: Legend) -> None:
        """total: is told what is kept."""
        self._journal = journal
        self._gaps = work.gaps
        self._total = total
        self._legend = legend
        self._row_off = journal.rows_done
        self._begin()

    def add(self, rows: FinishedRows, layers: NDArray[np.uint16] | None) -> None:
        """Take the next rows; keep them if there are enough."""
        self._indices.append(rows.indices)
        if layers is not None:
            self._layers.append(layers)
        self._tally.add(rows.blended, rows.indices)
        if sum(part.size for part in self._indices) >= BLOCK_PX:
            self.finish()

    def finish(self) -> None:
        """Keep what there is."""
        if not self._indices:
            return
        indices = np.concatenate(self._indices)
        layers = np.concatenate(self._layers, axis=1) if self._layers else None
        # reading is ahead: what was found further below is known again when that is read again
        notes = {**self._tally.notes(), "gaps": [] if self._gaps is None else self._gaps.notes()}
        self._journal.add(Block(row_off=self._row_off, indices=indices, layers=layers, notes=notes))
        self._row_off += len(indices)
        self._total.add_notes(self._tally.notes())
        self._begin()

    def _begin(self) -> None:
        self._indices: list[NDArray[np.uint8]] = []
        self._layers: list[NDArray[np.uint16]] = []
        self._tally = Tally(self._legend)
