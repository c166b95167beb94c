"""Thresholds of classes: what each pixel becomes, and which options make sense."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from terrazzo.errors import RecipeError
from terrazzo.evaluation.thresholds import BestThresholds
from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.decide import MOST_PROBABLE, Decision
from terrazzo.prediction.refine.thresholds import thresholds_of

NAMES = ("sea", "sand", "wood")
BEST: dict[str, BestThresholds] = {"sand": {"f1": 0.3, "f2": 0.1}, "sea": {"f1": 0.6, "f2": 0.5}}


def legend(*names: str) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(names)))


def pixel(*shares: float, weight: int = 7) -> BlendedRows:
    sums = np.rint(np.array(shares) * PROBABILITY_ONE).astype(np.uint32)[:, None, None] * np.uint32(weight)
    return BlendedRows(row_off=0, sums=sums, totals=np.full((1, 1), weight, np.uint32), valid=np.ones((1, 1), np.bool_))


def taken(decision: Decision, rows: BlendedRows) -> str:
    return NAMES[int(decision.indices(rows).item())]


class TestPixels:
    def test_a_class_is_taken_from_its_threshold_on_though_another_is_more_probable(self) -> None:
        decision = Decision.of(NAMES, {"wood": 0.2})
        assert taken(decision, pixel(0.5, 0.3, 0.2)) == "wood"
        assert taken(decision, pixel(0.5, 0.31, 0.19)) == "sea"

    def test_below_its_threshold_a_class_is_not_taken_though_it_is_the_most_probable(self) -> None:
        assert taken(Decision.of(NAMES, {"wood": 0.7}), pixel(0.1, 0.25, 0.65)) == "sand"

    def test_of_several_the_most_probable_is_taken_and_of_equals_the_first(self) -> None:
        decision = Decision.of(NAMES, {"sand": 0.1, "wood": 0.2})
        assert taken(decision, pixel(0.5, 0.2, 0.3)) == "wood"
        assert taken(decision, pixel(0.5, 0.25, 0.25)) == "sand"

    def test_where_every_class_has_one_and_none_is_reached_the_most_probable_is_taken(self) -> None:
        assert taken(Decision.of(NAMES, dict.fromkeys(NAMES, 0.9)), pixel(0.2, 0.5, 0.3)) == "sand"

    def test_zero_takes_everything_and_certainty_is_enough_for_one(self) -> None:
        assert taken(Decision.of(NAMES, {"wood": 0}), pixel(1, 0, 0)) == "wood"
        assert taken(Decision.of(NAMES, {"wood": 1}), pixel(0, 0, 1)) == "wood"

    def test_without_data_there_is_no_class(self) -> None:
        rows = pixel(0.1, 0.1, 0.8)
        decision = Decision.of(NAMES, {"wood": 0.1})
        for one in (
            BlendedRows(row_off=0, sums=rows.sums, totals=rows.totals, valid=~rows.valid),
            BlendedRows(row_off=0, sums=rows.sums * 0, totals=rows.totals * 0, valid=rows.valid),
        ):
            assert decision.indices(one).item() == IGNORE

    @given(st.lists(st.integers(0, PROBABILITY_ONE), min_size=1, max_size=20))
    def test_of_two_classes_a_half_is_as_good_as_none(self, codes: list[int]) -> None:
        second = np.array(codes, np.uint32)[None]
        rows = BlendedRows(
            row_off=0, sums=np.stack([PROBABILITY_ONE - second, second]), totals=np.ones_like(second), valid=second < PROBABILITY_ONE + 1
        )
        assert np.array_equal(Decision.of(("no", "yes"), {"yes": 0.5}).indices(rows), rows.indices())

    @pytest.mark.parametrize("thresholds", [{}, {"wood": 0.1}])
    def test_below_the_least_probability_a_pixel_is_unsure_whatever_its_threshold(self, thresholds: dict[str, float]) -> None:
        decision = Decision.of(NAMES, thresholds, unsure=0.5)
        assert decision.indices(pixel(0.25, 0.25, 0.49)).item() == len(NAMES)
        assert taken(decision, pixel(0.25, 0.25, 0.5)) == "wood"
        rows = pixel(0.3, 0.3, 0.4)
        without = BlendedRows(row_off=0, sums=rows.sums, totals=rows.totals, valid=~rows.valid)
        assert decision.indices(without).item() == IGNORE

    def test_none_is_the_most_probable(self) -> None:
        assert Decision.of(NAMES, {}) == MOST_PROBABLE


def asked(threshold: Any, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    return thresholds_of(PredictionOptions(threshold=threshold), legend(*names), BEST)


class TestOptions:
    def test_by_class(self) -> None:
        assert asked({"wood": 0.2, "sand": "best", "sea": "best_f2"}) == {"wood": 0.2, "sand": 0.3, "sea": 0.5}
        assert asked(None) == {}

    @pytest.mark.parametrize(("threshold", "found"), [(0.4, 0.4), (1, 1), ("best", 0.3), ("best_f2", 0.1), ("otsu", "otsu")])
    def test_a_single_one_is_of_the_second_of_two_classes(self, threshold: Any, found: Any) -> None:
        assert asked(threshold, ("sea", "sand")) == {"sand": found}

    def test_the_best_of_many_are_those_that_the_model_knows_but_not_the_background(self) -> None:
        assert asked("best") == {"sand": 0.3}

    @pytest.mark.parametrize("threshold", [0.4, "otsu"])
    def test_a_single_one_of_many_classes_is_refused(self, threshold: Any) -> None:
        with pytest.raises(RecipeError, match=r"is for two classes; the legend has 3\. Name the class that it is of: \{wood = "):
            asked(threshold)

    def test_another_class(self) -> None:
        with pytest.raises(RecipeError, match=r"prediction\.threshold names ship; the classes are sea, sand, wood"):
            asked({"ship": 0.4})

    @pytest.mark.parametrize(("threshold", "names"), [({"wood": "best"}, NAMES), ("best", ("sea", "wood")), ("best", ("a", "b", "c"))])
    def test_a_best_one_that_validation_could_not_tell(self, threshold: Any, names: tuple[str, ...]) -> None:
        with pytest.raises(RecipeError, match=rf"the best one of '{names[-1]}', which no pixel of the validation part was\. Give a number"):
            asked(threshold, names)

    @pytest.mark.parametrize("threshold", [1.2, -0.1, "worst", {"wood": 2}])
    def test_what_is_no_probability(self, threshold: Any) -> None:
        with pytest.raises(ValidationError):
            PredictionOptions(threshold=threshold)


def test_of_classes_that_overlap_all_that_reach_their_threshold_count() -> None:
    rng = np.random.default_rng(4)
    totals = rng.integers(0, 5000, (6, 50)).astype(np.uint32)
    shares = rng.random((3, 6, 50))
    shares[0] = 0.5
    sums = np.rint(shares * totals * PROBABILITY_ONE).astype(np.uint32)
    rows = BlendedRows(row_off=0, sums=sums, totals=totals, valid=rng.random((6, 50)) < 0.9)
    decision = Decision.of(["a", "b", "c"], {"c": 0.8}, overlapping=True)
    levels = rows.probabilities()
    expected = (levels[0] > 32767) + 2 * (levels[1] > 32767) + 4 * (levels[2] >= 0.8 * PROBABILITY_ONE)
    assert np.array_equal(decision.indices(rows), np.where(rows.valid & (totals > 0), expected, 255))
