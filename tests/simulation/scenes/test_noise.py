import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes.dice import Dice
from terrazzo.simulation.scenes.noise import grain, smooth_at, smooth_over

DICE = Dice(1, 2)


def window(col_off: int, row_off: int, width: int, height: int) -> Window:
    return Window(col_off=col_off, row_off=row_off, width=width, height=height)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 7, 16]))
def test_windows_are_parts_of_one_field(col_off: int, row_off: int, width: int, height: int, spacing_px: int) -> None:
    everything = smooth_over(DICE, "x", window(-50, -50, 120, 120), spacing_px)
    part = smooth_over(DICE, "x", window(col_off, row_off, width, height), spacing_px)
    rows, columns = slice(row_off + 50, row_off + 50 + height), slice(col_off + 50, col_off + 50 + width)
    np.testing.assert_array_equal(part, everything[rows, columns])
    noise = grain(DICE, "x", window(col_off, row_off, width, height), 3)
    np.testing.assert_array_equal(noise, grain(DICE, "x", window(-50, -50, 120, 120), 3)[:, rows, columns])


@pytest.mark.parametrize("spacing_px", [4, 16, 64])
def test_noise_is_smooth_over_its_spacing(spacing_px: int) -> None:
    noise = smooth_over(DICE, "x", window(0, 0, 400, 400), spacing_px)
    assert np.abs(np.diff(noise, axis=0)).max() < 3 / spacing_px
    assert abs(noise.mean()) < 0.15
    assert noise.std() == pytest.approx(0.7, abs=0.12)
    assert -2.6 < noise.min() < noise.max() < 2.6


def test_noise_at_points_is_smooth_and_bounded() -> None:
    x = np.linspace(-40, 60, 2000)
    noise = smooth_at(DICE, "x", x, np.full_like(x, 3.3), 10.0)
    assert 0 <= noise.min() < noise.max() <= 1
    assert np.abs(np.diff(noise)).max() < 0.02


def test_grain_is_normal_and_of_its_pixel_alone() -> None:
    noise = grain(DICE, "x", window(0, 0, 300, 300), 6)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert 3.5 < np.abs(noise).max() < 6
    layers = noise.reshape(6, -1)
    assert np.abs(np.corrcoef(layers) - np.eye(6)).max() < 0.02
    assert abs(np.corrcoef(noise[0, 1:].ravel(), noise[0, :-1].ravel())[0, 1]) < 0.02
