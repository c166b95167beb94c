"""Calibration and threshold curves from one histogram: against scikit-learn and the definitions, whole or in pieces."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, f1_score, fbeta_score, log_loss, precision_recall_curve, precision_score, recall_score

from terrazzo.errors import LabelError
from terrazzo.evaluation.calibration import calibration_scores
from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.evaluation.thresholds import best_thresholds, level_of, threshold_scores

NAMES = ["a", "b", "c"]


def drawn(seed: int, shape: tuple[int, int], classes: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    """Truth, map and probabilities (classes, height, width), with ignored pixels in both."""
    rng = np.random.default_rng(seed)
    raw = rng.dirichlet(np.full(classes, 0.7), shape).transpose(2, 0, 1)
    probabilities = np.round(raw * 65535).astype(np.uint16)
    guess = probabilities.argmax(axis=0).astype(np.uint8)
    truth = np.where(rng.random(shape) < 0.3, rng.integers(0, classes, shape), guess).astype(np.uint8)
    truth[rng.random(shape) < 0.1] = 255
    guess[rng.random(shape) < 0.1] = 255
    return truth, guess, probabilities


def counted(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> ConfidenceCounts:
    counts = ConfidenceCounts.none(len(probabilities))
    counts.add(truth, predicted, probabilities)
    return counts


def pixels(seed: int) -> tuple[ConfidenceCounts, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Counts; truth, map (pixels,) and probabilities (classes, pixels) of those that count."""
    truth, predicted, probabilities = drawn(seed, (41, 37))
    valid = (truth != 255) & (predicted != 255)
    return counted(truth, predicted, probabilities), truth[valid], predicted[valid], probabilities[:, valid] / 65535


def test_brier_and_log_likelihood_are_those_of_the_definitions() -> None:
    counts, truth, _, probabilities = pixels(0)
    found = calibration_scores(counts, 10, [0, 1, 2], NAMES)
    target = np.eye(3)[truth].T
    assert found["brier"] == pytest.approx(((probabilities - target) ** 2).sum(axis=0).mean())
    assert found["nll"] == pytest.approx(log_loss(truth, (probabilities / probabilities.sum(axis=0)).T), abs=1e-4)
    assert found["pixels"] == len(truth)


@pytest.mark.parametrize("bins", [2, 7, 10, 15])
def test_reliability_curves_are_those_of_scikit_learn(bins: int) -> None:
    counts, truth, predicted, probabilities = pixels(1)
    found = calibration_scores(counts, bins, [0, 1, 2], NAMES)
    shown = np.take_along_axis(probabilities, predicted[np.newaxis].astype(np.int64), axis=0)[0]
    cases = [(found["shown"], predicted == truth, shown)]
    cases += [(found["classes"][index], truth == index, probabilities[index]) for index in range(3)]
    for curve, right, probability in cases:
        share, mean = calibration_curve(right, probability, n_bins=bins)
        assert [value for value in curve["right"] if value is not None] == pytest.approx(share)
        assert [value for value in curve["probability"] if value is not None] == pytest.approx(mean)
        weights = [count for count in curve["pixels"] if count]
        assert curve["ece"] == pytest.approx(np.average(np.abs(share - mean), weights=weights))
    assert found["ece"] == found["shown"]["ece"]
    assert found["mean_confidence"] == pytest.approx(shown.mean())
    assert found["accuracy"] == pytest.approx((predicted == truth).mean())


def test_threshold_curves_are_those_of_scikit_learn() -> None:
    counts, truth, _, probabilities = pixels(2)
    found = threshold_scores(counts, [0, 1, 2], NAMES)
    for index, curve in enumerate(found["classes"]):
        own, share = truth == index, probabilities[index]
        assert curve["average_precision"] == pytest.approx(average_precision_score(own, share))
        for number in (0, 13, 50, 99):
            taken = share >= found["at"][number]
            assert curve["precision"][number] == (pytest.approx(precision_score(own, taken)) if taken.any() else None)
            assert curve["recall"][number] == pytest.approx(recall_score(own, taken))
            assert curve["f1"][number] == pytest.approx(f1_score(own, taken))
        precision, recall, _ = precision_recall_curve(own, share)
        best = (2 * precision * recall / (precision + recall)).max()
        assert curve["best_f1"] == pytest.approx(best)
        assert curve["best_threshold"] is not None
        assert f1_score(own, share >= curve["best_threshold"] - 1e-9) == pytest.approx(best)


def test_the_best_thresholds_are_those_of_scikit_learn() -> None:
    counts, truth, _, probabilities = pixels(3)
    found = best_thresholds(counts, NAMES)
    assert list(found) == list(NAMES)
    for index, name in enumerate(NAMES):
        own, share = truth == index, probabilities[index]
        for beta, measure in ((1, "f1"), (2, "f2")):
            threshold = found[name][measure]  # type: ignore[index]
            best = max(fbeta_score(own, share >= level, beta=beta) for level in np.unique(share))
            assert fbeta_score(own, share >= threshold - 1e-9, beta=beta) == pytest.approx(best)
            assert level_of(threshold) / (LEVELS - 1) == threshold


def test_a_class_that_the_truth_lacks_has_no_best_threshold() -> None:
    truth = np.zeros((1, 2), np.uint8)
    counts = counted(truth, truth, np.array([[[60000, 50000]], [[5535, 15535]]], np.uint16))
    assert best_thresholds(counts, ["a", "b"]) == {"a": {"f1": 0.0, "f2": 0.0}}


def test_a_perfect_model() -> None:
    truth = np.array([[0, 1, 1, 0]], np.uint8)
    probabilities = np.stack([truth == 0, truth == 1]).astype(np.uint16) * 65535
    counts = counted(truth, truth, probabilities)
    found = calibration_scores(counts, 10, [0, 1], ["a", "b"])
    assert (found["ece"], found["brier"], found["nll"], found["mean_confidence"]) == (0, 0, 0, 1)
    curves = threshold_scores(counts, [0, 1], ["a", "b"])
    assert [curve["average_precision"] for curve in curves["classes"]] == [1, 1]
    assert curves["classes"][0]["precision"][100] == 1


def test_a_certain_error_is_finite_and_an_absent_class_null() -> None:
    truth, predicted = np.zeros((1, 2), np.uint8), np.ones((1, 2), np.uint8)
    probabilities = np.array([[[0, 0]], [[65535, 65535]]], np.uint16)
    counts = counted(truth, predicted, probabilities)
    found = calibration_scores(counts, 4, [0, 1], ["a", "b"])
    assert found["nll"] == pytest.approx(np.log(2 * 65535))
    assert (found["ece"], found["brier"]) == (1, 2)
    curve = threshold_scores(counts, [0, 1], ["a", "b"])["classes"][1]
    assert (curve["average_precision"], curve["best_threshold"], set(curve["f1"])) == (None, None, {None})
    json.dumps([found, curve], allow_nan=False)


@settings(max_examples=20)
@given(seed=st.integers(0, 99), cut=st.integers(0, 12))
def test_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    truth, predicted, probabilities = drawn(seed, (12, 5))
    whole = counted(truth, predicted, probabilities)
    parts = counted(truth[:cut], predicted[:cut], probabilities[:, :cut]) + counted(truth[cut:], predicted[cut:], probabilities[:, cut:])
    assert np.array_equal(parts.classes, whole.classes)
    assert np.array_equal(parts.shown, whole.shown)
    assert whole.classes.shape == (3, 2, LEVELS)


def test_nothing_counts_where_nothing_is_labelled() -> None:
    truth, predicted, probabilities = drawn(0, (3, 3))
    assert counted(np.full_like(truth, 255), predicted, probabilities).pixels == 0


def test_probabilities_of_another_shape() -> None:
    truth, predicted, probabilities = drawn(0, (3, 3))
    with pytest.raises(LabelError, match=r"shape \(2, 3, 3\); those of 3 classes"):
        ConfidenceCounts.none(3).add(truth, predicted, probabilities[:2])
