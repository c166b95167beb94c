"""Scaling: band statistics measured on the training part, stored with the model, applied alike in training and prediction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.options import ScalingMethod
from terrazzo.rasters.raster import Pixels

NORMAL_SPREAD = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
QUANTILE_PIXELS = 2_000_000
"""Medians and percentiles are taken from about this many pixels a band, evenly spaced; mean and deviation from all."""


@dataclass(frozen=True, kw_only=True)
class BandStatistics:
    """What was measured of one band over the valid training pixels, in the band's own units."""

    mean: float
    sd: float
    median: float
    spread: float
    """Median absolute deviation, scaled to equal sd for normal values."""
    low: float
    """1 % percentile."""
    high: float
    """99 % percentile."""


@dataclass(frozen=True, kw_only=True)
class BandScaling:
    """How one band is scaled: (value - offset) * factor, then asinh where asked."""

    method: ScalingMethod
    offset: float
    factor: float
    fill: float
    """The scaled value of pixels without data: the band's mean."""
    statistics: BandStatistics

    @classmethod
    def of(cls, method: ScalingMethod, statistics: BandStatistics) -> "BandScaling":
        """Choose offset and factor of a method; a band without spread is only shifted."""
        sd = statistics.sd or 1.0
        if method == "standard":
            offset, factor = statistics.mean, 1 / sd
        elif method in ("robust", "asinh"):
            offset, factor = statistics.median, 1 / (statistics.spread or sd)
        elif method == "range":
            offset, factor = statistics.low, 1 / ((statistics.high - statistics.low) or 1.0)
        else:
            offset, factor = 0.0, 1.0
        fill = (statistics.mean - offset) * factor
        return cls(
            method=method, offset=offset, factor=factor, fill=float(np.arcsinh(fill)) if method == "asinh" else fill, statistics=statistics
        )

    @property
    def unit(self) -> float:
        """A standard deviation of the band in scaled values; 1 where the band has none, and after asinh."""
        return 1.0 if self.method == "asinh" else (self.statistics.sd * self.factor or 1.0)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale values of any shape."""
        scaled = (values - self.offset) * self.factor
        return np.arcsinh(scaled) if self.method == "asinh" else scaled

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values that are scaled to these."""
        linear = np.sinh(scaled) if self.method == "asinh" else scaled
        return linear / self.factor + self.offset


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The scaling of all bands that the network sees, in its order."""

    bands: tuple[BandScaling, ...]

    def check(self, bands: int) -> None:
        """Raise DataError if an image has another number of bands than the scaling was measured on."""
        if bands != len(self.bands):
            raise DataError(f"the image has {bands} bands, the scaling was measured on {len(self.bands)}. Choose bands with [data] bands.")


def measure(blocks: Iterable[tuple[Pixels, NDArray[np.bool_]]], methods: Sequence[ScalingMethod] | ScalingMethod, pixels: int) -> Scaling:
    """Measure the scaling over blocks of pixels, each with a (height, width) mask of those that count.

    pixels: about how many pixels the blocks hold together; it sets how densely medians and percentiles are sampled.
    Raises DataError if a band has no valid pixel, or if there is not one method a band.
    """
    step = max(1, pixels // QUANTILE_PIXELS)
    moments: list[_Moments] = []
    for block, counted in blocks:
        moments = moments or [_Moments(step) for _ in block.values]
        for band, moment in enumerate(moments):
            use = counted & block.valid
            if block.holes is not None:
                use &= ~block.holes[band]
            moment.add(block.values[band][use])
    chosen: list[ScalingMethod] = [methods] * len(moments) if isinstance(methods, str) else list(methods)
    if len(chosen) != len(moments):
        raise DataError(
            f"[data] scaling gives {len(chosen)} methods, the images have {len(moments)} bands. Give one method, or one a band."
        )
    empty = [str(band + 1) for band, moment in enumerate(moments) if not moment.count]
    if empty or not moments:
        raise DataError(
            f"no valid pixel in band {', '.join(empty) or 1} of the training part. Check nodata, or leave the band out with [data] bands."
        )
    return Scaling(bands=tuple(BandScaling.of(method, moment.statistics()) for method, moment in zip(chosen, moments, strict=True)))


class _Moments:
    """Running count, mean (from the first value) and squared deviation of a band (Chan et al. 1979), and an even sample of it."""

    def __init__(self, step: int) -> None:
        self.count = 0
        self.origin: float | None = None
        self.mean = 0.0
        self.squares = 0.0
        self.step = step
        self.sample: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[np.generic]) -> None:
        if not values.size:
            return
        wide = values.astype(np.float64)
        # measured from the first value, so that equal values have no spread at all and large ones lose no digits
        self.origin = float(wide[0]) if self.origin is None else self.origin
        moved = wide - self.origin
        mean = float(moved.mean())
        total = self.count + wide.size
        shift = mean - self.mean
        self.squares += float(np.square(moved - mean).sum()) + shift * shift * self.count * wide.size / total
        self.mean += shift * wide.size / total
        self.count = total
        self.sample.append(wide[:: self.step])

    def statistics(self) -> BandStatistics:
        sample = np.concatenate(self.sample)
        median = float(np.median(sample))
        low, high = (float(value) for value in np.percentile(sample, [1, 99]))
        spread = NORMAL_SPREAD * float(np.median(np.abs(sample - median)))
        mean, sd = (self.origin or 0.0) + self.mean, float(np.sqrt(self.squares / self.count))
        return BandStatistics(mean=mean, sd=sd, median=median, spread=spread, low=low, high=high)
