"""Whether the pixel values of an image are like those that a model was trained on, by a sample of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from terrazzo.prediction.stream import Job
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.scaling import BandStatistics, Scaling

LOOKS, LOOK_PX = 5, 128
"""So many places a side, of so many pixels a side, stand for an image."""
FAR_SD = 6.0
"""A mean so many standard deviations of the training away is of other values. Single images of real sets are up to 4 away."""
WIDE = 8.0
"""Values that spread as many times as far are others. Of single images of real sets it is up to 4."""
NARROW = 1 / 64
"""Values that spread over this share are others, if their mean is elsewhere too: images without contrast are common."""
ELSEWHERE_SD = 0.5


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """A band whose values are unlike those of the training."""

    band: int
    """From 1."""
    mean: float
    sd: float
    trained: BandStatistics

    def __str__(self) -> str:
        return f"band {self.band} {self.mean:.4g} +- {self.sd:.4g} (in training {self.trained.mean:.4g} +- {self.trained.sd:.4g})"


def unlike_bands(job: Job, scalings: Sequence[Scaling]) -> list[Unlike]:
    """The bands of an image, as the model reads it, whose values are unlike those of the training, by means and standard deviations.

    scalings: of each model; the first counts whose training was of other values.
    Raises RasterError if the image is broken where that is no gap.
    """
    looks = [job.read(job.raster, window) for window in _looks(job.raster.shape) if job.needs(window)]
    job.raster.close()
    bands = [_spread(looks, number) for number in range(job.raster.bands)]
    found = (_unlike(bands, scaling) for scaling in scalings)
    return next((unlike for unlike in found if unlike), [])


def _unlike(bands: Sequence[tuple[float, float] | None], scaling: Scaling) -> list[Unlike]:
    """The bands that are unlike those of a training; bands: mean and standard deviation of each, None where it has no data."""
    return [
        Unlike(band=number, mean=spread[0], sd=spread[1], trained=band.statistics)
        for number, (spread, band) in enumerate(zip(bands, scaling.bands, strict=True), 1)
        if spread is not None and _differs(*spread, band.statistics)
    ]


def _spread(looks: Sequence[Pixels], number: int) -> tuple[float, float] | None:
    """Mean and standard deviation of a band; None if it has no data."""
    parts = [pixels.values[number][pixels.valid if pixels.holes is None else ~pixels.holes[number]] for pixels in looks]
    values = np.concatenate([part.astype(np.float64) for part in parts] or [np.empty(0)])
    return (float(values.mean()), float(values.std())) if values.size else None


def _differs(mean: float, sd: float, trained: BandStatistics) -> bool:
    """A band that was one value in training is compared in units of that value."""
    unit = trained.sd or abs(trained.mean) or 1.0
    away, spread = abs(mean - trained.mean) / unit, sd / unit
    return away > FAR_SD or spread > WIDE or (spread < NARROW and away > ELSEWHERE_SD)


def _looks(shape: Shape) -> Iterator[Window]:
    """Places spread evenly over an image; all of it where it is small."""
    rows, columns = (_starts(side) for side in shape)
    for row, column in product(rows, columns):
        yield Window(col_off=column, row_off=row, width=min(LOOK_PX, shape[1]), height=min(LOOK_PX, shape[0]))


def _starts(length: int) -> Sequence[int]:
    room = max(0, length - LOOK_PX)
    return sorted({round(room * (2 * number + 1) / (2 * LOOKS)) for number in range(LOOKS)})
