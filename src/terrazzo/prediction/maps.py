"""Class maps and probabilities on disk: what they are called, and writing them as their rows are finished."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.stream import Job, Predictor, predict_rows, rows_of, windows_of
from terrazzo.progress import Progress
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.write import PROVENANCE_TAG, BandWriter, MapStyle, MapWriter

logger = logging.getLogger(__name__)
MAP_SUFFIX = "_predseg"
PROBABILITIES_SUFFIX = "_probabilities"
THINNED = 8
"""Every n-th row and column counts for the histogram of probabilities."""

RowsSeen = Callable[[Job, BlendedRows, NDArray[np.uint8]], None]
"""Called with each finished piece of a map: the job, its rows, and their class indices (rows, width)."""

Shown = Callable[[Job, int, NDArray[np.uint8]], NDArray[np.uint8]]
"""Makes of the class indices of rows, from row_off on, those that a map shows."""


def map_path(out: Path, stem: str, raster: Raster) -> Path:
    """OUT/<stem>_predseg.tif; .png where the input is no GeoTIFF and has no map coordinates."""
    plain = raster.format != "GTiff" and not raster.grid.georeferenced
    return out / f"{stem}{MAP_SUFFIX}{'.png' if plain else '.tif'}"


def probabilities_path(class_map: Path) -> Path:
    """<stem>_probabilities.tif beside a class map."""
    return class_map.with_name(class_map.stem.removesuffix(MAP_SUFFIX) + f"{PROBABILITIES_SUFFIX}.tif")


def provenance_of(class_map: Path) -> str | None:
    """What a map says it was made with; None if it says nothing, or is no map."""
    try:
        with open_raster(class_map) as raster:
            return next((value for key, value in raster.tags.items() if key.upper() == PROVENANCE_TAG), None)
    except RasterError:
        return None


def map_style(legend: Legend, provenance: str) -> MapStyle:
    """How a map shows its legend, and carries it: with the rules for raw masks, so that such masks can be compared with it."""
    return MapStyle(colors=dict(zip(legend.values, legend.colors, strict=True)), legend_json=legend.to_json(), provenance_json=provenance)


class Tally:
    """How often each class was predicted, and how sure the model was of it."""

    def __init__(self, legend: Legend) -> None:
        self._legend = legend
        self._classes = np.zeros(IGNORE + 1, np.int64)
        self._confidence = np.zeros(10, np.int64)

    def add(self, rows: BlendedRows, indices: NDArray[np.uint8]) -> None:
        self._classes += np.bincount(indices.reshape(-1), minlength=IGNORE + 1)
        # a thinned grid is enough to tell how sure the model is
        sums, totals = rows.sums[:, ::THINNED, ::THINNED], rows.totals[::THINNED, ::THINNED]
        seen = (totals > 0) & rows.valid[::THINNED, ::THINNED]
        shares = sums[:, seen].max(axis=0) / (totals[seen] * float(PROBABILITY_ONE))
        self._confidence += np.histogram(shares, bins=10, range=(0, 1))[0]

    def tell(self) -> None:
        """Warn if everything is one class."""
        present = np.flatnonzero(self._classes[:IGNORE])
        if len(present) != 1:
            return
        total = max(1, int(self._confidence.sum()))
        shares = ", ".join(f"{low / 10:.1f}: {count / total:.0%}" for low, count in enumerate(self._confidence) if count)
        name = self._legend.names[int(present[0])]
        logger.warning("Every predicted pixel is '%s'. Its probability, by tenths from: %s.", name, shares)


def write_maps(
    jobs: Mapping[Path, Job], predictor: Predictor, progress: Progress, seen: RowsSeen | None = None, shown: Shown | None = None
) -> list[Path]:
    """Predict each job to its class map, and its probabilities where the options ask; returns what was written.

    A map appears under its name only when it is whole and was read back. If all maps are of one class, a warning says so.
    shown: what of a class map is written; `seen` gets all that was predicted.
    """
    written: list[Path] = []
    tally = Tally(predictor.bundle.legend)
    with progress.task("predict", windows_of(list(jobs.values())), "windows") as advance:
        pieces = predict_rows(list(jobs.values()), predictor, advance)
        for path, work in jobs.items():

            def each(rows: BlendedRows, indices: NDArray[np.uint8], work: Job = work) -> NDArray[np.uint8]:
                tally.add(rows, indices)
                if seen is not None:
                    seen(work, rows, indices)
                return indices if shown is None else shown(work, rows.row_off, indices)

            written += _write_map(path, work, pieces, predictor, each)
    tally.tell()
    return written


def follow_maps(jobs: Sequence[Job], predictor: Predictor, progress: Progress, seen: RowsSeen) -> None:
    """Predict jobs without keeping their maps."""
    with progress.task("score training", windows_of(jobs), "windows") as advance:
        pieces = predict_rows(jobs, predictor, advance)
        for work in jobs:
            for rows in rows_of(work, pieces):
                seen(work, rows, rows.indices())


def _write_map(
    path: Path,
    work: Job,
    pieces: Iterator[BlendedRows],
    predictor: Predictor,
    each: Callable[[BlendedRows, NDArray[np.uint8]], NDArray[np.uint8]],
) -> list[Path]:
    legend = predictor.bundle.legend
    beside = probabilities_path(path) if predictor.options.probabilities else None
    with ExitStack() as stack:
        classes = stack.enter_context(MapWriter(path, work.mapped.grid, map_style(legend, predictor.provenance(work.raster))))
        shares = stack.enter_context(BandWriter(beside, work.mapped.grid, legend.names)) if beside else None
        for rows in rows_of(work, pieces):
            classes.write(legend.decode(each(rows, rows.indices())))
            if shares is not None:
                shares.write(rows.probabilities())
    return [path, beside] if beside else [path]
