import math
from typing import Any
from xml.etree import ElementTree as ET

from terrazzo.drawing.curves import curves, loss_curve, range_curve, score_curve

TITLE = "{http://www.w3.org/2000/svg}title"


def told(svg: str) -> set[str]:
    return {element.text or "" for element in ET.fromstring(svg).iter(TITLE)}


def row(epoch: int, validation: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"epoch": epoch, "step": 10 * epoch, "loss": 1 / epoch, "learning_rate": 1e-3, "seconds": 1.0, "validation": validation}


def scored(loss: float, *dice: float | None) -> dict[str, Any]:
    return {"loss": loss, "mean_dice": 0.5, "mean_iou": 0.25, "dice": list(dice)}


def test_loss_of_training_and_validation() -> None:
    assert {"training, 1: 1", "training, 2: 0.5", "validation, 2: 0.7"} <= told(loss_curve([row(1), row(2, scored(0.7))]))


def test_scores_and_classes() -> None:
    shown = told(score_curve([row(1), row(4, scored(0.7, 0.9, None))], ["sea", "land"]))
    assert {"mean Dice, 4: 0.5", "mean IoU, 4: 0.25", "sea, 4: 0.9"} <= shown
    assert not any(text.startswith("land") for text in shown)


def test_many_classes_show_means_only() -> None:
    names = [f"class {number}" for number in range(7)]
    shown = told(score_curve([row(1, scored(0.7, *[0.5] * 7))], names))
    assert "mean Dice, 1: 0.5" in shown
    assert not any(text.startswith("class") for text in shown)


def test_a_range_test_shows_what_was_found_and_no_loss_beyond_its_average() -> None:
    shown = told(range_curve([1e-4, 1e-3, 1e-2], [2.0, 1.0, 99.0], [2.0, 1.5, 8.0], 1e-3))
    assert {"loss, -4: 2", "loss, -2: 8", "its average, -3: 1.5", "0.001, -3: 8", "0.001, -3: 1.5"} <= shown


def test_rows_without_validation_or_with_odd_values() -> None:
    rows = [row(1), row(2, scored(math.nan, 0.1)), row(3, {"loss": 0.1}), {"epoch": 4, "loss": None}]
    assert "nothing recorded" in score_curve(rows[:1], ["a", "b"])
    shown = told(curves(rows, ["a", "b"]))
    assert "validation, 3: 0.1" in shown
    assert not any("nan" in text for text in shown)


def test_no_rows() -> None:
    assert curves([], ["a", "b"]).count("nothing recorded") == 2
