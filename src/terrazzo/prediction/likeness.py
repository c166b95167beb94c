"""Whether the pixel values of an image are like those that a model was trained on, by a sample of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from terrazzo.prediction.stream import Job
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


def unlike_bands(job: Job, scaling: Scaling) -> list[Unlike]:
    """The bands of an image, as the model reads it, whose values are unlike those of the training, by means and standard deviations.

    Raises RasterError if the image is broken where that is no gap.
    """
    looks = [job.read(job.raster, window) for window in _looks(job.raster.shape) if job.needs(window)]
    found = []
    for number, band in enumerate(scaling.bands):
        values = np.concatenate(
            [pixels.values[number][pixels.valid if pixels.holes is None else ~pixels.holes[number]].astype(np.float64) for pixels in looks]
            or [np.empty(0)]
        )
        if values.size and _differs(mean := float(values.mean()), sd := float(values.std()), band.statistics):
            found.append(Unlike(band=number + 1, mean=mean, sd=sd, trained=band.statistics))
    job.raster.close()
    return found


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
