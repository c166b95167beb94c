"""Counts against scikit-learn and a plain loop, and the ways in which pixels are left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from terrazzo.errors import LabelError, UsageError
from terrazzo.evaluation.confusion import CHUNK, PAIRS_FROM, Confusion

Indices = NDArray[np.uint8]


def indices(classes: int, shape: tuple[int, ...], seed: int, ignored: float = 0.1) -> Indices:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, classes, shape).astype(np.uint8)
    drawn[rng.random(shape) < ignored] = 255
    return drawn


def counted(classes: int, truth: Indices, predicted: Indices) -> Confusion:
    confusion = Confusion(classes)
    confusion.add(truth, predicted)
    return confusion


def naive(classes: int, truth: Indices, predicted: Indices) -> tuple[list[list[int]], list[int]]:
    counts, unpredicted = [[0] * classes for _ in range(classes)], [0] * classes
    for true, guess in zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        if true != 255 and guess != 255:
            counts[true][guess] += 1
        elif true != 255:
            unpredicted[true] += 1
    return counts, unpredicted


# 15 and 16: the last with one byte for a pair of indices and the first with two; 255: the most that uint8 with 255 left out can hold.
@pytest.mark.parametrize("classes", [1, 2, 4, 15, 16, 127, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (37, 51), (181, 182), (1, PAIRS_FROM), (1, PAIRS_FROM + 1)])
def test_counts_are_those_of_scikit_learn(classes: int, shape: tuple[int, int]) -> None:
    truth, predicted = indices(classes, shape, seed=1), indices(classes, shape, seed=2)
    truth[-1, -1] = predicted[-1, -1] = classes - 1  # an odd number of pixels: the last one counts too
    confusion = counted(classes, truth, predicted)
    both = (truth != 255) & (predicted != 255)
    if classes > 1:  # the only count of one class is compared below
        expected = confusion_matrix(truth[both], predicted[both], labels=range(classes))
        np.testing.assert_array_equal(confusion.counts, expected)
    left_out = truth[(truth != 255) & (predicted == 255)]
    np.testing.assert_array_equal(confusion.unpredicted, np.bincount(left_out, minlength=classes))
    assert confusion.pixels == both.sum()


@pytest.mark.parametrize("classes", [4, 20])
def test_an_image_of_several_chunks_and_an_odd_rest(classes: int) -> None:
    shape = (2 * CHUNK + 77,)
    truth, predicted = indices(classes, shape, seed=3), indices(classes, shape, seed=4)
    both = (truth != 255) & (predicted != 255)
    expected = np.zeros((classes, classes), np.int64)
    np.add.at(expected, (truth[both], predicted[both]), 1)
    np.testing.assert_array_equal(counted(classes, truth, predicted).counts, expected)


@given(st.data())
def test_counts_are_those_of_a_plain_loop(data: st.DataObject) -> None:
    classes = data.draw(st.sampled_from([1, 2, 3, 15, 16, 255]))
    shape = data.draw(array_shapes(min_dims=1, max_dims=3, max_side=9))
    index = st.integers(0, classes - 1) | st.just(255)
    truth, predicted = (data.draw(arrays(np.uint8, shape, elements=index)) for _ in range(2))
    confusion = counted(classes, truth, predicted)
    assert (confusion.counts.tolist(), confusion.unpredicted.tolist()) == naive(classes, truth, predicted)


@given(st.integers(0, 200), st.integers(0, 200))
def test_pieces_and_sums_give_the_counts_of_the_whole(first: int, second: int) -> None:
    truth, predicted = indices(3, (200, 3), seed=5), indices(3, (200, 3), seed=6)
    low, high = sorted((first, second))
    pieces = counted(3, truth[:low], predicted[:low])
    pieces.add(truth[low:high], predicted[low:high])
    total = pieces + counted(3, truth[high:], predicted[high:])
    whole = counted(3, truth, predicted)
    np.testing.assert_array_equal(total.counts, whole.counts)
    np.testing.assert_array_equal(total.unpredicted, whole.unpredicted)


def test_a_sum_leaves_its_parts_as_they_are() -> None:
    one = np.zeros((1, 1), np.uint8)
    first, second = counted(2, one, one), counted(2, one, one)
    total = first + second
    total.add(one, one)
    assert (first.pixels, second.pixels, total.pixels) == (1, 1, 3)


def test_views_with_strides_are_counted_as_their_copies() -> None:
    truth, predicted = indices(4, (301, 299), seed=7), indices(4, (301, 299), seed=8)
    part = (slice(3, 290, 2), slice(None, None, -1))
    expected = counted(4, truth[part].copy(), predicted[part].copy())
    np.testing.assert_array_equal(counted(4, truth[part], predicted[part]).counts, expected.counts)


def test_rows_are_the_truth() -> None:
    confusion = counted(3, np.array([[0, 0, 2]], np.uint8), np.array([[1, 1, 0]], np.uint8))
    assert confusion.counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert confusion.counts.dtype == np.int64


def test_ignored_truth_is_left_out_whatever_was_predicted() -> None:
    confusion = counted(2, np.full((5, 7), 255, np.uint8), indices(2, (5, 7), seed=9, ignored=0.5))
    assert confusion.pixels == 0
    assert confusion.unpredicted.tolist() == [0, 0]


def test_labelled_pixels_without_a_prediction_are_counted_apart() -> None:
    confusion = counted(3, np.array([0, 1, 1, 255], np.uint8), np.full(4, 255, np.uint8))
    assert confusion.pixels == 0
    assert confusion.unpredicted.tolist() == [1, 2, 0]


def test_an_empty_image_adds_nothing() -> None:
    empty = np.empty((0, 5), np.uint8)
    assert counted(2, empty, empty).pixels == 0


@pytest.mark.parametrize(("classes", "wrong"), [(4, 4), (4, 15), (4, 16), (4, 254), (15, 15), (16, 16), (254, 254)])
@pytest.mark.parametrize("side", ["labels", "prediction"])
def test_an_index_outside_the_classes_is_an_error_and_adds_nothing(classes: int, wrong: int, side: str) -> None:
    good = np.zeros((3, 5), np.uint8)
    bad = good.copy()
    bad[2, 4] = wrong
    confusion = counted(classes, good, good)
    with pytest.raises(LabelError, match=rf"{side} hold class index {wrong}; there are {classes} classes"):
        confusion.add(*((bad, good) if side == "labels" else (good, bad)))
    assert confusion.pixels == 15


def test_a_late_chunk_with_a_wrong_index_adds_nothing() -> None:
    good = np.zeros(CHUNK + 10, np.uint8)
    bad = good.copy()
    bad[-1] = 9
    confusion = Confusion(2)
    with pytest.raises(LabelError):
        confusion.add(good, bad)
    assert confusion.pixels == 0


def test_sizes_that_differ_are_an_error_that_names_both() -> None:
    with pytest.raises(LabelError, match=r"\(3, 5\).*\(5, 3\)"):
        Confusion(2).add(np.zeros((3, 5), np.uint8), np.zeros((5, 3), np.uint8))


def test_only_uint8_is_taken() -> None:
    with pytest.raises(UsageError, match="int64"):
        Confusion(2).add(np.zeros((3, 5), np.uint8), np.zeros((3, 5), np.int64))


@pytest.mark.parametrize("classes", [-1, 0, 256])
def test_the_number_of_classes_is_1_to_255(classes: int) -> None:
    with pytest.raises(UsageError, match=str(classes)):
        Confusion(classes)


def test_confusions_of_other_classes_cannot_be_added() -> None:
    with pytest.raises(UsageError, match="2 and 3"):
        Confusion(2) + Confusion(3)


def test_what_is_mapped_but_not_labelled_is_kept_apart() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([0, 255, 255, 2, 255], np.uint8), np.array([1, 1, 2, 255, 255], np.uint8))
    assert confusion.unlabelled.tolist() == [0, 1, 1]
    assert confusion.mapped.tolist() == [0, 2, 1]
    assert (confusion + confusion).mapped.tolist() == [0, 4, 2]
    assert confusion.pixels == 1
