"""Scores from confusion counts, as `evaluation.json` keeps them.

Scores come from the counts of all pixels, never from means over batches or images. Where a score is 0 / 0:

    a class that neither truth nor prediction holds    no scores (null), and left out of all means
    a class that only one of them holds                0: a class that is never found must not raise a mean
    no pixels at all                                   all null
    mcc where the truth holds only one class           null: there is nothing to correlate with
    kappa where both hold only one and the same        null: chance alone agrees

On all other counts the scores are those of scikit-learn with `zero_division=0`.
"""

import math
from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.labels.bits import members, set_names

Score = float | None
"""0 to 1 (mcc, kappa: -1 to 1), or None where it is undefined."""


class Means(TypedDict):
    """Means of the scores over the classes that have them."""

    precision: Score
    recall: Score
    f1: Score
    f2: Score
    iou: Score


class ClassScores(Means):
    """The scores of one class; support: its pixels in the truth."""

    value: int
    name: str
    support: int


class PixelScores(TypedDict):
    """The object `pixels` of `evaluation.json`.

    sets: where classes overlap, the names of their sets, which are the rows and columns of the confusion; accuracy, mcc and kappa are then
    those of whole sets, all other scores those of each class against the rest.
    macro: plain means over the classes; weighted: means weighted by support. mean_iou and mean_dice are macro's iou and f1,
    frequency_weighted_iou is weighted's iou. unpredicted: labelled pixels that the prediction leaves out; in no score.
    """

    accuracy: Score
    mean_iou: Score
    mean_dice: Score
    frequency_weighted_iou: Score
    mcc: Score
    kappa: Score
    confusion: list[list[int]]
    sets: NotRequired[list[str]]
    unpredicted: int
    classes: list[ClassScores]
    macro: Means
    weighted: Means


def pixel_scores(confusion: Confusion, values: Sequence[int], names: Sequence[str]) -> PixelScores:
    """Score a map from its confusion counts.

    confusion: of the classes; where they overlap, of their sets (`labels.bits`).
    values, names: the legend's, one for each class. The result holds plain numbers, lists and None only: ready for JSON.
    Raises UsageError if there are not as many values and names as classes.
    """
    if len(values) != len(names) or confusion.classes not in (len(names), 2 ** len(names)):
        raise UsageError(f"There are {len(values)} values and {len(names)} names for {confusion.classes} classes; each class needs both.")
    overlapping = confusion.classes != len(names)
    support = confusion.counts.sum(axis=1)
    if overlapping:
        support = members(len(names)) @ support
    table = class_scores(confusion.counts, len(names))
    macro, weighted = _means(table, np.ones(len(support))), _means(table, support.astype(np.float64))
    found = PixelScores(
        accuracy=_quotient(int(np.trace(confusion.counts)), confusion.pixels),
        mean_iou=macro["iou"],
        mean_dice=macro["f1"],
        frequency_weighted_iou=weighted["iou"],
        mcc=matthews(confusion.counts),
        kappa=cohen(confusion.counts),
        confusion=confusion.counts.tolist(),
        unpredicted=int(confusion.unpredicted.sum()),
        classes=[
            ClassScores(value=int(value), name=name, support=int(support[index]), **_at(table, index))
            for index, (value, name) in enumerate(zip(values, names, strict=True))
        ],
        macro=macro,
        weighted=weighted,
    )
    if overlapping:
        found["sets"] = set_names(names)
    return found


def f_score(hits: NDArray[np.number], false: NDArray[np.number], missed: NDArray[np.number], beta: float = 1.0) -> NDArray[np.float64]:
    """The F-beta score from true positives, false positives and false negatives; NaN where all three are 0.

    beta: how many times as much recall counts as precision; 2 gives the F2 score (5 TP / (5 TP + 4 FN + FP)).
    """
    gain = (1 + beta**2) * hits
    return ratio(gain, gain + beta**2 * missed + false)


def matthews(counts: NDArray[np.int64]) -> Score:
    """The correlation of truth and prediction, -1 to 1, for any number of classes.

    0 where the prediction holds only one class, None where the truth does.
    Source: J. Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004.
    """
    truth: list[int] = counts.sum(axis=1).tolist()
    predicted: list[int] = counts.sum(axis=0).tolist()
    total = sum(truth)
    # Squares of pixel counts outgrow 64 bits; Python's integers do not.
    spread_truth = total**2 - sum(n**2 for n in truth)
    spread_predicted = total**2 - sum(n**2 for n in predicted)
    if spread_truth == 0:
        return None
    if spread_predicted == 0:
        return 0.0
    together = int(np.trace(counts)) * total - sum(t * p for t, p in zip(truth, predicted, strict=True))
    return together / (math.sqrt(spread_truth) * math.sqrt(spread_predicted))


def cohen(counts: NDArray[np.int64]) -> Score:
    """Cohen's kappa: the agreement beyond that of chance, -1 to 1; None where both hold only one and the same class."""
    total = int(counts.sum())
    chance = sum(t * p for t, p in zip(counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist(), strict=True))
    return _quotient(int(np.trace(counts)) * total - chance, total**2 - chance)


def each_alone(counts: NDArray[Any], classes: int) -> NDArray[Any]:
    """(..., classes, 2, 2) of classes that overlap: each against the rest, absent before present, rows are the truth.

    counts: (..., sets, sets) of their sets.
    """
    held = members(classes)
    sides = np.stack([~held, held], axis=1).astype(counts.dtype)
    found: NDArray[Any] = np.einsum("kas,...st,kbt->...kab", sides, counts, sides)
    return found


def class_scores(counts: NDArray[Any], classes: int) -> dict[str, NDArray[np.float64]]:
    """Each score of each class, (..., classes) float64, from one or many confusions; NaN throughout for a class that occurs nowhere.

    counts: (..., classes, classes), whole numbers, rows are the truth; of classes that overlap (..., sets, sets).
    """
    if counts.shape[-1] != classes:
        alone = each_alone(counts, classes)
        hits, predicted, support = alone[..., 1, 1], alone[..., 1].sum(axis=-1), alone[..., 1, :].sum(axis=-1)
    else:
        hits = np.diagonal(counts, axis1=-2, axis2=-1)
        predicted, support = counts.sum(axis=-2), counts.sum(axis=-1)
    false, missed = predicted - hits, support - hits
    either = hits + false + missed
    absent = either == 0
    return {
        "precision": np.where(absent, np.nan, ratio(hits, predicted, empty=0.0)),
        "recall": np.where(absent, np.nan, ratio(hits, support, empty=0.0)),
        "f1": f_score(hits, false, missed),
        "f2": f_score(hits, false, missed, beta=2.0),
        "iou": ratio(hits, either),
    }


def ratio(part: NDArray[np.number], whole: NDArray[np.number], empty: float = math.nan) -> NDArray[np.float64]:
    """part / whole; `empty` where whole is 0."""
    quotients: NDArray[np.float64] = np.full(part.shape, empty)
    np.divide(part, whole, out=quotients, where=whole != 0)
    return quotients


def _means(table: dict[str, NDArray[np.float64]], weights: NDArray[np.float64]) -> Means:
    present = ~np.isnan(table["iou"])
    total = float(weights[present].sum())
    return _row({name: _quotient(float((scores * weights)[present].sum()), total) for name, scores in table.items()})


def _at(table: dict[str, NDArray[np.float64]], index: int) -> Means:
    return _row({name: None if np.isnan(scores[index]) else float(scores[index]) for name, scores in table.items()})


def _row(scores: dict[str, Score]) -> Means:
    return Means(precision=scores["precision"], recall=scores["recall"], f1=scores["f1"], f2=scores["f2"], iou=scores["iou"])


def _quotient(part: float, whole: float) -> Score:
    return part / whole if whole else None
