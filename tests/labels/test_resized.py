"""Labels of images that are read at another size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.resized import ResizedLabels
from terrazzo.rasters.window import Shape, Window, whole


class Drawn:
    """Labels in memory."""

    has_instances = True

    def __init__(self, indices: NDArray[np.uint8]) -> None:
        self.indices = indices
        self.shape: Shape = (indices.shape[0], indices.shape[1])

    def read(self, window: Window) -> NDArray[np.uint8]:
        return self.indices[window.slices]

    def instances(self, window: Window) -> NDArray[np.uint32]:
        return self.indices[window.slices].astype(np.uint32) * 1000

    def close(self) -> None:
        pass


def drawn(height: int, width: int) -> Drawn:
    return Drawn(np.random.default_rng(1).integers(0, 250, (height, width), np.uint8))


@given(sides=st.tuples(*[st.integers(1, 40)] * 4))
@settings(max_examples=80, deadline=None)
def test_each_pixel_takes_the_label_under_its_centre(sides: tuple[int, int, int, int]) -> None:
    height, width, rows, columns = sides
    labels = drawn(height, width)
    found = ResizedLabels(labels, (rows, columns)).read(whole((rows, columns)))
    for row in range(rows):
        for column in range(columns):
            own = labels.indices[int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)]
            assert found[row, column] == own


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_windows_agree_with_the_whole_and_beyond_it_nothing_is_known(data: st.DataObject) -> None:
    resized = ResizedLabels(drawn(31, 17), (20, 45))
    window = Window(
        col_off=data.draw(st.integers(-5, 50)),
        row_off=data.draw(st.integers(-5, 25)),
        width=data.draw(st.integers(1, 60)),
        height=data.draw(st.integers(1, 30)),
    )
    padded = np.full((80, 120), IGNORE, np.uint8)
    padded[10:30, 10:55] = resized.read(whole((20, 45)))
    expected = padded[10 + window.row_off : 10 + window.row_end, 10 + window.col_off : 10 + window.col_end]
    np.testing.assert_array_equal(resized.read(window), expected)
    np.testing.assert_array_equal(resized.instances(window), np.where(expected == IGNORE, 0, expected.astype(np.uint32) * 1000))


@pytest.mark.parametrize("shape", [(6, 10), (3, 5)])
def test_halves_and_doubles_exactly(shape: Shape) -> None:
    labels = Drawn(np.arange(15, dtype=np.uint8).reshape(3, 5))
    found = ResizedLabels(labels, shape).read(whole(shape))
    np.testing.assert_array_equal(found[:: shape[0] // 3, :: shape[1] // 5], labels.indices)
