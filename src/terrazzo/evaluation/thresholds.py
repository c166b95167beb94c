"""What another threshold would give: each class by itself, found where its probability reaches the threshold.

A map shows the most probable class. For a rare class that must not be missed, or one whose false alarms are dear, another threshold of its
probability may serve better; the best one for F1 is kept.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.evaluation.scores import Score, f_score, ratio

STEPS = 100
"""Thresholds of the curves: 0, 0.01, ... 1."""


class ThresholdCurve(TypedDict):
    """One class; lists have an entry a threshold. Null throughout if the truth does not hold the class."""

    value: int
    name: str
    average_precision: Score
    """The area under precision over recall, as steps."""
    best_threshold: Score
    """The threshold with the highest F1, the lowest of several, of all that a probability can have."""
    best_f1: Score
    precision: list[Score]
    """Null where nothing reaches the threshold."""
    recall: list[Score]
    f1: list[Score]
    iou: list[Score]


class ThresholdScores(TypedDict):
    """The object `thresholds` of `evaluation.json`."""

    at: list[float]
    classes: list[ThresholdCurve]


def threshold_scores(counts: ConfidenceCounts, values: Sequence[int], names: Sequence[str]) -> ThresholdScores:
    """Scores of each class over the thresholds of its probability; values, names: one a class."""
    return ThresholdScores(
        at=[step / STEPS for step in range(STEPS + 1)],
        classes=[_curve(histogram, int(value), name) for histogram, value, name in zip(counts.classes, values, names, strict=True)],
    )


def _curve(histogram: NDArray[np.int64], value: int, name: str) -> ThresholdCurve:
    """histogram: (2, LEVELS), pixels that are not and that are of the class."""
    false, hits = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]
    support = int(hits[0])
    # the smallest value that is at least the threshold
    at = np.ceil(np.arange(STEPS + 1) * ((LEVELS - 1) / STEPS) - 1e-9).astype(np.int64)
    if not support:
        nothing: list[Score] = [None] * len(at)
        return ThresholdCurve(
            value=value,
            name=name,
            average_precision=None,
            best_threshold=None,
            best_f1=None,
            precision=nothing,
            recall=nothing,
            f1=nothing,
            iou=nothing,
        )
    precision, recall = ratio(hits, hits + false), hits / support
    f1 = f_score(hits, false, support - hits)
    best = int(np.argmax(f1))
    return ThresholdCurve(
        value=value,
        name=name,
        average_precision=float(np.nansum(precision * histogram[1]) / support),
        best_threshold=best / (LEVELS - 1),
        best_f1=float(f1[best]),
        precision=_listed(precision[at]),
        recall=_listed(recall[at]),
        f1=_listed(f1[at]),
        iou=_listed(ratio(hits, false + support)[at]),
    )


def _listed(values: NDArray[np.float64]) -> list[Score]:
    return [None if np.isnan(value) else value for value in values.tolist()]
