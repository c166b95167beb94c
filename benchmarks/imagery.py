"""Made-up imagery that compresses as photographs of the ground do: ground at several scales, some noise, and roofs with sharp edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

OCTAVES = (4, 16, 64, 256)
"""Sides of the coarse grids that are added, in cells; each counts half as much as the one before."""


def ground(height: int, width: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (height, width, 3) and its labels (height, width): 0 ground, 1 roofs."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for octave, cells in enumerate(OCTAVES):
        grid = rng.standard_normal((cells, cells, 3), np.float32)
        image += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    image = 110 + 30 * image + rng.normal(0, 2, image.shape).astype(np.float32)
    labels = np.zeros((height, width), np.uint8)
    for _ in range(max(1, height * width // 12_000)):
        row, column, tall, wide = (int(value) for value in rng.integers((0, 0, 10, 10), (height, width, 60, 60)))
        labels[row : row + tall, column : column + wide] = 1
        image[row : row + tall, column : column + wide] += rng.uniform(-60, 60)
    return image.clip(0, 255).astype(np.uint8), labels
