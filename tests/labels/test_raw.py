"""Raw values: colours as numbers, and counting what an array holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from terrazzo.labels.raw import COLOR, NO_BAND, Encoding, color_of_raw, distinct, nearest_color, raw_of_color, shown

levels = st.integers(0, 255)
colors = st.tuples(levels, levels, levels)


@given(color=colors)
def test_colors_go_to_numbers_and_back(color: tuple[int, int, int]) -> None:
    assert COLOR <= raw_of_color(color) < 2 * COLOR
    assert color_of_raw(raw_of_color(color)) == color


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [(COLOR + 0xFF8001, "colors", "'#ff8001'"), (NO_BAND, "onehot", "no band"), (COLOR, "instances", "16777216"), (0.5, "values", "0.5")],
)
def test_are_shown_as_they_are_written(raw: float, encoding: Encoding, text: str) -> None:
    assert shown(raw, encoding) == text


@given(color=colors, known=st.lists(colors, min_size=1, max_size=5))
def test_the_nearest_color_is_the_first_of_least_distance(color: tuple[int, int, int], known: list[tuple[int, int, int]]) -> None:
    distances = [sum((one - other) ** 2 for one, other in zip(color, near, strict=True)) for near in known]
    found = nearest_color(np.array([raw_of_color(color)]), [raw_of_color(near) for near in known])
    assert found.tolist() == [distances.index(min(distances))]


@given(
    values=st.one_of(
        hnp.arrays(np.int64, hnp.array_shapes(max_dims=2, min_side=0, max_side=9), elements=st.sampled_from([-(2**40), 0, 0, 0, 5])),
        hnp.arrays(np.uint16, hnp.array_shapes(max_dims=2, max_side=9)),
        hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=9), elements=st.sampled_from([0.0, 0.25, np.nan])),
    ),
    repeats=st.integers(1, 9),
)
def test_distinct_is_unique(values: NDArray[np.generic], repeats: int) -> None:
    values = np.repeat(values, repeats)
    found, places, counts = distinct(values)
    expected = np.unique(values, return_inverse=True, return_counts=True)
    for one, other in zip((found, places, counts), expected, strict=True):
        assert np.array_equal(one, other.ravel(), equal_nan=one.dtype.kind == "f")
