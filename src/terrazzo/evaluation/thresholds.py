"""What another threshold would give: each class by itself, found where its probability reaches the threshold.

A map shows the most probable class. For a rare class that must not be missed, or one whose false alarms are dear, another threshold of its
probability may serve better; the best one for F1 is kept.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.evaluation.scores import Score, f_score, ratio

STEPS = 100
"""Thresholds of the curves: 0, 0.01, ... 1."""


BestThresholds = dict[Literal["f1", "f2"], float]
"""Of one class, the threshold with the highest F1, and that with the highest F2, which forgives false alarms: the lowest of several."""


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


def level_of(threshold: float) -> int:
    """The smallest of all values of a probability, 0 to LEVELS - 1, that is at least a threshold."""
    return math.ceil(threshold * (LEVELS - 1) - 1e-9)


def best_thresholds(counts: ConfidenceCounts, names: Sequence[str]) -> dict[str, BestThresholds]:
    """The best thresholds of each class that the truth holds, by its name."""
    found: dict[str, BestThresholds] = {}
    for name, histogram in zip(names, counts.classes, strict=True):
        false, hits = _reached(histogram)
        support = hits[0]
        if support:
            f1, f2 = (f_score(hits, false, support - hits, beta) for beta in (1.0, 2.0))
            found[name] = {"f1": int(np.argmax(f1)) / (LEVELS - 1), "f2": int(np.argmax(f2)) / (LEVELS - 1)}
    return found


def _reached(histogram: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many pixels that are not, and that are of a class have at least each probability; histogram: (2, LEVELS)."""
    false, hits = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]
    return false, hits


def _curve(histogram: NDArray[np.int64], value: int, name: str) -> ThresholdCurve:
    """histogram: (2, LEVELS), pixels that are not and that are of the class."""
    false, hits = _reached(histogram)
    support = int(hits[0])
    at = np.array([level_of(step / STEPS) for step in range(STEPS + 1)])
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
