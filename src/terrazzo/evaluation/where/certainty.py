"""How sure a model is of each pixel, and what its probabilities cost where the labels are known.

All figures are whole numbers, so that sums do not depend on the order or the pieces in which pixels come.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE

ONE = 65535
"""A probability of 1, as maps keep it."""
UNIT = 1_000_000
"""Loss and entropy are kept in millionths, margin and confidence in parts of ONE."""
SURE = 0.95
"""A model is sure of a class of which the probability is above this."""
LOSS, ENTROPY, MARGIN, CONFIDENCE = range(4)
SCALES = np.array([UNIT, UNIT, ONE, ONE], np.float64)
"""What the four figures are to be divided by."""


def pixel_figures(probabilities: NDArray[np.uint16], truth: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(4, height, width) int32: loss, entropy, margin and confidence of each pixel.

    Loss is the cross-entropy in nats, of a probability of at least half a step (2^-17); 0 where the truth is 255. Entropy is normalised:
    1 where all classes are alike. Margin is the largest probability less the second. Confidence is the largest.

    probabilities: (classes, height, width), 65535 = 1. truth: (height, width) class indices, 255 left out.
    """
    figures = np.empty((4, *truth.shape), np.int32)
    known = truth != IGNORE
    of_truth = np.take_along_axis(probabilities, np.where(known, truth, 0)[None], axis=0)[0]
    figures[LOSS] = _losses()[of_truth] * known
    figures[ENTROPY] = entropy(probabilities)
    first, second = _two_largest(probabilities)
    figures[MARGIN] = first - second
    figures[CONFIDENCE] = first
    return figures


def _two_largest(probabilities: NDArray[np.uint16]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    first = probabilities[0].copy()
    second = np.zeros_like(first)
    for layer in probabilities[1:]:
        second = np.maximum(second, np.minimum(first, layer))
        first = np.maximum(first, layer)
    return first.astype(np.int32), second.astype(np.int32)


def entropy(probabilities: NDArray[np.uint16]) -> NDArray[np.int32]:
    """(height, width): the entropy of each pixel, in millionths of that of classes that are all alike.

    probabilities: (classes, height, width), 65535 = 1.
    """
    classes = len(probabilities)
    total = np.zeros(probabilities.shape[1:], np.int32)
    if classes > 1:
        for layer in probabilities:
            total += _information()[layer]
        # rounded probabilities may sum to a little more than 1
        total = np.minimum((total / np.log(classes)).astype(np.int32), UNIT)
    return total


@cache
def _losses() -> NDArray[np.int32]:
    """-log p in millionths of a nat, by p * 65535."""
    shares = np.maximum(np.arange(ONE + 1), 0.5) / ONE
    losses: NDArray[np.int32] = np.rint(-np.log(shares) * UNIT).astype(np.int32)
    return losses


@cache
def _information() -> NDArray[np.int32]:
    """-p log p in millionths, by p * 65535."""
    shares = np.arange(ONE + 1) / ONE
    information: NDArray[np.int32] = np.rint(-shares * np.log(np.maximum(shares, 1 / ONE)) * UNIT).astype(np.int32)
    return information
