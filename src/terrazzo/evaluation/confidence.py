"""Probabilities counted by class and truth: all that calibration and threshold curves are made of.

A probability is one of 65,536 values, so one histogram of them holds everything: no figure that follows from it depends on bins chosen
before, on the order of the pixels, or on the pieces in which they came.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.legend import IGNORE

LEVELS = 1 << 16
"""Values that a probability can have: 0 to 65535, which is 1."""
PIECE = 1 << 18
"""Pixels counted at a time."""


@dataclass(frozen=True, kw_only=True)
class ConfidenceCounts:
    """Pixels by their probabilities; `+` adds exactly."""

    classes: NDArray[np.int64]
    """(classes, 2, LEVELS): by the probability of each class, of pixels that are not and that are of the class in truth."""
    shown: NDArray[np.int64]
    """(2, LEVELS): by the probability of the class that the map shows, of pixels where it is wrong and where it is right.

    Where classes overlap, by that of what the map says of each class: that it is there, or that it is not.
    """
    overlapping: bool = False

    @classmethod
    def none(cls, classes: int, *, overlapping: bool = False) -> "ConfidenceCounts":
        """Those of no pixels. overlapping: whether truth and map are bit sets."""
        empty = np.zeros((classes, 2, LEVELS), np.int64)
        return cls(classes=empty, shown=np.zeros((2, LEVELS), np.int64), overlapping=overlapping)

    @property
    def pixels(self) -> int:
        return int(self.shown.sum())

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> None:
        """Count the pixels that truth and map give a class.

        truth, predicted: class indices or bit sets, 255 left out, one shape. probabilities: (classes, *shape), 65535 = 1.
        Raises LabelError if the shapes do not fit.
        """
        if probabilities.shape != (len(self.classes), *truth.shape):
            raise LabelError(f"The probabilities have shape {probabilities.shape}; those of {len(self.classes)} classes are needed.")
        for true, guess, shares in _pieces(truth, predicted, probabilities):
            if self.overlapping:
                self._add_sets(true, guess, shares)
                continue
            confidence = np.zeros(len(true), np.uint32)
            for index, share in enumerate(shares):
                codes = share.astype(np.uint32)
                np.copyto(confidence, codes, where=guess == index)
                codes |= (true == index).astype(np.uint32) << 16
                self.classes[index] += np.bincount(codes, minlength=2 * LEVELS).reshape(2, LEVELS)
            confidence |= (true == guess).astype(np.uint32) << 16
            self.shown[...] += np.bincount(confidence, minlength=2 * LEVELS).reshape(2, LEVELS)

    def _add_sets(self, true: NDArray[np.uint8], guess: NDArray[np.uint8], shares: NDArray[np.uint16]) -> None:
        for number, share in enumerate(shares):
            there, said = ((bits >> np.uint8(number)) & np.uint8(1) for bits in (true, guess))
            codes = share.astype(np.uint32)
            confidence = np.where(said == 1, codes, np.uint32(LEVELS - 1) - codes)
            codes |= there.astype(np.uint32) << 16
            confidence |= (there == said).astype(np.uint32) << 16
            self.classes[number] += np.bincount(codes, minlength=2 * LEVELS).reshape(2, LEVELS)
            self.shown[...] += np.bincount(confidence, minlength=2 * LEVELS).reshape(2, LEVELS)

    def __add__(self, other: "ConfidenceCounts") -> "ConfidenceCounts":
        return replace(self, classes=self.classes + other.classes, shown=self.shown + other.shown)


def _pieces(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]]:
    """Truth, map (pixels,) and probabilities (classes, pixels) of pixels that both give a class, a part at a time."""
    true, guess, shares = truth.reshape(-1), predicted.reshape(-1), probabilities.reshape(len(probabilities), -1)
    for start in range(0, true.size, PIECE):
        part = slice(start, start + PIECE)
        valid = (true[part] != IGNORE) & (guess[part] != IGNORE)
        if valid.all():
            yield true[part], guess[part], shares[:, part]
        elif valid.any():
            yield true[part][valid], guess[part][valid], shares[:, part][:, valid]
