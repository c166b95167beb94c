"""Scores against scikit-learn, hand-made cases of what is undefined, and properties of the means."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    f1_score,
    fbeta_score,
    jaccard_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import PixelScores, matthews, pixel_scores

NAMES = ["background", "glow", "hot", "cluster"]


def scored(counts: list[list[int]] | NDArray[np.int64]) -> PixelScores:
    confusion = Confusion(len(counts))
    confusion.counts += np.asarray(counts)
    return pixel_scores(confusion, range(len(counts)), [f"class {index}" for index in range(len(counts))])


@pytest.fixture(params=[0.05, 0.5, 0.95])
def pixels(request: pytest.FixtureRequest) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """4 classes of very unequal size, of which a share is predicted at random."""
    rng = np.random.default_rng(11)
    truth = rng.choice(4, 4001, p=[0.9, 0.07, 0.02, 0.01]).astype(np.uint8)
    wrong = rng.random(truth.shape) < request.param
    return truth, np.where(wrong, rng.integers(0, 4, truth.shape), truth).astype(np.uint8)


def test_all_scores_are_those_of_scikit_learn(pixels: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    truth, predicted = pixels
    confusion = Confusion(4)
    confusion.add(truth, predicted)
    scores = pixel_scores(confusion, range(4), NAMES)

    precision, recall, f1, support = precision_recall_fscore_support(truth, predicted, labels=range(4))
    iou = jaccard_score(truth, predicted, average=None, labels=range(4))
    f2 = fbeta_score(truth, predicted, beta=2, average=None, labels=range(4))
    for index, row in enumerate(scores["classes"]):
        found = (row["precision"], row["recall"], row["f1"], row["f2"], row["iou"], row["support"])
        assert found == pytest.approx((precision[index], recall[index], f1[index], f2[index], iou[index], support[index]), rel=1e-12)

    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, predicted), rel=1e-12)
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(truth, predicted), rel=1e-12)
    assert scores["kappa"] == pytest.approx(cohen_kappa_score(truth, predicted), rel=1e-12)
    for kind, means in (("macro", scores["macro"]), ("weighted", scores["weighted"])):
        expected = precision_recall_fscore_support(truth, predicted, average=kind)[:3]
        assert (means["precision"], means["recall"], means["f1"]) == pytest.approx(expected, rel=1e-12)
        assert means["f2"] == pytest.approx(fbeta_score(truth, predicted, beta=2, average=kind), rel=1e-12)
        assert means["iou"] == pytest.approx(jaccard_score(truth, predicted, average=kind), rel=1e-12)
    assert scores["mean_iou"] == pytest.approx(jaccard_score(truth, predicted, average="macro"), rel=1e-12)
    assert scores["mean_dice"] == pytest.approx(f1_score(truth, predicted, average="macro"), rel=1e-12)
    assert scores["frequency_weighted_iou"] == pytest.approx(jaccard_score(truth, predicted, average="weighted"), rel=1e-12)
    assert scores["confusion"] == confusion.counts.tolist()


@given(arrays(np.int64, (3, 3), elements=st.integers(0, 3)))
def test_counts_with_absent_classes_are_those_of_scikit_learn(counts: NDArray[np.int64]) -> None:
    truth, predicted = np.repeat(np.indices((3, 3)).reshape(2, 9), counts.ravel(), axis=1)
    scores = scored(counts)
    if not truth.size:
        assert scores["mean_iou"] is None
        return
    present = sorted(set(truth.tolist()) | set(predicted.tolist()))
    options = {"labels": present, "zero_division": 0}
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, **options)
    found = [
        (scores["classes"][index]["precision"], scores["classes"][index]["recall"], scores["classes"][index]["f1"]) for index in present
    ]
    np.testing.assert_allclose(found, np.stack([precision, recall, f1], axis=1), rtol=1e-12)
    assert scores["macro"]["precision"] == pytest.approx(precision.mean(), rel=1e-12)
    assert scores["mean_iou"] == pytest.approx(jaccard_score(truth, predicted, average="macro", **options), rel=1e-12)
    assert scores["weighted"]["f1"] == pytest.approx(f1_score(truth, predicted, average="weighted", **options), rel=1e-12)
    if len(set(truth.tolist())) > 1:
        assert scores["mcc"] == pytest.approx(matthews_corrcoef(truth, predicted), abs=1e-12)
        assert scores["kappa"] == pytest.approx(cohen_kappa_score(truth, predicted), abs=1e-12)


def test_a_small_case_by_hand() -> None:
    scores = scored([[5, 1], [2, 4]])
    second = scores["classes"][1]
    assert second["precision"] == pytest.approx(4 / 5)
    assert second["recall"] == pytest.approx(4 / 6)
    assert second["f1"] == pytest.approx(8 / 11)
    assert second["f2"] == pytest.approx(20 / 29)  # 5 TP / (5 TP + 4 FN + FP)
    assert second["iou"] == pytest.approx(4 / 7)
    assert scores["accuracy"] == pytest.approx(9 / 12)


def test_a_class_that_occurs_nowhere_has_no_scores_and_is_in_no_mean() -> None:
    scores = scored([[6, 0, 2], [0, 0, 0], [1, 0, 3]])
    without = scored([[6, 2], [1, 3]])
    absent = scores["classes"][1]
    assert [absent["precision"], absent["recall"], absent["f1"], absent["f2"], absent["iou"]] == [None] * 5
    assert absent["support"] == 0
    assert scores["macro"] == without["macro"]
    assert scores["weighted"] == without["weighted"]
    assert scores["mean_iou"] == without["mean_iou"]
    assert scores["mcc"] == without["mcc"]


def test_a_class_that_is_never_found_scores_0_and_lowers_the_means() -> None:
    scores = scored([[97, 0], [3, 0]])
    missed = scores["classes"][1]
    assert [missed["precision"], missed["recall"], missed["f1"], missed["f2"], missed["iou"]] == [0.0] * 5
    assert scores["macro"]["precision"] == pytest.approx(0.97 / 2)
    assert scores["mean_iou"] == pytest.approx(0.97 / 2)
    assert scores["mcc"] == 0.0


def test_a_class_that_is_found_but_not_there_scores_0() -> None:
    scores = scored([[8, 2], [0, 0]])
    invented = scores["classes"][1]
    assert [invented["precision"], invented["recall"], invented["f1"], invented["iou"]] == [0.0] * 4
    assert scores["mean_iou"] == pytest.approx(0.4)
    assert scores["weighted"]["iou"] == pytest.approx(0.8)
    assert scores["mcc"] is None
    assert scores["kappa"] in (0, None)


@pytest.mark.parametrize("shape", [(0, 4), (3, 4)])
def test_without_valid_pixels_all_is_undefined(shape: tuple[int, int]) -> None:
    confusion = Confusion(2)
    confusion.add(np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8))
    scores = pixel_scores(confusion, [0, 1], ["a", "b"])
    assert [scores["accuracy"], scores["mean_iou"], scores["mean_dice"], scores["frequency_weighted_iou"], scores["mcc"]] == [None] * 5
    assert set(scores["macro"].values()) == set(scores["weighted"].values()) == {None}


@pytest.mark.parametrize("predicted", [0, 1])
def test_one_pixel(predicted: int) -> None:
    confusion = Confusion(2)
    confusion.add(np.zeros((1, 1), np.uint8), np.full((1, 1), predicted, np.uint8))
    scores = pixel_scores(confusion, [0, 1], ["a", "b"])
    assert scores["accuracy"] == scores["mean_iou"] == 1 - predicted
    assert scores["classes"][0]["support"] == 1


def test_unpredicted_pixels_are_told_and_in_no_score() -> None:
    confusion = Confusion(2)
    confusion.add(np.array([0, 1, 1], np.uint8), np.array([0, 1, 255], np.uint8))
    scores = pixel_scores(confusion, [0, 1], ["a", "b"])
    assert (scores["unpredicted"], scores["accuracy"], scores["classes"][1]["support"]) == (1, 1.0, 1)


def test_the_correlation_of_more_pixels_than_64_bits_can_square() -> None:
    counts = np.array([[4, 1], [2, 3]], np.int64)
    small, large = matthews(counts), matthews(counts * 10**17)
    assert small is not None
    assert large == pytest.approx(small, rel=1e-12)


def test_scores_are_json_without_nan_and_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = scored([[1, 0, 0], [0, 0, 0], [2, 0, 0]])
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_classes_carry_the_values_and_names_of_the_legend() -> None:
    scores = pixel_scores(Confusion(2), np.array([3, 7], np.uint8), ["grass", "水"])  # type: ignore[arg-type]
    assert [(row["value"], row["name"]) for row in scores["classes"]] == [(3, "grass"), (7, "水")]
    assert type(scores["classes"][0]["value"]) is int


def test_each_class_needs_a_value_and_a_name() -> None:
    with pytest.raises(UsageError, match="2 values and 1 names for 3 classes"):
        pixel_scores(Confusion(3), [0, 1], ["a"])


@given(arrays(np.int64, (4, 4), elements=st.integers(0, 10**12)))
def test_scores_stay_in_their_ranges(counts: NDArray[np.int64]) -> None:
    scores = scored(counts)
    for row in scores["classes"]:
        f1, iou, precision, recall = row["f1"], row["iou"], row["precision"], row["recall"]
        if f1 is not None and iou is not None and precision is not None and recall is not None:
            assert 0 <= iou <= f1 <= 1
            assert f1 == pytest.approx(2 * iou / (1 + iou), rel=1e-12)
            assert min(precision, recall) * (1 - 1e-12) <= f1 <= max(precision, recall) * (1 + 1e-12)
    assert scores["mcc"] is None or -1 - 1e-12 <= scores["mcc"] <= 1 + 1e-12
    assert not any(isinstance(value, float) and math.isnan(value) for value in scores.values())
