"""From rasters to finished rows of their maps: reading ahead on a thread, computing, blending; memory is a row of windows.

read (thread) -> chips -> engine (batches across windows and rasters) -> band of blended rows -> finished rows
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from terrazzo.errors import DataError, ModelError, RasterError
from terrazzo.labels.area import Area
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import counted
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.blend import BlendBand, BlendedRows
from terrazzo.prediction.engines.engine import Engine, PredictedWindow, ReadWindow
from terrazzo.prediction.engines.ensemble import EnsembleChooser, runtime_facts
from terrazzo.prediction.engines.probe import Work, noise
from terrazzo.prediction.ensemble import check_thresholds
from terrazzo.prediction.frame import frame, on_map, rows_needed, touching
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.rows import RowsT
from terrazzo.prediction.resolution import matching_size
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.prediction.unreadable import Gaps
from terrazzo.progress import Advance
from terrazzo.rasters.ahead import drawn_ahead
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import Scaling


@dataclass(frozen=True, kw_only=True)
class Job:
    """One raster to predict."""

    raster: Raster
    grid: SlidingGrid
    wanted: Callable[[Window], bool] | None = None
    """Whether a window is needed; None: all are."""
    full: Raster | None = None
    """What the map has the grid of, where that is not `raster`: the image at its own size, or the part of it that is mapped."""
    area: Area | None = None
    """Of the whole image at its own size; beyond it the map has no data. None: all of it is wanted."""
    matched: bool = False
    """Whether the image is read at the model's cell size instead of its own."""
    gaps: Gaps | None = None
    """Takes up what of the image cannot be read; None: that is an error."""
    part: range | None = None
    """The rows of the map that are wanted: others are done, or done elsewhere; None: all are."""

    @property
    def rows(self) -> range:
        """The rows of the map that are wanted."""
        return range(self.mapped.shape[0]) if self.part is None else self.part

    @property
    def working_rows(self) -> range:
        """The rows of `raster` that those rows of the map are made of."""
        return self.rows if self.full is None or not self.rows else rows_needed(self.raster, self.full, self.rows)

    @property
    def row_starts(self) -> list[int]:
        """The starts of the rows of windows that are to be predicted."""
        return self.grid.row_starts_touching(self.working_rows)

    @property
    def mapped(self) -> Raster:
        """The raster that the map has the grid of."""
        return self.full or self.raster

    def within(self, area: Area) -> "Job":
        """The job of an area of the image alone: only windows that touch it are predicted, and the map is cut to it.

        area: of the image at its own size. Inside it the map is that of the whole image.
        """
        raster, mapped, grid = frame(self.raster, self.mapped, self.grid, area)
        return replace(self, raster=raster, full=mapped, grid=grid, wanted=touching(raster, mapped, area), area=area)

    @property
    def facts(self) -> Mapping[str, object]:
        """What the map depends on besides model, options and image; of JSON's types."""
        area = {} if self.area is None else {"area": self.area.digest}
        return {**area, "working_size": self.raster.whole.shape} if self.matched else area

    def read(self, raster: Raster, window: Window) -> Pixels:
        """A window of `raster` or `full`. Raises RasterError for what is broken and is no gap."""
        return raster.read(window) if self.gaps is None else self.gaps.read(raster, window)

    def needs(self, window: Window) -> bool:
        """Whether a window of the grid is to be predicted."""
        return self.wanted is None or self.wanted(window)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to predict, or several whose probabilities are averaged, and how."""

    bundle: Bundle
    """The model; of several the first, which says how images are read, what the classes are and how large windows are."""
    others: tuple[Bundle, ...]
    """The models that are averaged with it."""
    options: PredictionOptions
    chooser: EnsembleChooser

    @classmethod
    def of(cls, bundle: Bundle, device: str, options: PredictionOptions, others: Sequence[Bundle] = ()) -> "Predictor":
        """A model on a device. others: models that are averaged with it; see `ensemble.load_models`.

        Raises EnvironmentFault if the device is not there, RecipeError if the options do not go with it or with the models.
        """
        if bundle.legend.overlapping:
            options.check_overlapping()
        check_thresholds(options, [bundle, *others])
        if options.hdu is not None:
            reading = bundle.card.reading.model_copy(update={"hdu": options.hdu})
            bundle = replace(bundle, card=bundle.card.model_copy(update={"reading": reading}))
        return cls(bundle=bundle, others=tuple(others), options=options, chooser=EnsembleChooser([bundle, *others], device, options))

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All models, whose probabilities are averaged."""
        return (self.bundle, *self.others)

    @property
    def device(self) -> torch.device:
        """What computes the network computes on it."""
        return self.chooser.device

    @property
    def legend(self) -> Legend:
        """Of the maps: the model's, with what is unsure if the options ask for it. Raises LabelError if that has no place in it."""
        return self.bundle.legend if self.options.unsure is None else self.bundle.legend.with_unsure()

    def provenance(self, raster: Raster, others: Mapping[str, object] = MappingProxyType({})) -> str:
        """What a map of a raster was made with, as one line of JSON: model, options and image, by their contents.

        others: what else it depends on.
        """
        options = self.options.model_dump(mode="json", exclude={"probabilities", "entropy", "format", "engine", "batch_size"})
        image, *joined = raster.digests()
        facts = {"terrazzo": version("terrazzo"), "model": self.bundle.identity, "image": image, "options": options, **others}
        if joined:
            facts["extra_bands"] = joined
        averaged = [bundle.identity for bundle in self.others]
        # the mean of a model and itself is what it says alone
        if any(identity != self.bundle.identity for identity in averaged):
            facts["averaged_with"] = averaged
        return json.dumps(facts, sort_keys=True)

    def engine_for(self, jobs: Sequence[Job], kept: Mapping[str, object] | None = None) -> Engine:
        """What computes the jobs. kept: the runtime facts of when they were begun. Raises EnvironmentFault or ModelError; see Chooser."""
        return self.chooser.engine_for([_work_of(jobs, bundle) for bundle in self.bundles], kept)

    def runtime_facts(self, jobs: Sequence[Job], kept: Mapping[str, object] | None = None) -> dict[str, str | int]:
        """What of this machine the last digit of a probability may depend on."""
        return runtime_facts(self.engine_for(jobs, kept))

    def job(self, raster: Raster, wanted: Callable[[Window], bool] | None = None, full: Raster | None = None) -> Job:
        """The job of a whole raster, with the model's window or the one that the options give.

        raster: an image as the model reads it. full: the image at its own size, if that is another: its map has that.
        wanted: of windows in pixels of the map.
        Raises DataError if the raster has another number of bands than the model, or no metres where the options are in metres.
        """
        if raster.bands != self.bundle.card.bands:
            raise DataError(
                f"{raster.path} has {counted(raster.bands, 'band')}, the model takes {self.bundle.card.bands}. Choose images with the "
                "same bands."
            )
        size: Shape = (self.options.window, self.options.window) if self.options.window else self.bundle.card.window
        if (cleaning := Cleaning.of(self.options, self.bundle.legend)) is not None:
            cleaning.check((full or raster).grid, raster.path)
        if full is not None and wanted is not None:
            wanted = _in_pixels_of(raster.shape, full.shape, wanted)
        return Job(raster=raster, grid=SlidingGrid.of(raster.shape, size, self.options.overlap), wanted=wanted, full=full)

    def open_job(self, path: Path, wanted: Callable[[Window], bool] | None = None, *, match_cells: bool = False) -> Job:
        """The job of an image file; until it is read the file is closed, so that there may be any number of them.

        What of it is broken is no error later but a gap.

        wanted: of windows in pixels of the image itself. match_cells: read it at the model's cell size; the map has its own.
        Raises RasterError if it cannot be read, DataError if it has another number of bands than the model.
        """
        reading = self.bundle.card.reading
        with open_raster(path, reading) as raster:
            size = matching_size(raster, self.bundle.card) if match_cells else reading.resize
            if size is None or size == raster.own_grid.shape:
                return replace(self.job(raster, wanted), gaps=Gaps())
        working, own = (reading.model_copy(update={"resize": each}) for each in (size, None))
        with open_raster(path, working) as raster, open_raster(path, own) as full:
            return replace(self.job(raster, wanted, full), gaps=Gaps(), matched=match_cells)


def _in_pixels_of(working: Shape, full: Shape, wanted: Callable[[Window], bool]) -> Callable[[Window], bool]:
    return lambda window: wanted(window.rescaled(working, full))


def options_of(bundle: Bundle, given: Mapping[str, object]) -> PredictionOptions:
    """The options that a model was trained with, and over them those that are given.

    Raises ModelError if the model's own are not valid.
    """
    try:
        return PredictionOptions.model_validate({**bundle.card.recipe.get("prediction", {}), **given})
    except (ValidationError, TypeError) as error:
        raise ModelError(f"The model's own recipe has a [prediction] that is not valid ({str(error).splitlines()[0]}).") from error


def _work_of(jobs: Sequence[Job], bundle: Bundle) -> Work:
    pixels = sum(windows_of([job]) * job.grid.size[0] * job.grid.size[1] for job in jobs)
    return Work(pixels=pixels, window=lambda: _some_window(jobs, bundle))


def _some_window(jobs: Sequence[Job], bundle: Bundle) -> NDArray[np.float32]:
    """The pixels of a window in the middle of the first job; noise if it has none, or cannot be read."""
    if not jobs:
        return noise(bundle.card.bands, *bundle.card.window)
    grid, raster = jobs[0].grid, jobs[0].raster
    row = grid.row(grid.row_starts[len(grid.row_starts) // 2])
    try:
        with raster:
            pixels = raster.read(row[len(row) // 2])
    except RasterError:
        return noise(raster.bands, *grid.size)
    return to_chip(pixels, bundle.scaling, grid.size) if pixels.valid.any() else noise(raster.bands, *grid.size)


def windows_of(jobs: Sequence[Job]) -> int:
    """How many windows the jobs have together."""
    return sum(len(each.row_starts) * len(each.grid.col_starts) for each in jobs)


def predict_rows(jobs: Sequence[Job], predictor: Predictor, advance: Advance) -> Iterator[BlendedRows]:
    """Finished rows of each job in turn, top to bottom; together they hold every row of its map that is wanted once."""
    if not jobs:
        return
    bundle, engine = predictor.bundle, predictor.engine_for(jobs)
    scalings = [each.scaling for each in predictor.bundles]
    predicted = engine.run(drawn_ahead(_read(jobs, scalings), 2 * engine.batch_size))
    for each in jobs:
        band = BlendBand(each.grid, len(bundle.legend.classes), predictor.options.blend)
        pieces = _blended(each, band, predicted, advance)
        if each.full is None:
            yield from pieces
        else:
            with each.full as full:
                yield from on_map(pieces, each.raster, full, each.area, partial(each.read, full), each.rows)


def rows_of(job: Job, pieces: Iterator[RowsT]) -> Iterator[RowsT]:
    """Of the rows of several jobs, those of the one whose turn it is."""
    done = job.rows.start
    while done < job.rows.stop:
        rows = next(pieces)
        yield rows
        done = rows.row_end


def _blended(job: Job, band: BlendBand, predicted: Iterator[PredictedWindow], advance: Advance) -> Iterator[BlendedRows]:
    """The finished rows of one raster, of those that are needed: all windows that touch these are there."""
    grid, needed = job.grid, job.working_rows
    for row_off in job.row_starts:
        for _ in grid.col_starts:
            window, probabilities = next(predicted)
            band.add(window.window, window.valid, probabilities)
            advance(1)
        for rows in band.take(row_off, grid.untouched_to(row_off) - row_off):
            if rows.touches(needed):
                yield rows.between(needed.start, needed.stop)


def _read(jobs: Iterable[Job], scalings: Sequence[Scaling]) -> Iterator[ReadWindow]:
    """The windows of all jobs. scalings: of each model."""
    for each in jobs:
        for row_off in each.row_starts:
            for window in each.grid.row(row_off):
                if not each.needs(window):
                    yield ReadWindow(window=window, chip=None, valid=np.zeros(window.shape, np.bool_))
                    continue
                pixels = each.read(each.raster, window)
                yield ReadWindow(window=window, chip=_chip(pixels, scalings, each.grid.size), valid=pixels.valid)
        each.raster.close()


def _chip(pixels: Pixels, scalings: Sequence[Scaling], size: Shape) -> NDArray[np.float32] | None:
    """The same pixels as each model takes them, their bands one model after another; None if no pixel is valid."""
    if not pixels.valid.any():
        return None
    chips = [to_chip(pixels, scaling, size) for scaling in scalings]
    return chips[0] if len(chips) == 1 else np.concatenate(chips)
