"""The grid of windows covers every pixel, from the origin, whatever the size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import WindowError
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.sliding import SlidingGrid

sides = st.integers(1, 90)
overlaps = st.floats(0, 0.75)


@given(shape=st.tuples(sides, sides), size=st.tuples(st.integers(1, 40), st.integers(1, 40)), overlap=overlaps)
def test_every_pixel_is_covered_and_every_window_is_needed(shape: tuple[int, int], size: tuple[int, int], overlap: float) -> None:
    grid = SlidingGrid.of(shape, size, overlap)
    assert grid.row_starts[0] == grid.col_starts[0] == 0
    for starts, stride, length, side in zip((grid.row_starts, grid.col_starts), grid.stride, shape, size, strict=True):
        assert np.all(np.diff(starts) == stride)
        assert stride <= side  # so no gap
        assert starts[-1] + side >= length
        assert len(starts) == 1 or starts[-2] + side < length
        assert starts[-1] < length
    counts = np.zeros(shape, int)
    for row_off in grid.row_starts:
        for window in grid.row(row_off):
            assert window.row_off == row_off
            assert window.row_end <= shape[0]
            assert window.col_end <= shape[1]
            counts[window.slices] += 1
    assert counts.min() >= 1


@given(shape=st.tuples(sides, sides), size=st.tuples(st.integers(1, 40), st.integers(1, 40)), overlap=overlaps)
def test_a_cover_has_no_gap_and_no_window_too_many(shape: tuple[int, int], size: tuple[int, int], overlap: float) -> None:
    grid = SlidingGrid.of(shape, size, overlap)
    for cover, starts, side in zip(grid.cover, (grid.row_starts, grid.col_starts), size, strict=True):
        chosen = sorted(cover)
        assert cover <= set(starts)
        assert (chosen[0], chosen[-1]) == (starts[0], starts[-1])
        assert np.all(np.diff(chosen) <= side)
        assert all(second - first > side for first, second in zip(chosen, chosen[2:], strict=False)), "one between them is not needed"


@pytest.mark.parametrize(("shape", "windows"), [((1, 1), 1), ((1, 1000), 124), ((7, 8), 1), ((8, 8), 1), ((9, 8), 2)])
def test_odd_sizes(shape: tuple[int, int], windows: int) -> None:
    grid = SlidingGrid.of(shape, (16, 16), 0.5) if shape[1] == 1000 else SlidingGrid.of(shape, (8, 8), 0)
    assert sum(len(grid.row(row_off)) for row_off in grid.row_starts) == windows


@given(length=sides, more=sides, overlap=overlaps)
def test_a_larger_raster_has_the_same_windows_first(length: int, more: int, overlap: float) -> None:
    """So a block of a map is predicted like the whole of it."""
    small, large = (SlidingGrid.of((side, 5), (16, 16), overlap).row_starts for side in (length, length + more))
    assert large[: len(small)] == small


def test_at_most_five_windows_meet_along_a_side() -> None:
    """What the weights of the blending count on; four where the window is a multiple of four."""
    largest = PredictionOptions.model_fields["overlap"].metadata
    assert any(getattr(bound, "le", None) == 0.75 for bound in largest)
    for size in range(8, 700):
        stride = SlidingGrid.of((1, 1), (size, size), 0.75).stride[0]
        assert -(-size // stride) <= (4 if size % 4 == 0 else 5)


@pytest.mark.parametrize("stride", [0, -1, 9])
def test_a_stride_that_leaves_gaps_is_refused(stride: int) -> None:
    with pytest.raises(WindowError, match="stride of"):
        SlidingGrid(shape=(20, 20), size=(8, 8), stride=(8, stride))
