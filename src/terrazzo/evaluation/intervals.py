"""How sure the scores of a map are: intervals from the scenes or blocks that it was scored on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.bootstrap import FEWEST_UNITS, LEVEL, Interval, interval, resampled
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.scores import class_scores


@dataclass(frozen=True, kw_only=True)
class Units:
    """What is drawn anew: the confusion of each scene, or of each block of few large scenes."""

    kind: Literal["scenes", "blocks"]
    counts: NDArray[np.int64]
    """(units, classes, classes), rows are the truth, or sets of classes that overlap; each unit holds a pixel at least."""

    @property
    def enough(self) -> bool:
        return len(self.counts) >= FEWEST_UNITS


class ClassIntervals(TypedDict):
    value: int
    name: str
    f1: Interval
    iou: Interval


class ScoreIntervals(TypedDict):
    """The object `intervals` of `evaluation.json`."""

    level: float
    units: str
    """scenes or blocks."""
    number: int
    """Of the units."""
    resamples: int
    seed: int
    accuracy: Interval
    mean_iou: Interval
    mean_dice: Interval
    classes: list[ClassIntervals]


def score_intervals(units: Units, options: EvaluationOptions, values: Sequence[int], names: Sequence[str]) -> ScoreIntervals:
    """95 % intervals of the main scores; those of a class are over the resamples that hold it.

    In the means a class that a resample lacks has its score of all units: else draws without a rare class would seem better than the whole.

    units: enough of them. options.resamples: at least 1. values, names: one a class.
    """
    accuracy, f1, iou = _resampled_scores(units, options, len(values))
    whole = class_scores(units.counts.sum(axis=0), len(values))
    return ScoreIntervals(
        level=LEVEL,
        units=units.kind,
        number=len(units.counts),
        resamples=options.resamples,
        seed=options.seed,
        accuracy=interval(accuracy),
        mean_iou=interval(_mean(iou, whole["iou"])),
        mean_dice=interval(_mean(f1, whole["f1"])),
        classes=[
            ClassIntervals(value=int(value), name=name, f1=interval(f1[:, index]), iou=interval(iou[:, index]))
            for index, (value, name) in enumerate(zip(values, names, strict=True))
        ],
    )


def _resampled_scores(
    units: Units, options: EvaluationOptions, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy (resamples,), F1 and IoU (resamples, classes) of each resample."""
    accuracy, f1, iou = [], [], []
    for counts in resampled(units.counts, options.resamples, options.seed):
        table = class_scores(counts, classes)
        accuracy.append(np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2)))
        f1.append(table["f1"])
        iou.append(table["iou"])
    return np.concatenate(accuracy), np.concatenate(f1), np.concatenate(iou)


def _mean(scores: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """(resamples,) the mean over the classes that occur anywhere. scores: (resamples, classes). whole: (classes,) of all units."""
    filled = np.where(np.isnan(scores), whole, scores)
    means: NDArray[np.float64] = filled[:, ~np.isnan(whole)].mean(axis=1)
    return means
