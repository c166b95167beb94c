"""Borders between classes: those of the whole raster, whatever the bands."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.prediction.vectorize.fake_raster import FakeRaster

from terrazzo.prediction.vectorize.borders import border_bands
from terrazzo.prediction.vectorize.joining import joined

Found = list[tuple[tuple[int, ...], str]]


def borders(classes: NDArray[np.uint8], wanted: set[int], rows: int = 1000) -> Found:
    raster: Any = FakeRaster(classes)
    return sorted((each.key, line.wkt) for each in joined(border_bands(raster, frozenset(wanted), rows)) for line in each.lines)


def edges(classes: NDArray[np.uint8], wanted: set[int]) -> int:
    """How many pairs of neighbouring pixels are a border."""

    def between(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
        chosen = np.isin(one, sorted(wanted)) | np.isin(other, sorted(wanted))
        return int(np.count_nonzero((one != other) & (one != 255) & (other != 255) & chosen))

    return between(classes[1:], classes[:-1]) + between(classes[:, 1:], classes[:, :-1])


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 11), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 255])),
    st.integers(1, 5),
    st.sets(st.integers(0, 2), min_size=1),
)
def test_lines_do_not_depend_on_the_bands_and_have_every_edge_once(classes: NDArray[np.uint8], rows: int, wanted: set[int]) -> None:
    whole = borders(classes, wanted)
    assert borders(classes, wanted, rows) == whole
    lines = [shapely.from_wkt(text) for _, text in whole]
    assert sum(line.length for line in lines) == edges(classes, wanted)
    assert shapely.union_all(lines).length == edges(classes, wanted)


def test_a_shore_is_one_line_without_the_edge_of_the_map_and_its_gaps() -> None:
    classes = np.zeros((6, 5), np.uint8)
    classes[:, 2:] = 1
    classes[3, 2] = 0
    classes[5] = 255
    assert borders(classes, {1}, 2) == [((1, 0), "LINESTRING (2 0, 2 3, 3 3, 3 4, 2 4, 2 5)")]


def test_an_island_is_a_ring_that_begins_at_its_uppermost_corner() -> None:
    classes = np.zeros((6, 5), np.uint8)
    classes[1:5, 1:3] = 7
    assert borders(classes, {7}, 1) == [((7, 0), "LINESTRING (1 1, 3 1, 3 5, 1 5, 1 1)")]


@pytest.mark.parametrize("rows", [1, 1000])
def test_lines_end_where_three_classes_meet(rows: int) -> None:
    classes = np.array([[0, 0], [1, 2]], np.uint8)
    assert borders(classes, {1, 2}, rows) == [
        ((1, 0), "LINESTRING (0 1, 1 1)"),
        ((1, 2), "LINESTRING (1 1, 1 2)"),
        ((2, 0), "LINESTRING (1 1, 2 1)"),
    ]
