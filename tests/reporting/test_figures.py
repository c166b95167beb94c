import numpy as np
import pytest

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import PixelScores, pixel_scores
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.reporting.figures import DASH, cards, class_table, lead, own_notices, score_text, share_text

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


@pytest.mark.parametrize(("share", "text"), [(0.9264, "92.6 %"), (0.0031, "0.31 %"), (1e-7, "< 0.01 %"), (0.0, "0.00 %"), (1.0, "100.0 %")])
def test_shares(share: float, text: str) -> None:
    assert share_text(share) == text


def test_table_of_classes() -> None:
    table = class_table(scores([0, 0, 0, 1], [0, 0, 1, 1]), LEGEND)
    assert [row.name for row in table.rows] == ["sea", "land", "ice"]
    assert (table.rows[0].precision, table.rows[0].recall, table.rows[0].f1, table.rows[0].iou) == ("1.000", "0.667", "0.800", "0.667")
    assert (table.rows[0].support, table.rows[0].share, table.rows[0].color) == ("3", "75.0 %", "#000009")
    assert table.rows[0].f1_percent == "80.0"
    assert table.rows[2].f1 == DASH
    assert table.undefined
    assert table.means[0].f1 == "0.733"


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


def test_notices_of_the_scores() -> None:
    said = own_notices(scores([0, 0, 1], [0, 255, 1]))
    assert said[0].startswith("1 labelled pixel")
    assert "ice" in said[1]
    assert own_notices(scores([0, 1, 2], [0, 1, 1])) == []
    assert own_notices(None) == []
