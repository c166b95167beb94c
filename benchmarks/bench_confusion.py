"""Confusion counts of 2.1 megapixels on one core, against scikit-learn and torch.

Run: python benchmarks/bench_confusion.py [repeats]
"""

import sys
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from timing import in_turn

from terrazzo.evaluation.confusion import Confusion

SHAPE = (1024, 2048)
IGNORED = 0.02
WRONG = 0.1
PATCH_PX = 32

Indices = NDArray[np.uint8]


def maps(classes: int) -> tuple[Indices, Indices]:
    """Labels of square patches with ignored pixels, and a prediction of which a tenth is drawn at random."""
    rng = np.random.default_rng(classes)
    patches = rng.integers(0, classes, (SHAPE[0] // PATCH_PX, SHAPE[1] // PATCH_PX)).astype(np.uint8)
    truth = patches.repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)
    predicted = np.where(rng.random(SHAPE) < WRONG, rng.integers(0, classes, SHAPE), truth).astype(np.uint8)
    truth[rng.random(SHAPE) < IGNORED] = 255
    return truth, predicted


def ours(truth: Indices, predicted: Indices, classes: int) -> NDArray[np.int64]:
    confusion = Confusion(classes)
    confusion.add(truth, predicted)
    return confusion.counts


def plain_bincount(truth: Indices, predicted: Indices, classes: int) -> NDArray[np.int64]:
    """The usual line of numpy."""
    valid = truth != 255
    return np.bincount(truth[valid].astype(np.int64) * classes + predicted[valid], minlength=classes**2).reshape(classes, classes)


def scikit_learn(truth: Indices, predicted: Indices, classes: int) -> NDArray[np.int64]:
    valid = truth != 255
    counts: NDArray[np.int64] = confusion_matrix(truth[valid], predicted[valid], labels=np.arange(classes))
    return counts


def torch_bincount(truth: Indices, predicted: Indices, classes: int) -> NDArray[np.int64]:
    true, guess = torch.from_numpy(truth), torch.from_numpy(predicted)
    valid = true != 255
    counts: NDArray[np.int64] = torch.bincount(true[valid].long() * classes + guess[valid], minlength=classes**2).numpy()
    return counts.reshape(classes, classes)


def main(repeats: int) -> None:
    torch.set_num_threads(1)
    print(f"{SHAPE[0]} x {SHAPE[1]} pixels, {repeats} rounds: ours, the other, ratio (spread)")
    for classes in (2, 4, 20):
        truth, predicted = maps(classes)
        for other in (plain_bincount, scikit_learn, torch_bincount):
            np.testing.assert_array_equal(ours(truth, predicted, classes), other(truth, predicted, classes))
            found = in_turn(partial(ours, truth, predicted, classes), partial(other, truth, predicted, classes), repeats)
            print(f"{classes:3d} classes  {other.__name__:15s} {found}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
