import numpy as np
import pytest

from terrazzo.rasters.raster import Pixels
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import Scaling, measure


def pixels_of(height: int, width: int) -> Pixels:
    values = np.arange(2.0 * height * width).reshape(2, height, width)
    return Pixels(values=values, valid=np.ones((height, width), np.bool_), holes=None)


def plain_scaling(pixels: Pixels) -> Scaling:
    return measure([(pixels, pixels.valid)], "none", pixels.valid.size)


def mirrored(place: int, length: int) -> int:
    """0 1 2 | 2 1 0 | 0 1 2 ..."""
    step = place % (2 * length)
    return step if step < length else 2 * length - 1 - step


def test_a_full_window_is_scaled_only() -> None:
    pixels = pixels_of(5, 6)
    assert np.array_equal(to_chip(pixels, plain_scaling(pixels), (5, 6)), pixels.values.astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (8, 1), (3, 5), (8, 3)])
def test_a_smaller_window_is_mirrored_below_and_to_the_right(shape: tuple[int, int]) -> None:
    """As often as it takes."""
    pixels = pixels_of(*shape)
    chip = to_chip(pixels, plain_scaling(pixels), (8, 8))
    assert chip.shape == (2, 8, 8)
    for row, column in np.ndindex(8, 8):
        assert (chip[:, row, column] == pixels.values[:, mirrored(row, shape[0]), mirrored(column, shape[1])]).all()
