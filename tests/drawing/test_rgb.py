import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.drawing.rgb import (
    ERROR_COLORS,
    FALSE_ALARM,
    MISSED,
    MIXED_UP,
    RIGHT,
    colorize,
    error_kinds,
    error_rgb,
    hatch,
    to_rgb,
)
from terrazzo.errors import UsageError


def everywhere(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.ones((values.shape[1], values.shape[2]), np.bool_)


def test_grey_is_stretched_between_percentiles() -> None:
    values = np.linspace(1000, 3000, 35 * 41).reshape(1, 35, 41)
    picture = to_rgb(values, everywhere(values))
    assert picture.shape == (35, 41, 3)
    assert picture.dtype == np.uint8
    assert np.all(picture == picture[..., :1])
    assert picture[0, 0, 0] == 0
    assert picture[-1, -1, 0] == 255
    assert picture[17, 20, 0] == pytest.approx(127, abs=2)


def test_one_outlier_does_not_blacken_the_image() -> None:
    values = np.random.default_rng(0).normal(500, 20, (1, 50, 60))
    values[0, 3, 3] = 1e9
    assert to_rgb(values, everywhere(values)).std() > 30


def test_two_bands_show_the_first_and_four_the_first_three() -> None:
    values = np.random.default_rng(0).integers(0, 4000, (4, 9, 11)).astype(np.uint16)
    valid = everywhere(values)
    np.testing.assert_array_equal(to_rgb(values[:2], valid), to_rgb(values[:1], valid))
    np.testing.assert_array_equal(to_rgb(values, valid), to_rgb(values[:3], valid))
    np.testing.assert_array_equal(to_rgb(values, valid)[..., 1], to_rgb(values[1:2], valid)[..., 0])


def test_colours_of_eight_bit_images_keep_their_balance() -> None:
    values = np.random.default_rng(0).integers(0, 200, (3, 40, 40)).astype(np.uint8)
    values[0] //= 2
    picture = to_rgb(values, everywhere(values)).astype(float)
    assert picture[..., 0].mean() == pytest.approx(picture[..., 1].mean() / 2, rel=0.1)
    # bands of other types are stretched on their own
    own = to_rgb(values.astype(np.uint16), everywhere(values)).astype(float)
    assert own[..., 0].mean() == pytest.approx(own[..., 1].mean(), rel=0.1)


def test_decades_are_compressed() -> None:
    values = np.random.default_rng(0).normal(8800, 20, (1, 100, 100))
    values[0, 40:42, :] += 400
    values[0, 60:62, :] += 20_000
    picture = to_rgb(values, everywhere(values))[..., 0].astype(float)
    background, faint, bright = np.median(picture), picture[40:42].mean(), picture[60:62].mean()
    assert background + 60 < faint < bright - 60
    assert picture[:40].std() > 5


def test_invalid_pixels_are_hatched_and_do_not_count() -> None:
    values = np.random.default_rng(0).normal(100, 5, (1, 30, 30))
    values[0, :10] = 1e6
    values[0, 15, 15] = np.nan
    valid = everywhere(values)
    valid[:10] = False
    picture = to_rgb(values, valid)
    np.testing.assert_array_equal(picture[:10], hatch((30, 30))[:10])
    np.testing.assert_array_equal(picture[15, 15], hatch((30, 30))[15, 15])
    assert picture[16:].std() > 30


def test_nothing_valid_and_nothing_varying() -> None:
    values = np.full((3, 4, 5), 7, np.int16)
    np.testing.assert_array_equal(to_rgb(values, np.zeros((4, 5), np.bool_)), hatch((4, 5)))
    np.testing.assert_array_equal(to_rgb(values, everywhere(values)), np.full((4, 5, 3), 128))


@given(st.integers(1, 5), st.sampled_from([np.uint8, np.int16, np.uint16, np.float32, np.float64]), st.integers(0, 2**32))
def test_any_image_becomes_a_picture(bands: int, dtype: type[np.generic], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal((bands, 3, 7)) * 10 ** rng.uniform(-3, 2)).astype(dtype)
    assert to_rgb(values, rng.random((3, 7)) < 0.7).shape == (3, 7, 3)


def test_classes_in_their_colours() -> None:
    colors = [(0, 0, 0), (230, 159, 0), (1, 2, 3)]
    picture = colorize(np.array([[0, 1, 2, 255]], np.uint8), colors)
    assert [tuple(pixel) for pixel in picture[0, :3].tolist()] == colors
    np.testing.assert_array_equal(picture[0, 3], hatch((1, 4))[0, 3])


def test_class_without_colour_is_refused() -> None:
    with pytest.raises(UsageError, match="class index 2 has no colour"):
        colorize(np.array([[0, 2]], np.uint8), [(0, 0, 0), (1, 1, 1)])


def test_kinds_of_errors() -> None:
    truth = np.array([[0, 0, 1, 1, 1, 255, 0]], np.uint8)
    predicted = np.array([[0, 2, 0, 1, 2, 0, 255]], np.uint8)
    assert error_kinds(truth, predicted).tolist() == [[RIGHT, FALSE_ALARM, MISSED, RIGHT, MIXED_UP, 255, 255]]


def test_errors_stand_out_of_the_faint_image() -> None:
    kinds = np.array([[RIGHT, MISSED, FALSE_ALARM, MIXED_UP, 255]], np.uint8)
    shown = error_rgb(kinds, np.full((1, 5, 3), 255, np.uint8))
    assert shown[0, 0].max() < 110
    assert [tuple(shown[0, column].tolist()) for column in (1, 2, 3)] == [ERROR_COLORS[kind] for kind in (MISSED, FALSE_ALARM, MIXED_UP)]
    np.testing.assert_array_equal(shown[0, 4], hatch((1, 5))[0, 4])
