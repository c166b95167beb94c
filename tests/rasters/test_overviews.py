"""Overviews: codes are never mixed, quantities are means, nodata counts only where there is nothing else."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from terrazzo.rasters.overviews import halved, overview_shapes

SHAPES = st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 7))


def squares(band: NDArray[Any]) -> list[list[list[Any]]]:
    """Of each pixel of a band at half its size, the pixels that are there, row by row."""
    rows, columns = range(0, band.shape[0], 2), range(0, band.shape[1], 2)
    return [[band[row : row + 2, column : column + 2].ravel().tolist() for column in columns] for row in rows]


@given(arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 255])), st.sampled_from([None, 255.0]))
def test_the_mode_is_what_most_pixels_are(block: NDArray[np.uint8], nodata: float | None) -> None:
    found = halved(block, "mode", nodata)
    assert found.dtype == np.uint8
    for band, half in zip(block, found, strict=True):
        for row, line in enumerate(squares(band)):
            for column, values in enumerate(line):
                known = [value for value in values if value != nodata] or values
                counts = Counter(known)
                assert counts[int(half[row, column])] == max(counts.values())


def test_of_equally_many_values_the_first_is_taken() -> None:
    block = np.array([[[2, 1, 1, 2, 9, 8], [1, 2, 2, 1, 7, 6]]], np.uint8)
    assert halved(block, "mode", None).tolist() == [[[2, 1, 9]]]
    assert halved(block, "mode", 9).tolist() == [[[2, 1, 8]]]


@given(arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 3, 40_000, 65_535])), st.sampled_from([None, 65_535.0]))
def test_means_are_of_the_pixels_that_have_data(block: NDArray[np.uint16], nodata: float | None) -> None:
    even = np.pad(block, ((0, 0), (0, block.shape[1] % 2), (0, block.shape[2] % 2)), mode="edge")
    found = halved(block, "mean", nodata)
    assert found.dtype == np.uint16
    for band, half in zip(even, found, strict=True):
        for row, line in enumerate(squares(band)):
            for column, values in enumerate(line):
                known = [value for value in values if value != nodata] or values
                assert half[row, column] == math.floor(sum(known) / len(known) + 0.5)


def test_missing_floats_are_no_part_of_means() -> None:
    block = np.array([[[1, np.nan, np.nan, np.nan], [2, np.nan, np.nan, np.nan]]], np.float32)
    assert halved(block, "mean", None).tolist() == [[[1.5, pytest.approx(np.nan, nan_ok=True)]]]
    assert halved(block, "mean", np.nan).dtype == np.float32


def test_overviews_end_where_all_fits_into_a_block() -> None:
    assert overview_shapes((512, 300)) == ()
    assert overview_shapes((513, 300)) == ((257, 150),)
    assert overview_shapes((5, 2050)) == ((3, 1025), (2, 513), (1, 257))
