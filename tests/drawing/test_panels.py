import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from terrazzo.drawing.panels import GAP_PX, LARGEST_PX, SMALLEST_PX, SampleView, png_bytes, sample_panel
from terrazzo.drawing.rgb import ERROR_COLORS, FALSE_ALARM
from terrazzo.errors import UsageError

COLORS = [(10, 20, 30), (200, 100, 0)]


def opened(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def view(shape: tuple[int, int]) -> SampleView:
    rng = np.random.default_rng(0)
    return SampleView(
        values=rng.integers(0, 4000, (2, *shape)).astype(np.uint16),
        valid=np.ones(shape, np.bool_),
        truth=np.zeros(shape, np.uint8),
        predicted=np.zeros(shape, np.uint8),
    )


@pytest.mark.parametrize("shape", [(256, 256), (200, 311), (1, 300)])
def test_four_pictures_with_transparent_gaps(shape: tuple[int, int]) -> None:
    picture = opened(sample_panel(view(shape), COLORS))
    assert picture.shape == (shape[0], 4 * shape[1] + 3 * GAP_PX, 4)
    gaps = np.flatnonzero((picture[..., 3] == 0).all(axis=0))
    assert len(gaps) == 3 * GAP_PX
    assert (picture[:, shape[1] + GAP_PX : 2 * shape[1] + GAP_PX, :3] == COLORS[0]).all()


def test_small_samples_are_enlarged_by_a_whole_factor() -> None:
    picture = opened(sample_panel(view((20, 31)), COLORS))
    zoom = SMALLEST_PX // 31
    assert picture.shape[:2] == (20 * zoom, 4 * 31 * zoom + 3 * GAP_PX)
    np.testing.assert_array_equal(picture[:zoom, :zoom], np.broadcast_to(picture[0, 0], (zoom, zoom, 4)))


@pytest.mark.parametrize("shape", [(1500, 1301), (641, 10), (2000, 700)])
def test_no_error_of_a_large_sample_disappears(shape: tuple[int, int]) -> None:
    sample = view(shape)
    sample.predicted[7, 5] = 1
    picture = opened(sample_panel(sample, COLORS))
    assert max(picture.shape[0], (picture.shape[1] - 3 * GAP_PX) // 4) <= LARGEST_PX
    wrong = (picture[..., :3] == ERROR_COLORS[FALSE_ALARM]).all(axis=-1)
    assert wrong.sum() == 1
    assert np.argwhere(wrong)[0, 1] > 0.75 * picture.shape[1] - GAP_PX


def test_ignored_pixels_do_not_hide_errors_beside_them() -> None:
    sample = view((1400, 900))
    sample.truth[:10] = 255
    sample.truth[0, 0], sample.predicted[0, 0] = 0, 1
    picture = opened(sample_panel(sample, COLORS))
    assert (picture[0, :, :3] == ERROR_COLORS[FALSE_ALARM]).all(axis=-1).sum() == 1


def test_class_without_colour_is_refused() -> None:
    sample = view((9, 9))
    sample.truth[0, 0] = 7
    with pytest.raises(UsageError, match="class index 7"):
        sample_panel(sample, COLORS)


def test_png_keeps_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)
    np.testing.assert_array_equal(opened(png_bytes(picture)), picture)
