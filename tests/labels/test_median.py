"""The median filter of labels, against its definition and against NumPy's median."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.legend import IGNORE
from terrazzo.labels.median import MedianLabels, majority
from terrazzo.rasters.window import Window, whole

Indices = NDArray[np.uint8]

images = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=17), elements=st.sampled_from([0, 1, 2, 254, IGNORE]))


def disk(radius: int) -> NDArray[np.bool_]:
    steps = np.arange(-radius, radius + 1)
    inside: NDArray[np.bool_] = steps[:, None] ** 2 + steps**2 <= radius**2
    return inside


def naive(indices: Indices, radius: int) -> Indices:
    """Pixel by pixel, from the definition."""
    height, width = indices.shape
    result = indices.copy()
    for row, column in zip(*np.nonzero(indices != IGNORE), strict=True):
        votes = np.zeros(256, np.int64)
        for down, right in np.argwhere(disk(radius)) - radius:
            if 0 <= row + down < height and 0 <= column + right < width:
                votes[indices[row + down, column + right]] += 1
        votes[IGNORE] = 0
        own = indices[row, column]
        result[row, column] = own if votes[own] == votes.max() else votes.argmax()
    return result


def convolved(image: NDArray[np.bool_], kernel: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The sums under a kernel around each pixel, zeros beyond the border, by way of double precision."""
    size = [side + len(kernel) for side in image.shape]
    sums = np.fft.irfft2(np.fft.rfft2(image, size) * np.fft.rfft2(kernel, size), size).round()
    radius = len(kernel) // 2
    return sums[radius : radius + image.shape[0], radius : radius + image.shape[1]]


class Memory:
    """Labels in memory."""

    has_instances = False

    def __init__(self, indices: Indices) -> None:
        self.indices = indices
        self.shape = indices.shape[0], indices.shape[1]
        self.closed = False

    def read(self, window: Window) -> Indices:
        rows, columns = (np.arange(start, end) for start, end in ((window.row_off, window.row_end), (window.col_off, window.col_end)))
        margin = 200
        padded = np.pad(self.indices, margin, constant_values=IGNORE)
        return padded[np.ix_(rows + margin, columns + margin)]

    def instances(self, window: Window) -> NDArray[np.uint32]:
        raise LabelError(f"none in {window}")

    def close(self) -> None:
        self.closed = True


@settings(deadline=None, max_examples=60)
@given(indices=images, radius=st.integers(0, 6))
def test_equals_the_definition(indices: Indices, radius: int) -> None:
    before = indices.copy()
    found = majority(indices, radius)
    assert np.array_equal(found, naive(indices, radius) if radius > 1 else indices)
    assert np.array_equal(indices, before)
    assert not np.shares_memory(found, indices)


@pytest.mark.parametrize("radius", [2, 7, 30])
def test_of_two_classes_is_the_median_of_the_disk(radius: int) -> None:
    # the disk has an odd number of pixels, so there are no ties away from the border
    indices = np.random.default_rng(radius).integers(0, 2, (75, 83)).astype(np.uint8)
    inner = slice(radius, -radius)
    around = np.lib.stride_tricks.sliding_window_view(indices, disk(radius).shape)
    expected = np.median(around[:, :, disk(radius)], axis=-1)
    assert disk(radius).sum() % 2 == 1
    assert np.array_equal(majority(indices, radius)[inner, inner], expected)


@pytest.mark.parametrize("ignored", [0, 300])
def test_large_disks_count_exactly(ignored: int) -> None:
    rng = np.random.default_rng(3)
    indices = rng.integers(0, 2, (150, 140)).astype(np.uint8)
    indices[rng.integers(0, 150, ignored), rng.integers(0, 140, ignored)] = IGNORE
    votes = [convolved(indices == index, disk(64)) for index in (0, 1)]
    expected = np.where(votes[0] == votes[1], indices, votes[1] > votes[0])
    expected[indices == IGNORE] = IGNORE
    assert np.array_equal(majority(indices, 64), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 1), (0, 5)])
def test_images_smaller_than_the_disk(shape: tuple[int, int]) -> None:
    indices = np.random.default_rng(1).integers(0, 3, shape).astype(np.uint8)
    assert np.array_equal(majority(indices, 5), naive(indices, 5))


def test_removes_specks_and_keeps_what_is_left_out() -> None:
    indices = np.zeros((9, 9), np.uint8)
    indices[4, 4], indices[0, 8] = 1, IGNORE
    expected = np.zeros((9, 9), np.uint8)
    expected[0, 8] = IGNORE
    assert np.array_equal(majority(indices, 2), expected)


@settings(deadline=None, max_examples=60)
@given(
    indices=images,
    radius=st.integers(0, 5),
    corner=st.tuples(st.integers(-9, 18), st.integers(-9, 18)),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_windows_agree_with_the_whole(indices: Indices, radius: int, corner: tuple[int, int], shape: tuple[int, int]) -> None:
    labels = MedianLabels(Memory(indices), radius)
    window = Window(row_off=corner[0], col_off=corner[1], height=shape[0], width=shape[1])
    assert np.array_equal(labels.read(whole(labels.shape)), majority(indices, radius))
    assert np.array_equal(labels.read(window), Memory(majority(indices, radius)).read(window))


def test_the_rest_is_that_of_the_labels() -> None:
    memory = Memory(np.zeros((4, 6), np.uint8))
    labels = MedianLabels(memory, 3)
    assert (labels.shape, labels.has_instances) == ((4, 6), False)
    with pytest.raises(LabelError, match="none in"):
        labels.instances(whole((4, 6)))
    labels.close()
    assert memory.closed
