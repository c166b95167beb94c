"""A chip as the network sees it: scaled, and full size even at a raster's edge. Training and prediction share it."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape
from terrazzo.samples.scaling import Scaling


def to_chip(pixels: Pixels, scaling: Scaling, size: Shape) -> NDArray[np.float32]:
    """(bands, *size) float32: scaled pixels, mirrored at the lower and right edge where they are smaller than size."""
    scaled = scaling.apply(pixels)
    height, width = scaled.shape[1:]
    if (height, width) == size:
        return scaled
    return np.pad(scaled, ((0, 0), (0, size[0] - height), (0, size[1] - width)), mode="symmetric")
