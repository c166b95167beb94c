"""Where maps differ most: the places with the most pixels, however the rows come."""

import numpy as np
import pytest

from terrazzo.rasters.window import Window
from terrazzo.workflows.comparison.pictures import difference_kinds
from terrazzo.workflows.comparison.places import PlaceFinder
from terrazzo.workflows.comparison.shared_rows import SharedRows


@pytest.mark.parametrize("step", [1, 300, 1100])
def test_are_those_with_the_most_pixels(step: int) -> None:
    truth = np.zeros((1100, 700), np.uint8)
    one, two = truth.copy(), truth.copy()
    one[1000:1010, 600:610] = 1
    two[10:30, 10:30] = 1
    one[5, 5] = two[5, 5] = 1
    one[600, 5] = 1
    finder = PlaceFinder((1100, 700))
    for top in range(0, 1100, step):
        rows = slice(top, top + step)
        finder.add(SharedRows(row_off=top, truth=truth[rows], predicted=[one[rows], two[rows]], left_out=0))
    first, second = finder.places("a")
    assert (first.pixels, first.window) == (400, Window(col_off=0, row_off=0, width=512, height=512))
    assert (second.pixels, second.window) == (100, Window(col_off=188, row_off=512, width=512, height=512))


def test_kinds_say_who_is_right() -> None:
    truth = np.array([[0, 0, 0, 0, 255]], np.uint8)
    maps = [np.array([[0, 0, 1, 1, 255]], np.uint8), np.array([[0, 1, 0, 1, 255]], np.uint8)]
    assert difference_kinds(truth, maps).tolist() == [[0, 1, 2, 3, 0]]
