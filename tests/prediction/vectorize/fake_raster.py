"""A raster in memory."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Window


class FakeRaster:
    """An array that is read by window; 255 is not valid."""

    def __init__(self, classes: NDArray[np.uint8]) -> None:
        self.classes, self.shape = classes, classes.shape

    def read(self, window: Window) -> Pixels:
        values = self.classes[window.slices]
        return Pixels(values=values[None], valid=values != 255, holes=None)
