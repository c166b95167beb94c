"""Two maps on the same units: what differs, how surely, and whether chance would do."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.paired import Difference, compare, compare_means, score_names, scores_of
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.labels.legend import Legend, LegendClass


def legend(*values: int) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(0, 0, 0)) for value in values))


TWO = legend(0, 7)


def units(count: int, wrong: float, seed: int) -> NDArray[np.int64]:
    """Scenes of 1000 pixels with a share of errors that varies from scene to scene."""
    rng = np.random.default_rng(seed)
    errors = rng.binomial(500, np.clip(rng.normal(wrong, 0.05, count), 0, 1))
    return np.stack([np.array([[500 - error, error], [error // 2, 500 - error // 2]]) for error in errors])


def by_name(found: list[Difference]) -> dict[str, Difference]:
    return {each.score: each for each in found}


@given(st.lists(st.lists(st.integers(0, 5), min_size=9, max_size=9), min_size=1, max_size=4))
def test_scores_are_those_of_evaluation(rows: list[list[int]]) -> None:
    """Also of classes that are nowhere, or nowhere in truth."""
    counts = np.array(rows, np.int64).reshape(-1, 3, 3).sum(0)
    confusion = Confusion(3)
    confusion.counts = counts
    expected = pixel_scores(confusion, (0, 1, 2), ("a", "b", "c"))
    found = dict(zip(score_names(legend(0, 1, 2)), scores_of(counts), strict=True))
    for name in ("accuracy", "mean_iou", "mean_dice"):
        assert found[name] == pytest.approx(np.nan if expected[name] is None else expected[name], nan_ok=True)
    for row in expected["classes"]:
        assert found[f"iou_{row['value']}"] == pytest.approx(np.nan if row["iou"] is None else row["iou"], nan_ok=True)
        assert found[f"dice_{row['value']}"] == pytest.approx(np.nan if row["f1"] is None else row["f1"], nan_ok=True)


def test_a_clear_difference_is_sure_and_an_even_one_is_not() -> None:
    good, bad = units(30, 0.1, 1), units(30, 0.3, 2)
    clear = by_name(compare(bad, good, TWO, 1000, 0))["mean_iou"]
    assert clear.low is not None
    assert clear.low > 0.1
    assert clear.p is not None
    assert 0 < clear.p <= 0.002
    assert clear.better > 25
    even = by_name(compare(good, units(30, 0.1, 3), TWO, 1000, 0))["mean_iou"]
    assert even.low is not None
    assert even.high is not None
    assert even.low < 0 < even.high
    assert even.p is not None
    assert even.p > 0.05


def test_a_map_is_as_good_as_itself() -> None:
    same = by_name(compare(units(9, 0.2, 1), units(9, 0.2, 1), TWO, 200, 0))["iou_7"]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert (same.better, same.worse, same.alike) == (0, 0, 9)


def test_the_pairs_are_what_makes_small_differences_sure() -> None:
    """Scenes differ much, the two maps little, but always the same way."""
    rng = np.random.default_rng(0)
    base = rng.integers(50, 400, 25)
    first = np.stack([np.array([[500 - error, error], [error, 500 - error]]) for error in base])
    second = np.stack([np.array([[505 - error, error - 5], [error - 5, 505 - error]]) for error in base])
    found = by_name(compare(first, second, TWO, 2000, 0))["accuracy"]
    assert found.difference == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01)
    assert found.high == pytest.approx(0.01)
    assert found.p is not None
    assert found.p < 0.001


def test_p_is_that_of_all_swaps() -> None:
    """Of eight units, counted one by one; of accuracy with equal sizes, it is the permutation test of scipy."""
    first, second = units(8, 0.2, 4), units(8, 0.24, 5)
    found = by_name(compare(first, second, TWO, 100, 0))
    observed = scores_of(second.sum(0))[1] - scores_of(first.sum(0))[1]
    larger = 0
    for swap in itertools.product([False, True], repeat=8):
        flip = np.array(swap)[:, None, None]
        one, other = np.where(flip, second, first).sum(0), np.where(flip, first, second).sum(0)
        larger += abs(scores_of(other)[1] - scores_of(one)[1]) >= abs(observed) - 1e-12
    assert found["mean_iou"].p == larger / 2**8
    differences = (scores_of(second)[:, 0] - scores_of(first)[:, 0],)
    scipy_p = stats.permutation_test(differences, np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert found["accuracy"].p == pytest.approx(float(scipy_p))


def test_intervals_cover_what_they_should() -> None:
    """Of 200 draws from a world where the maps are alike, about 95 in 100 intervals hold 0."""
    inside = 0
    for seed in range(200):
        found = by_name(compare(units(20, 0.2, 2 * seed), units(20, 0.2, 2 * seed + 1), TWO, 300, seed))["accuracy"]
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0 <= found.high
    assert 175 <= inside <= 199


@pytest.mark.parametrize("count", [1, 4, 5, 6])
def test_few_units_prove_little(count: int) -> None:
    found = by_name(compare(units(count, 0.2, 1), units(count, 0.3, 2), TWO, 100, 0))["mean_dice"]
    assert (found.low is not None) == (count >= 5)
    assert (found.p is not None) == (count == 6)
    assert by_name(compare(units(6, 0.2, 1), units(6, 0.3, 2), TWO, 0, 0))["mean_dice"].p is None


def test_the_same_seed_gives_the_same() -> None:
    first, second = units(40, 0.2, 1), units(40, 0.22, 2)
    assert compare(first, second, TWO, 300, 5) == compare(first, second, TWO, 300, 5)
    assert compare(first, second, TWO, 300, 5) != compare(first, second, TWO, 300, 6)


def test_a_class_that_is_nowhere_has_no_difference() -> None:
    first = np.zeros((7, 3, 3), np.int64)
    first[:, :2, :2] = units(7, 0.2, 1)
    found = by_name(compare(first, first, legend(0, 1, 2), 100, 0))["iou_2"]
    assert (found.first, found.difference, found.low, found.p, found.alike) == (None, None, None, None, 7)


def test_means_of_scenes_are_compared_alike() -> None:
    """Of scenes of one size, the accuracy of all pixels is the mean of those of the scenes: both ways give the same."""
    first, second = units(9, 0.2, 4), units(9, 0.25, 5)
    pooled = by_name(compare(first, second, TWO, 500, 3))["accuracy"]
    means = compare_means("accuracy", scores_of(first)[:, 0], scores_of(second)[:, 0], 500, 3)
    assert (means.difference, means.low, means.high) == pytest.approx((pooled.difference, pooled.low, pooled.high))
    assert (means.p, means.better, means.worse) == (pooled.p, pooled.better, pooled.worse)
    assert compare_means("f2", np.array([0.2]), np.array([0.4]), 500, 3).low is None
