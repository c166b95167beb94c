"""Filters of classes by rows: the same as over the whole map, however its rows are cut, from whatever row on."""

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.median import majority
from terrazzo.prediction.blend import BlendedRows
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.neighbourhood import Neighbourhood, neighbourhoods
from terrazzo.prediction.refine.rows import FinishedRows

Indices = NDArray[np.uint8]


def rows_of(indices: Indices, cuts: list[int]) -> Iterator[FinishedRows]:
    """Rows that are cut at `cuts`, from the first of these to the last; their probabilities tell which row they are."""
    for start, end in pairwise(cuts):
        classes = indices[start:end]
        sums = np.broadcast_to(np.arange(start, end, dtype=np.uint32)[:, None], classes.shape)[None]
        blended = BlendedRows(row_off=start, sums=sums, totals=sums[0], valid=classes != IGNORE)
        yield FinishedRows(blended=blended, indices=classes)


def filtered(stage: Neighbourhood, indices: Indices, cuts: list[int], wanted: range) -> Indices:
    job: Any = SimpleNamespace(mapped=SimpleNamespace(shape=indices.shape))
    found = list(stage.run(rows_of(indices, cuts), job, wanted))
    numbers = np.concatenate([each.blended.sums[0, :, 0] for each in found])
    assert numbers.tolist() == list(wanted)
    assert [each.row_off for each in found] == [each.blended.sums[0, 0, 0] for each in found]
    return np.concatenate([each.indices for each in found])


def only(**options: Any) -> Neighbourhood:
    (stage,) = neighbourhoods(PredictionOptions(**options))
    return stage


def naive_majority(indices: Indices, width: int) -> Indices:
    """Pixel by pixel, from the definition."""
    result, margin = indices.copy(), width // 2
    for row, column in zip(*np.nonzero(indices != IGNORE), strict=True):
        square = indices[max(0, row - margin) : row + margin + 1, max(0, column - margin) : column + margin + 1]
        votes = np.bincount(square.ravel(), minlength=256)
        votes[IGNORE] = 0
        own = indices[row, column]
        result[row, column] = own if votes[own] == votes.max() else votes.argmax()
    return result


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_rows_are_those_of_the_whole_map(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    indices = rng.choice(np.array([0, 1, 2, IGNORE], np.uint8), (height, width), p=[0.4, 0.3, 0.1, 0.2])
    side = data.draw(st.sampled_from([3, 5, 9]))
    stage, expected = data.draw(
        st.sampled_from([(only(majority=side), naive_majority(indices, side)), (only(median=side), majority(indices, side))])
    )
    first_row = data.draw(st.integers(0, height - 1))
    wanted = range(first_row, data.draw(st.integers(first_row + 1, height)))
    needed = stage.needed(wanted, height)
    cuts = sorted({needed.start, needed.stop, *data.draw(st.lists(st.integers(needed.start, needed.stop), max_size=8))})
    assert np.array_equal(filtered(stage, indices, cuts, wanted), expected[first_row : wanted.stop])
    assert np.array_equal(expected == IGNORE, indices == IGNORE)


def test_a_speck_goes_and_a_block_stays() -> None:
    indices = np.zeros((9, 9), np.uint8)
    indices[1, 1] = 1
    indices[4:8, 4:8] = 2
    found = filtered(only(majority=3), indices, [0, 2, 5, 9], range(9))
    assert found[1, 1] == 0
    assert (found[5:7, 5:7] == 2).all()


def test_median_goes_before_majority_and_none_is_none() -> None:
    assert [stage.margin for stage in neighbourhoods(PredictionOptions(median=4, majority=5))] == [4, 2]
    assert list(neighbourhoods(PredictionOptions(median=1))) == []


def test_an_even_square_is_refused() -> None:
    with pytest.raises(ValueError, match="a square around a pixel has an odd width; 4 is even"):
        PredictionOptions(majority=4)
