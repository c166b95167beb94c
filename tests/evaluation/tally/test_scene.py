"""One scene in rows: any bands count the same, and scenes add up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally

Indices = NDArray[np.uint8]
OPTIONS = EvaluationOptions()


def drawn(seed: int, shape: tuple[int, int], classes: int) -> tuple[Indices, Indices]:
    """Class indices of truth and map in patches, some of them left out."""
    rng = np.random.default_rng(seed)
    values = np.array([*range(classes), 255], np.uint8)
    return rng.choice(values, shape), rng.choice(values, shape)


def counts(truth: Indices, predicted: Indices, classes: int, heights: list[int]) -> Counts:
    """Counted in bands of these heights, the last one as high as is left."""
    tally = SceneTally(classes, OPTIONS, truth.shape)
    starts = [0, *(start for start in np.cumsum(heights).tolist() if start < len(truth)), len(truth)]
    for start, end in pairwise(starts):
        tally.add(Rows(row_off=start, truth=truth[start:end], predicted=predicted[start:end]))
    return tally.finish()


@given(seed=st.integers(0, 99), heights=st.lists(st.integers(1, 9), max_size=6))
def test_bands_of_any_height_count_the_same(seed: int, heights: list[int]) -> None:
    truth, predicted = drawn(seed, (23, 11), 3)
    whole, bands = (counts(truth, predicted, 3, each) for each in ([], heights))
    assert bands.confusion.counts.tolist() == whole.confusion.counts.tolist()


def test_rows_come_in_order_and_whole() -> None:
    truth, predicted = drawn(0, (4, 4), 2)
    tally = SceneTally(2, OPTIONS, (4, 4))
    with pytest.raises(UsageError, match="Rows from 2 cannot be counted after 0 rows"):
        tally.add(Rows(row_off=2, truth=truth[2:], predicted=predicted[2:]))
    tally.add(Rows(row_off=0, truth=truth[:3], predicted=predicted[:3]))
    with pytest.raises(UsageError, match="3 rows of 4"):
        tally.finish()


def test_a_set_is_the_sum_of_its_scenes() -> None:
    tally = SetTally(2)
    for name, shape in (("a", (3, 5)), ("b", (7, 2))):
        tally.add(name, counts(*drawn(1, shape, 2), 2, []))
    assert list(tally.scenes) == ["a", "b"]
    assert tally.total.confusion.counts.tolist() == sum(each.counts for each in tally.scenes.values()).tolist()  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="The scene b was counted already"):
        tally.add("b", Counts.none(2))
