"""[evaluation] objects: which class is meant."""

import pytest
from pydantic import ValidationError

from terrazzo.errors import RecipeError
from terrazzo.evaluation.objects.rule import ObjectRule, rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.labels.legend import Legend, LegendClass


def legend(*classes: tuple[int, str]) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=(0, 0, 0)) for value, name in classes))


def rule(asked: str | int, among: Legend) -> ObjectRule:
    found = rule_of(EvaluationOptions(objects=asked), among)
    assert found is not None
    return found


LAND = legend((0, "sea"), (3, "ship"), (7, "rock"))


@pytest.mark.parametrize(
    ("asked", "name", "classes"), [("ship", "ship", (1,)), (7, "rock", (2,)), ("3", "ship", (1,)), ("any", "any", (1, 2))]
)
def test_a_class_by_name_or_value(asked: str | int, name: str, classes: tuple[int, ...]) -> None:
    found = rule(asked, LAND)
    assert (found.name, found.classes) == (name, classes)


def test_names_that_are_numbers_and_one_that_is_any() -> None:
    assert rule("1", legend((0, "1"), (1, "0"))).classes == (0,)
    assert rule(1, legend((0, "1"), (1, "0"))).classes == (1,)
    assert rule("any", legend((0, "sea"), (1, "any"))).classes == (1,)


def test_nothing_is_asked_for() -> None:
    assert rule_of(EvaluationOptions(), LAND) is None


@pytest.mark.parametrize("asked", ["boat", 9, "Ship"])
def test_no_such_class(asked: str | int) -> None:
    with pytest.raises(RecipeError, match=r"must be one of the classes 0 \(sea\), 3 \(ship\), 7 \(rock\), or 'any'"):
        rule(asked, LAND)


def test_nothing_but_background() -> None:
    with pytest.raises(RecipeError, match="evaluation"):
        rule("any", legend((0, "sea")))


def test_thresholds_are_exact_and_in_order() -> None:
    found = rule_of(EvaluationOptions(objects="ship", object_thresholds=[0.7, 0.1 + 0.2, 0.55]), LAND)
    assert found is not None
    assert found.thresholds == (300_000, 550_000, 700_000)
    assert rule("ship", LAND).thresholds == tuple(range(500_000, 1_000_000, 50_000))


@pytest.mark.parametrize("given", [{"object_thresholds": []}, {"object_thresholds": [1.0]}, {"object_sizes_px": [0]}, {"min_object_px": 0}])
def test_options_out_of_bounds(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EvaluationOptions.model_validate(given)
