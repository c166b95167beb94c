"""Scores of objects against the challenges' formulas, cases worked out by hand, and pycocotools."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco

from terrazzo.errors import UsageError
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.scores import ObjectScores, image_ap, image_f2, object_scores
from terrazzo.evaluation.objects.tally import ObjectTally

Numbers = NDArray[np.uint32]

AIRBUS = tuple(range(500_000, 1_000_000, 50_000))
SHIP = ObjectRule(name="ship", classes=(1,), thresholds=AIRBUS)


def count(pairs: list[tuple[Numbers, Numbers]], rule: ObjectRule = SHIP) -> ObjectCounts:
    """Object numbers of labels and map, image by image."""
    counts = ObjectCounts(rule=rule)
    for name, (truth, predicted) in enumerate(pairs):
        tally = ObjectTally(rule)
        tally.add(0, (truth > 0).view(np.uint8), (predicted > 0).view(np.uint8), truth, predicted)
        counts.add(str(name), tally.found())
    return counts


def score(*pairs: tuple[Numbers, Numbers], rule: ObjectRule = SHIP) -> ObjectScores:
    return object_scores(count(list(pairs), rule))


def bars(*lengths: int, width: int = 40, shift: int = 0) -> Numbers:
    """An object a row, each of its own length, at the left border or `shift` from it."""
    numbers = np.zeros((max(1, 2 * len(lengths)), width), np.uint32)
    for row, length in enumerate(lengths):
        numbers[2 * row, shift : shift + length] = row + 1
    return numbers


def airbus_f2(truth: Numbers, predicted: Numbers) -> Fraction:
    """The score of an image as the challenge states it, in fractions."""
    true = [truth == number for number in np.unique(truth[truth > 0])]
    guess = [predicted == number for number in np.unique(predicted[predicted > 0])]
    if not true and not guess:
        return Fraction(1)
    iou = [[Fraction(int((t & p).sum()), int((t | p).sum())) for p in guess] for t in true]
    total = Fraction(0)
    for step in range(10):
        threshold = Fraction(50 + 5 * step, 100)
        hits = sum(any(share > threshold for share in row) for row in iou)
        false = sum(not any(row[p] > threshold for row in iou) for p in range(len(guess)))
        missed = len(true) - hits
        total += Fraction(5 * hits, 5 * hits + 4 * missed + false)
    return total / 10


@pytest.mark.parametrize(
    ("truth", "predicted", "f2"),
    [
        (bars(*[5] * 10), bars(5, *[0] * 9), Fraction(5, 41)),
        (bars(5), bars(5), Fraction(1)),
        (bars(0), bars(0), Fraction(1)),
        (bars(5), bars(0), Fraction(0)),
        (bars(0), bars(5), Fraction(0)),
        (bars(5), bars(5, shift=20), Fraction(0)),
        # an IoU of exactly 0.55 is above 0.50 alone, one of exactly 0.5 above none
        (bars(20), bars(11), Fraction(1, 10)),
        (bars(20), bars(10), Fraction(0)),
        (bars(20), bars(13), Fraction(3, 10)),
        (bars(20), bars(19), Fraction(9, 10)),
        # one of two found, and one that is none: 5 / (5 + 4 + 1)
        (bars(5, 5, 0), bars(5, 0, 5), Fraction(1, 2)),
    ],
)
def test_airbus_f2_of_cases_worked_out_by_hand(truth: Numbers, predicted: Numbers, f2: Fraction) -> None:
    assert airbus_f2(truth, predicted) == f2
    assert score((truth, predicted))["f2"] == pytest.approx(float(f2), abs=1e-15)


def test_ten_objects_and_one_perfect_prediction_are_5_of_41() -> None:
    found = score((bars(*[5] * 10), bars(5, *[0] * 9)))
    assert found["f2"] == pytest.approx(5 / 41, abs=1e-15)
    assert list(found["f2_by_iou"]) == ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"]
    assert set(found["f2_by_iou"].values()) == {5 / 41}
    assert found["by_iou"]["0.50"] == {
        "matched": 1,
        "false": 0,
        "missed": 9,
        "precision": 1.0,
        "recall": 0.1,
        "f1": 2 / 11,
        "f2": 5 / 41,
    }


def drawn(seed: int, objects: int, wobble: int) -> tuple[Numbers, Numbers]:
    """Ellipses, and the same moved and resized by up to `wobble` pixels; some are left away on either side, some touch or overlap."""
    rng = np.random.default_rng(seed)
    truth, predicted = np.zeros((61, 83), np.int32), np.zeros((61, 83), np.int32)
    for number in range(1, objects + 1):
        center, axes, angle = rng.integers(0, 80, 2), rng.integers(1, 9, 2), float(rng.integers(0, 180))
        for numbers in (truth, predicted):
            if rng.random() < 0.85:
                moved = center + (0 if numbers is truth else rng.integers(-wobble, wobble + 1, 2))
                cv2.ellipse(numbers, moved.tolist(), axes.tolist(), angle, 0, 360, number, -1)
    return truth.astype(np.uint32), predicted.astype(np.uint32)


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 25), st.integers(0, 4)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_f2_and_ap_are_those_of_the_challenges(draws: list[tuple[int, int, int]]) -> None:
    pairs = [drawn(*each) for each in draws]
    found = object_scores(count(pairs))
    expected = sum(airbus_f2(*pair) for pair in pairs) / len(pairs)
    assert found["f2"] == pytest.approx(float(expected), abs=1e-12)
    assert found["ap"] == pytest.approx(np.mean([nuclei_ap(*pair) for pair in pairs]), abs=1e-12)


def nuclei_ap(truth: Numbers, predicted: Numbers) -> float:
    """As the public notebooks of the nuclei challenge do it: a table of all pairs, then TP / (TP + FP + FN) at each threshold."""
    rows, columns = (np.unique(numbers, return_inverse=True)[1].reshape(numbers.shape) for numbers in (truth, predicted))
    if not truth.any() or not predicted.any():
        return float(not truth.any() and not predicted.any())
    first = [0 if (numbers == 0).any() else -1 for numbers in (truth, predicted)]
    both = np.histogram2d(rows.ravel(), columns.ravel(), bins=(rows.max() + 1, columns.max() + 1))[0]
    areas = both.sum(axis=1)[:, None] + both.sum(axis=0)[None] - both
    iou = (both / areas)[1 + first[0] :, 1 + first[1] :]
    points = []
    for hundredth in range(50, 100, 5):
        matches = iou * 100 > hundredth + 1e-9
        hits, missed, false = (matches.any(1)).sum(), (~matches.any(1)).sum(), (~matches.any(0)).sum()
        points.append(hits / (hits + missed + false))
    return float(np.mean(points))


@given(st.integers(0, 9999), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_ious_are_those_of_pycocotools(seed: int, objects: int) -> None:
    truth, predicted = drawn(seed, objects, 3)
    tally = ObjectTally(replace(SHIP, thresholds=(1,)))
    tally.add(0, (truth > 0).view(np.uint8), (predicted > 0).view(np.uint8), truth, predicted)
    found = tally.found()
    coded = [
        [coco.encode(np.asfortranarray((numbers == number).view(np.uint8))) for number in np.unique(numbers[numbers > 0])]
        for numbers in (truth, predicted)
    ]
    if not all(coded):
        return
    iou = coco.iou(coded[1], coded[0], [0] * len(coded[0]))
    np.testing.assert_allclose(np.sort(found.predicted_best), np.sort(iou.max(axis=1)), atol=1e-12)
    np.testing.assert_allclose(np.sort(found.true_best), np.sort(iou.max(axis=0)), atol=1e-12)


def test_shards_add_up_to_the_whole_in_any_order() -> None:
    pairs = [drawn(seed, 12, 2) for seed in range(7)]
    whole = count(pairs)
    parts = [count(pairs[:2]), count(pairs[2:3]), count(pairs[3:])]
    assert object_scores(parts[2] + parts[0] + parts[1]) == object_scores(whole)
    with pytest.raises(UsageError, match="different rules"):
        count([]) + count([], replace(SHIP, thresholds=(300_000,)))


def test_scores_are_ready_for_json_also_without_any_image() -> None:
    for counts in (count([]), count([(bars(0), bars(0))]), count([drawn(3, 9, 2)])):
        json.dumps(object_scores(counts), allow_nan=False)
    empty = object_scores(count([]))
    assert (empty["f2"], empty["precision"], empty["pq"], empty["sizes"]) == (None, None, None, [])


def test_only_one_side_has_objects() -> None:
    none_found, none_there = score((bars(4, 4), bars(0, 0))), score((bars(0, 0), bars(4, 4)))
    for found in (none_found, none_there):
        assert (found["precision"], found["recall"], found["f2"], found["pq"]) == (0.0, 0.0, 0.0, 0.0)
    assert (none_found["true"], none_found["predicted"], none_there["true"], none_there["predicted"]) == (2, 0, 0, 2)


def test_an_image_without_ground_that_counts_is_left_out() -> None:
    counts = count([(bars(4), bars(4))])
    tally = ObjectTally(SHIP)
    tally.add(0, np.full((3, 4), 255, np.uint8), np.ones((3, 4), np.uint8))
    counts.add("nothing", tally.found())
    assert object_scores(counts)["images"] == 1


def test_count_error() -> None:
    # predicted minus true: 2, -1, 0
    found = score((bars(3, 0, 0), bars(3, 3, 3)), (bars(4, 4), bars(4, 0)), (bars(5), bars(5, shift=9)))
    assert found["count_error"] == {"bias": 1 / 3, "mae": 1.0, "rmse": pytest.approx((5 / 3) ** 0.5)}


def test_panoptic_quality_is_that_of_its_paper() -> None:
    # IoUs 1, 0.8, 0.6; one missed, one false
    found = score((bars(10, 10, 10, 10, 0), bars(10, 8, 6, 0, 10)))
    assert found["sq"] == pytest.approx((1 + 0.8 + 0.6) / 3)
    assert found["rq"] == pytest.approx(3 / (3 + 0.5 + 0.5))
    assert found["pq"] == pytest.approx((1 + 0.8 + 0.6) / 4)
    assert found["mean_iou"] == found["sq"]


@pytest.mark.parametrize("thresholds", [(200_000,), (750_000, 900_000)])
def test_panoptic_quality_is_at_a_half_whatever_the_thresholds(thresholds: tuple[int, ...]) -> None:
    pair = (bars(10, 10, 10, 10), bars(10, 8, 6, 3))
    found = score(pair, rule=replace(SHIP, thresholds=thresholds))
    assert (found["pq"], found["sq"], found["rq"]) == tuple(score(pair)[key] for key in ("pq", "sq", "rq"))


class TestSizes:
    def test_thirds_of_the_true_objects_by_default(self) -> None:
        found = score((bars(*range(1, 10)), bars(*range(1, 6), 0, 0, 0, 0)))["sizes"]
        assert [(each["name"], each["from_px"], each["to_px"], each["matched"], each["missed"]) for each in found] == [
            ("small", 0, 3, 2, 0),
            ("medium", 3, 6, 3, 0),
            ("large", 6, None, 0, 4),
        ]

    def test_given_sizes_and_false_objects_of_their_own_size(self) -> None:
        found = score((bars(4, 12, 0), bars(4, 0, 30)), rule=replace(SHIP, sizes_px=(10,)))["sizes"]
        assert [(each["name"], each["matched"], each["false"], each["missed"]) for each in found] == [
            ("0 to 10 px", 1, 0, 0),
            ("10 px and more", 0, 1, 1),
        ]

    @pytest.mark.parametrize("sizes", [None, (1,), (3, 5), (2, 4, 40)])
    def test_sizes_add_up_to_all(self, sizes: tuple[int, ...] | None) -> None:
        found = score(*(drawn(seed, 14, 3) for seed in range(4)), rule=replace(SHIP, sizes_px=sizes))
        for key in ("matched", "false", "missed"):
            assert sum(each[key] for each in found["sizes"]) == found["by_iou"]["0.50"][key]
        assert all(one["to_px"] == other["from_px"] for one, other in pairwise(found["sizes"]))


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=5))
def test_f2_and_ap_lie_between_0_and_1(counts: list[tuple[int, int, int]]) -> None:
    by_image = np.array(counts)[:, :, None]
    for scores in (image_f2(by_image), image_ap(by_image)):
        assert ((scores >= 0) & (scores <= 1)).all()
    assert (image_ap(by_image)[:, 0] == [1.0 if not sum(each) else each[0] / sum(each) for each in counts]).all()
