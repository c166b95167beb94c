"""Confusion counts: how often pixels of one class are predicted as another."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, UsageError
from terrazzo.labels.legend import IGNORE

CHUNK = 1 << 19
"""Pixels counted at a time: the temporaries stay in the processor's cache, and the cost of 65,536 bins is spread."""

PAIRS_FROM = 1 << 15
"""Codes from which counting them two by two is faster than one by one."""


class Confusion:
    """Pixels counted by true and predicted class; exact, whatever the order and the pieces in which they are added.

    counts: int64 (classes, classes); rows are the truth, columns the prediction.
    unpredicted: int64 (classes,); pixels of each true class that the prediction leaves at 255. They are in no score.
    unlabelled: int64 (classes,); pixels of each predicted class that the truth leaves at 255. They are in no score.
    """

    __slots__ = ("counts", "unlabelled", "unpredicted")

    def __init__(self, classes: int) -> None:
        """classes: number of classes, 1 to 255. Raises UsageError otherwise."""
        if not 1 <= classes <= IGNORE:
            raise UsageError(f"A confusion of {classes} classes cannot be counted; the number must be 1 to {IGNORE}.")
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)
        self.unpredicted: NDArray[np.int64] = np.zeros(classes, np.int64)
        self.unlabelled: NDArray[np.int64] = np.zeros(classes, np.int64)

    @property
    def classes(self) -> int:
        return len(self.counts)

    @property
    def pixels(self) -> int:
        """The pixels that both truth and prediction give a class."""
        return int(self.counts.sum())

    @property
    def mapped(self) -> NDArray[np.int64]:
        """All pixels of each predicted class, with and without a label: int64 (classes,)."""
        found: NDArray[np.int64] = self.counts.sum(axis=0) + self.unlabelled
        return found

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        """Count one image, or a part of one; nothing is counted if it raises.

        truth, predicted: uint8 class indices of one shape, 0 to classes - 1, or 255: left out.
        Raises LabelError if the shapes differ or an index is outside the classes, UsageError if an array is not uint8.
        """
        _check_form(truth, predicted)
        table = _tabulate(truth.reshape(-1), predicted.reshape(-1), self.classes)
        self.counts += table[: self.classes, : self.classes]
        self.unpredicted += table[: self.classes, -1]
        self.unlabelled += table[-1, : self.classes]

    def __add__(self, other: "Confusion") -> "Confusion":
        if not isinstance(other, Confusion):
            return NotImplemented
        if other.classes != self.classes:
            raise UsageError(f"Confusions of {self.classes} and {other.classes} classes cannot be added; they must have the same.")
        total = Confusion(self.classes)
        total.counts = self.counts + other.counts
        total.unpredicted = self.unpredicted + other.unpredicted
        total.unlabelled = self.unlabelled + other.unlabelled
        return total

    def __repr__(self) -> str:
        return f"Confusion({self.counts.tolist()}, unpredicted={self.unpredicted.tolist()})"


def _check_form(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
    if truth.shape != predicted.shape:
        raise LabelError(f"The labels have shape {truth.shape} and the prediction {predicted.shape}; they must be of the same size.")
    for name, indices in (("labels", truth), ("prediction", predicted)):
        if indices.dtype != np.uint8:
            raise UsageError(f"The {name} are {indices.dtype}; class indices must be uint8.")


def _tabulate(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Count pairs of indices in a square table whose last row and column are those of 255.

    Ignored pixels are counted like any other and cut off by the caller: cheaper than selecting the valid ones first.
    Up to 15 classes a pair of indices fits in one byte, four bits each; beyond, in two.
    """
    side = 16 if classes < 16 else 256
    table = np.zeros(side * side, np.int64)
    for true, guess in _chunks(truth, predicted):
        check_indices(true, "labels", classes)
        check_indices(guess, "prediction", classes)
        if side == 16:
            codes = (true * np.uint8(16)) | (guess & np.uint8(15))  # 255 becomes 15 in both halves; a product is faster than a shift
            table += _count_bytes(codes)
        else:
            table += np.bincount(true.astype(np.uint16) * 256 | guess, minlength=table.size)
    return table.reshape(side, side)


def _chunks(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    for start in range(0, truth.size, CHUNK):
        yield truth[start : start + CHUNK], predicted[start : start + CHUNK]


def check_indices(indices: NDArray[np.uint8], name: str, classes: int) -> None:
    """Raise LabelError, which names up to five of the wrong ones, unless all class indices are below `classes` or 255.

    indices: uint8, any shape. name: what they are, such as "labels".
    """
    if (indices + np.uint8(1)).max(initial=0) <= classes:  # 255 + 1 wraps to 0 in uint8
        return
    outside = np.unique(indices[(indices >= classes) & (indices != IGNORE)])
    some = ", ".join(str(index) for index in outside[:5])
    raise LabelError(f"The {name} hold class index {some}; there are {classes} classes (0 to {classes - 1}), and 255 for left out.")


def _count_bytes(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value of a byte occurs: int64 (256,).

    Long arrays are counted as 16-bit words, two codes a step; each word counts for its high and for its low byte.
    """
    if codes.size < PAIRS_FROM:
        return np.bincount(codes, minlength=256)
    even = codes.size // 2 * 2
    words = np.bincount(codes[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    counts: NDArray[np.int64] = words.sum(axis=0) + words.sum(axis=1)
    counts[codes[even:]] += 1  # the last one, if their number is odd
    return counts
