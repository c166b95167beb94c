"""Objects of validation chips: their mean F2, whatever the batches, with the numbers that the labels have."""

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.rows import Sample
from terrazzo.training.objects import ChipObjects

RULE = ObjectRule(classes=(1,), thresholds=(500_000, 750_000))
SIDE = 16


class Numbered:
    """A source that tells objects apart, or does not."""

    def __init__(self, numbers: NDArray[np.uint32] | None) -> None:
        self.numbers = numbers

    def shape(self, scene: str) -> Shape:
        raise NotImplementedError

    def raster(self, scene: str) -> Raster:
        raise NotImplementedError

    def image(self, scene: str, window: Window) -> Pixels:
        raise NotImplementedError

    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]:
        raise NotImplementedError

    def read(self, scene: str, window: Window) -> tuple[Pixels, NDArray[np.uint8]]:
        raise NotImplementedError

    def instances(self, scene: str, window: Window) -> NDArray[np.uint32] | None:
        return None if self.numbers is None else self.numbers[window.slices]


def sample(number: int, height: int = SIDE) -> Sample:
    return Sample(id=number, scene="a", window=Window(col_off=0, row_off=0, width=SIDE, height=height))


def chips(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(8)
    truth = np.kron(rng.integers(0, 2, (count, 4, 4)), np.ones((1, 4, 4), np.int64)).astype(np.uint8)
    predicted = truth.copy()
    predicted[rng.random(truth.shape) < 0.15] = 0
    return truth, predicted


def test_the_same_whatever_the_batches() -> None:
    truth, predicted = chips(13)
    found = []
    for size in (1, 4, 13):
        with ChipObjects(RULE, Numbered(None)) as objects:
            for first in range(0, 13, size):
                rows = slice(first, first + size)
                objects.add([sample(number) for number in range(13)[rows]], truth[rows], predicted[rows])
            found.append(objects.f2())
    assert found[0] == found[1] == found[2]
    assert found[0] is not None
    assert 0 < found[0] < 1


@pytest.mark.parametrize(("told_apart", "f2"), [(True, 0.0), (False, 1.0)])
def test_objects_that_touch_count_as_the_labels_tell_them_apart(told_apart: bool, f2: float) -> None:  # noqa: FBT001 - a parameter
    numbers = np.zeros((10, SIDE), np.uint32)
    numbers[2:8, 2:8], numbers[2:8, 8:14] = 1, 2
    labels = np.full((1, SIDE, SIDE), 255, np.uint8)
    labels[0, :10] = numbers > 0  # the window ends at row 10, the chip is padded
    with ChipObjects(RULE, Numbered(numbers if told_apart else None)) as objects:
        objects.add([sample(0, height=10)], labels, (labels == 1).astype(np.uint8))
        assert objects.f2() == f2


def test_chips_without_ground_that_counts_say_nothing() -> None:
    empty = np.full((2, SIDE, SIDE), 255, np.uint8)
    with ChipObjects(RULE, Numbered(None)) as objects:
        assert objects.f2() is None
        objects.add([sample(0), sample(1)], empty, np.ones_like(empty))
        assert objects.f2() is None
