"""Intervals: units are drawn whole, with their frequencies, and cover the truth about as often as they say."""

import json
import time

import numpy as np
import pytest

from terrazzo.evaluation import bootstrap
from terrazzo.evaluation.bootstrap import interval, resampled
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.intervals import Units, score_intervals
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.scores import pixel_scores

NAMES = ["a", "b", "c"]


def units(seed: int, number: int, classes: int = 3) -> Units:
    """Scenes that differ in how often they are right."""
    rng = np.random.default_rng(seed)
    right = rng.uniform(0.6, 0.95, number)
    counts = rng.integers(0, 30, (number, classes, classes))
    counts[:, range(classes), range(classes)] += (right * 900).astype(np.int64)[:, np.newaxis]
    return Units(kind="scenes", counts=counts)


def test_resamples_are_sums_of_as_many_units() -> None:
    """Each unit has a digit of its own: the digits of a sum tell how often it was drawn."""
    counts = 100 ** np.arange(5)[:, np.newaxis, np.newaxis]
    sums = np.concatenate(list(resampled(counts, 50, seed=1)))
    assert sums.shape == (50, 1, 1)
    drawn = sums.ravel().astype(np.int64)[:, np.newaxis] // 100 ** np.arange(5) % 100
    assert (drawn.sum(axis=1) == 5).all()
    assert len({tuple(row) for row in drawn.tolist()}) > 20
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.4)


def test_the_seed_decides_and_the_size_of_the_pieces_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two maps of the same scenes can be compared draw by draw."""
    counts = units(0, 7).counts
    whole = np.concatenate(list(resampled(counts, 30, seed=3)))
    monkeypatch.setattr(bootstrap, "PIECE", 28)
    pieces = list(resampled(counts, 30, seed=3))
    assert len(pieces) > 1
    assert np.array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(np.concatenate(list(resampled(counts, 30, seed=4))), whole)


def test_percentiles_leave_out_what_is_undefined() -> None:
    values = np.array([*np.linspace(0, 1, 101), np.nan])
    assert interval(values) == pytest.approx((0.025, 0.975))
    assert interval(np.array([np.nan])) is None


def test_scores_of_each_resample_are_those_of_its_counts() -> None:
    """With one unit, every resample is the unit itself, and the intervals are points: the scores of the whole."""
    one = units(1, 1)
    confusion = Confusion(3)
    confusion.counts = one.counts[0]
    scores = pixel_scores(confusion, [0, 1, 2], NAMES)
    found = score_intervals(one, EvaluationOptions(resamples=9), [0, 1, 2], NAMES)
    assert found["accuracy"] == pytest.approx((scores["accuracy"],) * 2)
    assert found["mean_iou"] == pytest.approx((scores["mean_iou"],) * 2)
    assert found["mean_dice"] == pytest.approx((scores["mean_dice"],) * 2)
    for row, entry in zip(found["classes"], scores["classes"], strict=True):
        assert row["f1"] == pytest.approx((entry["f1"],) * 2)
        assert row["iou"] == pytest.approx((entry["iou"],) * 2)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = units(99, 20_000).counts.sum(axis=0)
    accuracy = np.trace(truth) / truth.sum()
    held = []
    for seed in range(200):
        found = score_intervals(units(seed, 25), EvaluationOptions(resamples=200), [0, 1, 2], NAMES)["accuracy"]
        assert found is not None
        held.append(found[0] <= accuracy <= found[1])
    assert 0.87 <= np.mean(held) <= 0.99


def test_a_class_that_occurs_nowhere_has_none() -> None:
    counts = np.zeros((6, 3, 3), np.int64)
    counts[:, 0, 0], counts[:3, 1, 1] = 5, 5
    found = score_intervals(Units(kind="scenes", counts=counts), EvaluationOptions(resamples=100), [0, 1, 2], NAMES)
    assert found["classes"][2]["iou"] is None
    assert found["classes"][1]["iou"] == (1, 1)
    json.dumps(found, allow_nan=False)


def test_means_are_about_that_of_all_units_though_draws_lack_rare_classes() -> None:
    """Eight classes that are in one scene each and badly found: hardly a draw holds all of them."""
    counts = np.zeros((12, 9, 9), np.int64)
    counts[:, 0, 0] = 900
    for scene in range(8):
        counts[scene, scene + 1, [0, scene + 1]] = 90, 10
    confusion = Confusion(9)
    confusion.counts = counts.sum(axis=0)
    names = [str(number) for number in range(9)]
    scores = pixel_scores(confusion, range(9), names)
    found = score_intervals(Units(kind="scenes", counts=counts), EvaluationOptions(), range(9), names)
    for name, score in (("mean_iou", scores["mean_iou"]), ("mean_dice", scores["mean_dice"])):
        low, high = found[name]  # type: ignore[literal-required]
        assert low <= score <= high, name


def test_a_thousand_resamples_of_two_thousand_scenes_are_quick() -> None:
    many = units(0, 2000, classes=10)
    start = time.process_time()
    score_intervals(many, EvaluationOptions(), list(range(10)), [str(number) for number in range(10)])
    assert time.process_time() - start < 3
