"""Images as gray bytes, in which likeness is looked for."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Shape, Window, whole

BANDS = 3
"""Bands that are averaged; further ones are not looked at."""
SAMPLE_PX = 1024
"""Side of the middle part by which other types than bytes are stretched."""
STRETCH = (0.5, 99.5)
"""Percentiles that become 0 and 255."""
KEPT_BYTES = 2**28
"""Gray images that are kept at a time; larger images are read by windows."""


@dataclass(frozen=True, kw_only=True)
class Gray:
    """A part of an image."""

    values: NDArray[np.uint8]
    """(height, width); where there is no data, some gray."""
    valid: NDArray[np.bool_]
    """(height, width)."""

    def crop(self, window: Window) -> "Gray":
        return Gray(values=self.values[window.slices], valid=self.valid[window.slices])


class GrayImage:
    """An opened image, read as gray."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        self._range = (0.0, 255.0) if raster.dtype == np.uint8 else _value_range(raster)

    @property
    def shape(self) -> Shape:
        return self._raster.shape

    def read(self, window: Window) -> Gray:
        """The gray of a window inside the image."""
        pixels = self._raster.read(window)
        mean = _mean(pixels)
        low, high = self._range
        if (low, high) != (0.0, 255.0):
            mean = (mean - np.float32(low)) * np.float32(255.0 / (high - low))
        valid = pixels.valid if pixels.holes is None else pixels.valid & np.isfinite(mean)
        if not valid.all():
            mean = np.where(valid, mean, np.median(mean[valid]) if valid.any() else 0)
        return Gray(values=np.clip(np.rint(mean), 0, 255).astype(np.uint8), valid=valid)

    def strips(self, rows: int, beyond: int) -> Iterator[tuple[int, Gray]]:
        """The image in strips of `rows` rows and `beyond` more on either side, where there are; with the row that each begins at."""
        height, width = self.shape
        for start in range(0, height, rows):
            top, bottom = max(0, start - beyond), min(height, start + rows + beyond)
            yield top, self.read(Window(col_off=0, row_off=top, width=width, height=bottom - top))


class GrayStore:
    """Gray parts of many images; the last images are kept in memory. For one thread."""

    def __init__(self, options: DataOptions) -> None:
        self._options = options
        self._kept: OrderedDict[Path, Gray] = OrderedDict()
        self._bytes = 0

    def read(self, path: Path, window: Window) -> Gray:
        """The gray of a window inside an image. Raises RasterError if it cannot be read."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path].crop(window)
        with open_raster(path, self._options) as raster:
            image = GrayImage(raster)
            if 2 * raster.shape[0] * raster.shape[1] > KEPT_BYTES // 8:
                return image.read(window)
            self._keep(path, image.read(whole(raster.shape)))
        return self._kept[path].crop(window)

    def _keep(self, path: Path, gray: Gray) -> None:
        self._kept[path] = gray
        self._bytes += 2 * gray.values.size
        while self._bytes > KEPT_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= 2 * dropped.values.size


def _mean(pixels: Pixels) -> NDArray[np.float32]:
    """(height, width) mean of the first bands."""
    bands = pixels.values[:BANDS]
    # bytes are added up in 16 bits, which is fast
    total: NDArray[np.float32] = np.add.reduce(bands, axis=0, dtype=np.uint16 if bands.dtype == np.uint8 else np.float32).astype(np.float32)
    return total * np.float32(1 / len(bands))


def _value_range(raster: Raster) -> tuple[float, float]:
    """The values of the image's middle that become black and white."""
    height, width = (min(side, SAMPLE_PX) for side in raster.shape)
    middle = Window(col_off=(raster.shape[1] - width) // 2, row_off=(raster.shape[0] - height) // 2, width=width, height=height)
    pixels = raster.read(middle)
    mean = _mean(pixels)
    shown = mean[pixels.valid & np.isfinite(mean)]
    if not shown.size:
        return 0.0, 1.0
    low, high = np.percentile(shown, STRETCH)
    return float(low), float(high) if high > low else float(low) + 1.0
