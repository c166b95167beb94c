"""The charts of a report: from the figures of evaluation.json to SVG text."""

from collections.abc import Mapping, Sequence
from typing import Any

from terrazzo.drawing.chart import INKS, Point
from terrazzo.drawing.curves import loss_curve, rate_curve, score_curve
from terrazzo.drawing.shares import ShareLine, share_chart
from terrazzo.reporting.figures import score_text

MOST_CURVES = len(INKS)
"""Classes whose curves are drawn, those with the most pixels in the truth first."""
DIGITS = 4
"""Of the points of curves."""


def training_charts(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Loss, validation scores and learning rate over the epochs; those of which something was recorded."""
    if not rows:
        return []
    made = [loss_curve(rows)]
    if any(row.get("validation") for row in rows):
        made.append(score_curve(rows, names))
    if any(row.get("learning_rate") for row in rows):
        made.append(rate_curve(rows))
    return made


def reliability_chart(calibration: Mapping[str, Any]) -> str:
    """How often what the map shows is right, by how probable the model calls it; grey bars are how many pixels that is."""
    shown = calibration["shown"]
    points = [
        (round(probability, DIGITS), round(right, DIGITS))
        for probability, right in zip(shown["probability"], shown["right"], strict=True)
        if probability is not None
    ]
    line = ShareLine(name="right, of the pixels of each bin", points=points, marks=points)
    labels = ("probability that the model gives", "share that is right")
    return share_chart("Reliability", [line], labels, diagonal=True, bars=shown["pixels"])


def precision_chart(thresholds: Mapping[str, Any], supports: Sequence[int]) -> str:
    """Precision over recall of each class; the mark is the threshold with the best F1 of those that are listed.

    supports: pixels of each class in the truth.
    """
    order = sorted(range(len(supports)), key=lambda number: -supports[number])[:MOST_CURVES]
    lines = []
    for number in sorted(order):
        entry = thresholds["classes"][number]
        points = _points(entry)
        if points:
            name = f"{entry['name']}, average precision {score_text(entry['average_precision'])}"
            lines.append(ShareLine(name=name, points=points, marks=_best(entry)))
    return share_chart("Precision over recall", lines, ("recall", "precision"))


def _points(entry: Mapping[str, Any]) -> list[Point]:
    """(recall, precision), each once, from left to right."""
    found = [
        (round(recall, DIGITS), round(precision, DIGITS))
        for recall, precision in zip(entry["recall"], entry["precision"], strict=True)
        if recall is not None and precision is not None
    ]
    return list(dict.fromkeys(reversed(found)))


def _best(entry: Mapping[str, Any]) -> list[Point]:
    known = [(f1, number) for number, f1 in enumerate(entry["f1"]) if f1 is not None]
    if not known:
        return []
    best = max(known)[1]
    precision = entry["precision"][best]
    return [] if precision is None else [(entry["recall"][best], precision)]
