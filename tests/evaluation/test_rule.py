"""The best rule against trying every interval; histograms of pieces, of float values, and with rare classes."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from terrazzo.errors import LabelError, UsageError
from terrazzo.evaluation.rule import RuleScores, ValueHistogram, ValueRule, best_rules


def histogram(values: NDArray[np.number], truth: NDArray[np.uint8], classes: int, bins: int = 1 << 16) -> ValueHistogram:
    counted = ValueHistogram(classes, bins)
    counted.add(values, truth)
    return counted


def best_of_all_intervals(counts: NDArray[np.int64], index: int) -> Fraction:
    rows = counts.tolist()
    support = sum(row[index] for row in rows)
    scores = []
    for start in range(len(rows)):
        for end in range(start + 1, len(rows) + 1):
            taken = sum(sum(row) for row in rows[start:end])
            hits = sum(row[index] for row in rows[start:end])
            scores.append(Fraction(2 * hits, support + taken))
    return max(scores)


def frame(seed: int, size: int = 4001) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """A detector's noise and 1 % of hot pixels above it."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(size) < 0.01).astype(np.uint8)
    return rng.normal(1000, 5, size) + truth * rng.normal(40, 5, size), truth


@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(0, 2)), min_size=1, max_size=60))
def test_no_interval_is_better_than_the_rule(pixels: list[tuple[int, int]]) -> None:
    values = np.array([value for value, _ in pixels], np.int16)
    truth = np.array([index for _, index in pixels], np.uint8)
    counted = histogram(values, truth, 3)
    for index, rule in enumerate(best_rules(counted)):
        if rule is None:
            assert index not in truth
        else:
            assert rule.f1 == float(best_of_all_intervals(counted.counts, index))
            assert rule.f1 == pytest.approx(f1_score(truth == index, rule.takes(values)), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_a_separable_class_is_found_whatever_the_dtype(dtype: type[np.number]) -> None:
    values = np.array([[3, 9, 10, 12, 90], [4, 11, 50, 60, 91]], dtype)
    truth = np.array([[0, 1, 1, 1, 2], [0, 1, 0, 0, 2]], np.uint8)
    rules = best_rules(histogram(values, truth, 3))
    assert rules[1] == ValueRule(low=9, high=12, f1=1.0)
    assert rules[2] == ValueRule(low=90, high=math.inf, f1=1.0)
    assert [str(rule) for rule in rules[1:]] == ["9 <= value <= 12", "90 <= value"]


@given(arrays(np.uint8, (60,)), arrays(np.uint8, (60,), elements=st.integers(0, 2) | st.just(255)), st.integers(0, 60))
def test_pieces_give_the_histogram_of_the_whole(values: NDArray[np.uint8], truth: NDArray[np.uint8], cut: int) -> None:
    whole, pieces = histogram(values, truth, 3), histogram(values[cut:], truth[cut:], 3)
    pieces.add(values[:cut], truth[:cut])
    np.testing.assert_array_equal(pieces.lows, whole.lows)
    np.testing.assert_array_equal(pieces.highs, whole.lows)
    np.testing.assert_array_equal(pieces.counts, whole.counts)
    for index in range(3):
        kept = values[truth == index]
        np.testing.assert_array_equal(np.repeat(whole.lows, whole.counts[:, index]), np.sort(kept))


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 9))
def test_merged_bins_lose_no_pixel_and_stay_apart(seed: int, bins: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    counted = ValueHistogram(2, bins)
    values, truth = rng.normal(size=(images, 30)).round(2), rng.integers(0, 2, (images, 30)).astype(np.uint8)
    for band, labels in zip(values, truth, strict=True):
        counted.add(band, labels)
    assert len(counted.lows) <= bins
    assert (counted.lows <= counted.highs).all()
    assert (counted.highs[:-1] < counted.lows[1:]).all()
    for low, high, counts in zip(counted.lows, counted.highs, counted.counts, strict=True):
        within = truth[(values >= low) & (values <= high)]
        assert counts.tolist() == np.bincount(within, minlength=2).tolist()


def test_the_f1_of_a_rule_from_merged_bins_is_its_f1_on_the_pixels() -> None:
    values, truth = frame(seed=1)
    rules = best_rules(histogram(values, truth, 2, bins=64))
    for index, rule in enumerate(rules):
        assert rule is not None
        assert rule.f1 == pytest.approx(f1_score(truth == index, rule.takes(values)), rel=1e-12)


def test_a_rare_class_keeps_its_resolution_when_bins_are_merged() -> None:
    values, truth = frame(seed=2)
    coarse, fine = best_rules(histogram(values, truth, 2, bins=64))[1], best_rules(histogram(values, truth, 2))[1]
    assert coarse is not None
    assert fine is not None
    assert fine.f1 - 0.03 < coarse.f1 <= fine.f1


def test_a_value_that_half_the_pixels_have_keeps_its_own_bin() -> None:
    values = np.concatenate([np.full(500, 7.0), np.linspace(0, 20, 501)])
    counted = histogram(values, np.zeros(1001, np.uint8), 1, bins=100)
    at = np.searchsorted(counted.highs, 7.0)
    assert counted.highs[at] - counted.lows[at] < 0.5
    assert counted.counts[at, 0] >= 500


def test_nodata_and_ignored_pixels_are_left_out() -> None:
    values = np.array([1, np.nan, np.inf, -np.inf, 5, 6], np.float32)
    truth = np.array([0, 1, 1, 0, 255, 1], np.uint8)
    counted = histogram(values, truth, 2)
    assert (counted.lows.tolist(), counted.counts.tolist()) == ([1, 6], [[1, 0], [0, 1]])
    scores = RuleScores([None, ValueRule(low=5, high=math.inf, f1=1.0)])
    scores.add(values, truth)
    assert scores.f1() == [0.0, 1.0]


def test_an_ignored_image_and_an_empty_one_have_no_rules() -> None:
    counted = histogram(np.ones((3, 4)), np.full((3, 4), 255, np.uint8), 2)
    counted.add(np.empty((0, 4)), np.empty((0, 4), np.uint8))
    assert best_rules(counted) == [None, None]


def test_one_pixel_and_one_class_are_all_values() -> None:
    rules = best_rules(histogram(np.array([[5]], np.uint16), np.array([[1]], np.uint8), 2))
    assert rules == [None, ValueRule(low=-math.inf, high=math.inf, f1=1.0)]
    assert str(rules[1]) == "all values"


def test_held_out_scores_are_those_of_scikit_learn_and_add_up_over_images() -> None:
    train_values, train_truth = frame(seed=3)
    rules = best_rules(histogram(train_values, train_truth, 2))
    values, truth = frame(seed=4)
    scores = RuleScores(rules)
    scores.add(values[:1000], truth[:1000])
    scores.add(values[1000:], truth[1000:])
    expected = [f1_score(truth == index, rule.takes(values)) for index, rule in enumerate(rules) if rule is not None]
    assert scores.f1() == pytest.approx(expected, rel=1e-12)
    assert expected[1] > 0.9


def test_a_class_that_held_out_images_lack_is_undefined_unless_its_rule_takes_pixels() -> None:
    truth = np.zeros(3, np.uint8)
    scores = RuleScores([None, None, ValueRule(low=8, high=9, f1=1.0), ValueRule(low=2, high=2, f1=1.0)])
    scores.add(np.array([1, 2, 3], np.uint8), truth)
    assert scores.f1() == [0.0, None, None, 0.0]


def test_sizes_and_indices_that_do_not_fit_are_errors() -> None:
    counted = ValueHistogram(2)
    with pytest.raises(LabelError, match=r"\(3, 4\).*\(4, 3\)"):
        counted.add(np.zeros((4, 3)), np.zeros((3, 4), np.uint8))
    with pytest.raises(LabelError, match="class index 2; there are 2 classes"):
        RuleScores([None, None]).add(np.zeros((3, 4)), np.full((3, 4), 2, np.uint8))


@pytest.mark.parametrize(("classes", "bins"), [(0, 8), (256, 8), (2, 1)])
def test_a_histogram_needs_classes_and_bins(classes: int, bins: int) -> None:
    with pytest.raises(UsageError, match=f"classes is {classes} and bins is {bins}"):
        ValueHistogram(classes, bins)
