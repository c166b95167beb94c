"""Centre lines of the classes of a map, such as roads, band by band.

Each band is read with as many rows around it as matter for its own, so that lines are those of the whole raster whatever the bands.
Links from band to band are cut half-way, where no others are: lines go on there.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.vectorize.joining import LineBand
from terrazzo.prediction.vectorize.options import VectorOptions
from terrazzo.prediction.vectorize.skeleton import links_of, reach_px, skeleton, widths_of
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window

MIDDLE = 0.5
"""Of a pixel, from its upper left corner."""


class Centrelines:
    """The centre lines of the wanted classes of a map; their third coordinate is the width of the class there, in pixels."""

    def __init__(self, raster: Raster, wanted: frozenset[int], options: VectorOptions) -> None:
        self._raster = raster
        self._wanted = wanted
        self._options = options
        self.reach = reach_px(options.widest_px, options.spur_px)
        """Rows and columns that are looked at around a band."""
        self.pixels: Counter[int] = Counter()
        """Of each class, by value, in the bands that were made."""
        self.wide: Counter[int] = Counter()
        """Of these, where the class is wider than options.widest_px: there are no lines."""

    def bands(self, rows: int) -> Iterator[LineBand]:
        """From top to bottom. rows: height of the bands. Raises RasterError if the map is broken."""
        height = self._raster.shape[0]
        for top in range(0, height, rows):
            end = min(top + rows, height)
            around, own = self._read(top, end)
            present = sorted(self._wanted.intersection(np.unique(around).tolist()))
            yield LineBand(segments={(value,): self._segments(around == value, value, own, top, end) for value in present}, end=end)

    def _read(self, top: int, end: int) -> tuple[NDArray[np.uint8], tuple[slice, slice]]:
        """The classes of some rows and of as many around them as matter, and where among them the rows are.

        Around the map lies its mirror image, as far as a line may be wide: so what the edge cuts off goes on.
        """
        height, width = self._raster.shape
        first, last = max(0, top - self.reach), min(height, end + self.reach)
        pixels = self._raster.read(Window(col_off=0, row_off=first, width=width, height=last - first))
        classes: NDArray[np.uint8] = np.where(pixels.valid, pixels.values[0], IGNORE).astype(np.uint8)
        across, down = (min(self._options.widest_px, side - 1) for side in (width, height))
        above, below = (max(0, min(self.reach - rows, down)) for rows in (top, height - end))
        around = np.pad(classes, ((above, below), (across, across)), mode="reflect")
        return around, (slice(above + top - first, above + end - first), slice(across, across + width))

    def _segments(self, around: NDArray[np.bool_], value: int, own: tuple[slice, slice], top: int, end: int) -> NDArray[np.object_]:
        """around: where the class is, as `_read` gives it."""
        widths = widths_of(around)
        self.pixels[value] += int(np.count_nonzero(around[own]))
        self.wide[value] += int(np.count_nonzero(widths[own] > self._options.widest_px))
        lines = skeleton(around, widths, self._options.widest_px, self._options.spur_px)
        # with a row above and one below, where there are any
        above, below = min(top, 1), min(self._raster.shape[0] - end, 1)
        seen = slice(own[0].start - above, own[0].stop + below), own[1]
        lines, widths = lines[seen], widths[seen]
        columns, rows = np.moveaxis(links_of(lines), -1, 0)
        down = rows + (top - above)
        ends = np.stack([columns + MIDDLE, down + MIDDLE, widths[rows, columns]], axis=-1)
        inside = (down >= top) & (down < end)
        cut = np.where(inside[..., np.newaxis], ends, ends.mean(axis=1, keepdims=True))
        return np.asarray(shapely.linestrings(cut[inside.any(axis=1)]))
