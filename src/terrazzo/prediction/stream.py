"""From rasters to finished rows of their maps: reading ahead on a thread, computing, blending; memory is a row of windows.

read (thread) -> chips -> engine (batches across windows and rasters) -> band of blended rows -> finished rows
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

from pydantic import ValidationError

from terrazzo.errors import DataError, ModelError
from terrazzo.models.bundle import Bundle
from terrazzo.models.network import choose_runtime
from terrazzo.prediction.blend import BlendBand, BlendedRows
from terrazzo.prediction.engine import Engine, ReadWindow
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.progress import Advance
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import Scaling

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One raster to predict."""

    raster: Raster
    grid: SlidingGrid
    wanted: Callable[[Window], bool] | None = None
    """Whether a window is needed; None: all are."""


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to predict, and how."""

    bundle: Bundle
    engine: Engine
    options: PredictionOptions

    @classmethod
    def of(cls, bundle: Bundle, device: str, options: PredictionOptions) -> "Predictor":
        """Put a model on a device. Raises EnvironmentFault if it is not there."""
        return cls(bundle=bundle, engine=Engine(bundle, choose_runtime(device, options.precision), options.batch_size), options=options)

    def provenance(self, raster: Raster) -> str:
        """What a map of a raster was made with, as one line of JSON: model, options and image, by their contents."""
        options = self.options.model_dump(mode="json", exclude={"probabilities", "batch_size"})
        image, *joined = raster.digests()
        facts = {"terrazzo": version("terrazzo"), "model": self.bundle.identity, "image": image, "options": options}
        if joined:
            facts["extra_bands"] = joined
        return json.dumps(facts, sort_keys=True)

    def job(self, raster: Raster, wanted: Callable[[Window], bool] | None = None) -> Job:
        """The job of a whole raster, with the model's window or the one that the options give.

        Raises DataError if the raster has another number of bands than the model.
        """
        if raster.bands != self.bundle.card.bands:
            raise DataError(
                f"{raster.path} has {raster.bands} bands, the model takes {self.bundle.card.bands}. Choose images with the same bands."
            )
        size: Shape = (self.options.window, self.options.window) if self.options.window else self.bundle.card.window
        return Job(raster=raster, grid=SlidingGrid.of(raster.shape, size, self.options.overlap), wanted=wanted)


def options_of(bundle: Bundle, given: Mapping[str, object]) -> PredictionOptions:
    """The options that a model was trained with, and over them those that are given.

    Raises ModelError if the model's own are not valid.
    """
    try:
        return PredictionOptions.model_validate({**bundle.card.recipe.get("prediction", {}), **given})
    except (ValidationError, TypeError) as error:
        raise ModelError(f"The model's own recipe has a [prediction] that is not valid ({str(error).splitlines()[0]}).") from error


def windows_of(jobs: Sequence[Job]) -> int:
    """How many windows the jobs have together."""
    return sum(len(each.grid.row_starts) * len(each.grid.col_starts) for each in jobs)


def predict_rows(jobs: Sequence[Job], predictor: Predictor, advance: Advance) -> Iterator[BlendedRows]:
    """Finished rows of each job in turn, top to bottom; together they hold every row of its raster once."""
    bundle, engine = predictor.bundle, predictor.engine
    predicted = engine.run(ahead(_read(jobs, bundle.scaling), 2 * engine.batch_size))
    for each in jobs:
        band = BlendBand(each.grid, len(bundle.legend.classes), predictor.options.blend)
        starts = each.grid.row_starts
        for number, row_off in enumerate(starts):
            for _ in each.grid.col_starts:
                window, probabilities = next(predicted)
                band.add(window.window, window.valid, probabilities)
                advance(1)
            end = starts[number + 1] if number + 1 < len(starts) else each.grid.shape[0]
            yield band.take(row_off, end - row_off)


def _read(jobs: Iterable[Job], scaling: Scaling) -> Iterator[ReadWindow]:
    for each in jobs:
        for row_off in each.grid.row_starts:
            for window in each.grid.row(row_off):
                pixels = each.raster.read(window)
                needed = pixels.valid.any() and (each.wanted is None or each.wanted(window))
                chip = to_chip(pixels, scaling, each.grid.size) if needed else None
                yield ReadWindow(window=window, chip=chip, valid=pixels.valid)
        each.raster.close()


def ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """Draw items on one thread, in order, at most `depth` ahead; its errors are raised here."""
    iterator = iter(items)
    pending: deque[Future[T | None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        try:
            while True:
                while len(pending) < depth:
                    pending.append(pool.submit(next, iterator, None))
                item = pending.popleft().result()
                if item is None:
                    return
                yield item
        finally:
            for future in pending:
                future.cancel()
