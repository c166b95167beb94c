"""Whether probabilities mean what they say: of pixels with a probability of 0.8, are 80 % right?

    reliability curve    in bins of equal width: mean probability, and the share of pixels that are right
    ECE                  the mean of |right - probability| over the bins, each weighted by its pixels
    Brier score          the mean over pixels of the squared differences to the truth (1 for the true class, 0 for the others), summed
                         over the classes: 0 to 2
    NLL                  the mean of -log of the probability of the true class, in nats; a probability of 0 counts as half a quantum

Where classes overlap, whether each is there is a question of its own: every figure is then the mean over pixels and classes, and the
Brier score 0 to 1.

Sources: M. Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015; G. Brier, Verification of forecasts, 1950.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.evaluation.scores import Score

PROBABILITIES: NDArray[np.float64] = np.arange(LEVELS) / (LEVELS - 1)
"""What each value stands for, 0 to 1."""
SMALLEST = 0.5 / (LEVELS - 1)


class Reliability(TypedDict):
    """A reliability curve; lists have an entry a bin, from 0 to 1, null where it is empty."""

    pixels: list[int]
    probability: list[Score]
    """Mean probability."""
    right: list[Score]
    """Share of the pixels that are right, or of the class."""
    ece: Score


class ClassReliability(Reliability):
    value: int
    name: str


class CalibrationScores(TypedDict):
    """The object `calibration` of `evaluation.json`. shown: of the class that the map shows; classes: of each class's probability."""

    pixels: int
    mean_confidence: float
    """Mean probability of what the map shows."""
    accuracy: float
    """Of the same pixels; far below mean_confidence is overconfident."""
    ece: Score
    brier: float
    nll: float
    shown: Reliability
    classes: list[ClassReliability]


def calibration_scores(counts: ConfidenceCounts, bins: int, values: Sequence[int], names: Sequence[str]) -> CalibrationScores:
    """Calibration of a map; counts of at least one pixel. bins: of the reliability curves. values, names: one a class."""
    shown = _reliability(counts.shown, bins)
    return CalibrationScores(
        pixels=counts.pixels,
        mean_confidence=mean_confidence(counts),
        accuracy=float(counts.shown[1].sum() / counts.pixels),
        ece=shown["ece"],
        brier=brier(counts),
        nll=negative_log_likelihood(counts),
        shown=shown,
        classes=[
            ClassReliability(value=int(value), name=name, **_reliability(histogram, bins))
            for histogram, value, name in zip(counts.classes, values, names, strict=True)
        ],
    )


def mean_confidence(counts: ConfidenceCounts) -> float:
    """The mean probability of what the map shows; counts of at least one pixel."""
    return float(counts.shown.sum(axis=0) @ PROBABILITIES / counts.pixels)


def brier(counts: ConfidenceCounts) -> float:
    """See above; counts of at least one pixel."""
    total = counts.classes.sum(axis=0)
    return float((total[0] @ PROBABILITIES**2 + total[1] @ (1 - PROBABILITIES) ** 2) / counts.pixels)


def negative_log_likelihood(counts: ConfidenceCounts) -> float:
    """See above; counts of at least one pixel."""
    likelihoods = np.maximum(PROBABILITIES, SMALLEST)
    lost = counts.classes[:, 1].sum(axis=0) @ -np.log(likelihoods)
    if counts.overlapping:
        lost += counts.classes[:, 0].sum(axis=0) @ -np.log(likelihoods[::-1])
    return float(lost / counts.pixels)


def _reliability(histogram: NDArray[np.int64], bins: int) -> Reliability:
    """histogram: (2, LEVELS), wrong and right. A probability at the border of two bins is in the lower one."""
    edges = np.array([0, *(number * (LEVELS - 1) // bins + 1 for number in range(1, bins))])
    right = np.add.reduceat(histogram[1], edges)
    pixels = right + np.add.reduceat(histogram[0], edges)
    summed = np.add.reduceat(histogram.sum(axis=0) * PROBABILITIES, edges)
    held = pixels > 0
    probability, share = (np.where(held, each / np.maximum(pixels, 1), np.nan) for each in (summed, right))
    total = pixels.sum()
    ece = float(np.abs(summed - right).sum() / total) if total else None
    return Reliability(pixels=pixels.tolist(), probability=_listed(probability), right=_listed(share), ece=ece)


def _listed(values: NDArray[np.float64]) -> list[Score]:
    return [None if np.isnan(value) else value for value in values.tolist()]
