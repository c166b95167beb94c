"""Training curves: loss, validation scores and learning rate over the epochs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from terrazzo.drawing.chart import Point, Series, beside, line_chart

MOST_CLASSES = 6
"""With more classes than these, only the means are drawn."""

Row = Mapping[str, Any]
"""A line of metrics.jsonl; `validation` may be missing or None, and so may any score."""


def curves(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Loss and validation scores next to each other as SVG text. names: the classes', in the legend's order."""
    return beside([loss_curve(rows), score_curve(rows, names)])


def loss_curve(rows: Sequence[Row]) -> str:
    """Loss of training and validation over the epochs, as SVG text."""
    training = Series(name="training", points=loss_of(rows))
    validation = Series(name="validation", points=_points(rows, lambda row: _validation(row).get("loss")))
    return line_chart("Loss", [line for line in (training, validation) if line.points], x_label="epoch")


def score_curve(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Mean Dice and mean IoU on the validation part over the epochs, with thin lines of the classes' Dice, as SVG text."""
    lines = [
        Series(name="mean Dice", points=mean_dice_of(rows)),
        Series(name="mean IoU", points=_points(rows, lambda row: _validation(row).get("mean_iou")), dashed=True),
        Series(name="object F2", points=_points(rows, lambda row: _validation(row).get("object_f2"))),
    ]
    if len(names) <= MOST_CLASSES:
        lines += [Series(name=name, points=_points(rows, _dice_of(number)), strong=False) for number, name in enumerate(names)]
    return line_chart("Validation scores", [line for line in lines if line.points], x_label="epoch", y_most=1.0)


def rate_curve(rows: Sequence[Row]) -> str:
    """Learning rate at the end of each epoch, as SVG text."""
    rate = Series(name="learning rate", points=_points(rows, lambda row: row.get("learning_rate")))
    return line_chart("Learning rate", [rate], x_label="epoch")


def range_curve(rates: Sequence[float], losses: Sequence[float], smooth: Sequence[float], found: float) -> str:
    """The losses of a learning rate range test and their moving average, with a line at the rate that was found, as SVG text."""
    powers = [math.log10(rate) for rate in rates]
    least, most = min(smooth), max(smooth)
    lines = [
        Series(name="loss", points=list(zip(powers, (min(loss, most) for loss in losses), strict=True)), strong=False),
        Series(name="its average", points=list(zip(powers, smooth, strict=True))),
        Series(name=f"{found:.2g}", points=[(math.log10(found), most), (math.log10(found), least)], dashed=True),
    ]
    return line_chart("Learning rate range test", lines, x_label="learning rate, as a power of ten")


def loss_of(rows: Sequence[Row]) -> list[Point]:
    """The training loss by epoch."""
    return _points(rows, lambda row: row.get("loss"))


def mean_dice_of(rows: Sequence[Row]) -> list[Point]:
    """The mean Dice on the validation part by epoch."""
    return _points(rows, lambda row: _validation(row).get("mean_dice"))


def _validation(row: Row) -> Row:
    return row.get("validation") or {}


def _dice_of(number: int) -> Callable[[Row], Any]:
    def dice(row: Row) -> Any:
        scores = _validation(row).get("dice") or []
        return scores[number] if number < len(scores) else None

    return dice


def _points(rows: Sequence[Row], value: Callable[[Row], Any]) -> list[Point]:
    """(epoch, value) of the rows that have one; NaN and infinity are none."""
    found = ((row["epoch"], value(row)) for row in rows)
    return [(float(epoch), float(y)) for epoch, y in found if y is not None and math.isfinite(y)]
