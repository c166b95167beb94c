import numpy as np
import pytest

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import PixelScores, pixel_scores
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.reporting.figures import DASH, area_unit, cards, enumerated, lead, named, quantity, range_text, score_text, share_text

LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 9)) for value, name in enumerate(("sea", "land", "ice")))
)


def scores(truth: list[int], predicted: list[int]) -> PixelScores:
    confusion = Confusion(3)
    confusion.add(np.array([truth], np.uint8), np.array([predicted], np.uint8))
    return pixel_scores(confusion, LEGEND.values, LEGEND.names)


@pytest.mark.parametrize(
    ("score", "text"),
    [(None, DASH), (0.0, "0.000"), (1.0, "1.000"), (0.99999, "0.999"), (1e-9, "0.001"), (0.5264, "0.526"), (-0.25, "-0.250")],
)
def test_scores_are_one_or_zero_only_exactly(score: float | None, text: str) -> None:
    assert score_text(score) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.9264, "92.6 %"), (0.0031, "0.31 %"), (1e-7, "< 0.01 %"), (0.0, "0.00 %"), (1.0, "100.0 %"), (0.9999, "> 99.9 %")]
)
def test_shares(share: float, text: str) -> None:
    assert share_text(share) == text


def test_key_figures_name_the_weakest_class() -> None:
    shown = {card.name: card for card in cards({"pixels": scores([0, 0, 0, 1], [0, 0, 1, 1])})}
    assert shown["Mean Dice"].figure == "0.733"
    assert shown["Weakest class"].figure == "0.667"
    assert shown["Weakest class"].meaning == "F1 of land"
    assert shown["Accuracy"].figure == "0.750"
    assert "Object F2" not in shown


def test_objects_are_shown_where_scored() -> None:
    shown = {card.name: card for card in cards({"pixels": scores([0], [0]), "objects": {"class": "ship", "f2": 0.66}})}
    assert (shown["Object F2"].figure, shown["Object F2"].meaning) == ("0.660", "ship")


def test_lead() -> None:
    pixels = scores([0, 1], [0, 1])
    assert lead({"pixels": pixels, "images": 1}) == "Scored on 2 labelled pixels of 1 image."
    assert lead({"pixels": pixels}) == "Scored on 2 labelled pixels."


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.01234, "0.0123"), (4.5649, "4.56"), (78.94, "78.9"), (12345.6, "12,346")])
def test_quantities_have_three_digits(value: float, text: str) -> None:
    assert quantity(value) == text


def test_areas_are_told_in_a_unit_that_suits_the_largest() -> None:
    assert area_unit("pixels", [5e9]).name == "pixels"
    assert area_unit("m2", [None, 900.0]).name == "m²"
    hectares = area_unit("m2", [900.0, 25_000.0])
    assert (hectares.name, hectares.text(25_000.0), hectares.text(None)) == ("ha", "2.50", DASH)
    assert area_unit("m2", [2e8]).text(2e8) == "200"


def test_ends_of_intervals() -> None:
    assert range_text((0.25, 0.5)) == "0.250 to 0.500"
    assert range_text(None) == DASH


@pytest.mark.parametrize("name", ["sea\n\tland", "\u202eevil", "a\u2069b"])
def test_names_cannot_break_or_turn_a_sentence(name: str) -> None:
    assert named(name).isprintable()


def test_names_from_right_to_left_stay_among_themselves() -> None:
    assert named("\u05d9\u05dd") == "\u2068\u05d9\u05dd\u2069"


def test_names_in_a_sentence() -> None:
    assert [enumerated(names) for names in ([], ["a"], ["a", "b"], "abc")] == ["", "a", "a and b", "a, b and c"]
    assert enumerated("abcdefgh") == "a, b, c, d, e, f and 2 more"
