"""Blending in integers: a weighted mean that does not depend on the order of its parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.blend import PROBABILITY_ONE, Blend, BlendBand, BlendedRows, side_weights
from terrazzo.prediction.sliding import SlidingGrid
from terrazzo.rasters.window import Window

BLENDS: tuple[Blend, ...] = ("hann", "linear", "flat")
"""Those whose weights are the same in every window."""


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("size", [8, 9, 10, 64, 255, 256])
def test_weights_are_symmetric_and_largest_in_the_middle(size: int, blend: Blend) -> None:
    weights = side_weights(size, blend).astype(np.int64)
    assert np.array_equal(weights, weights[::-1])
    assert 1 <= weights.min() <= weights.max() <= 64
    rising = np.diff(weights[: (size + 1) // 2])
    assert (rising >= 0).all()
    assert (rising == 0).all() == (blend == "flat")


@pytest.mark.parametrize("blend", BLENDS)
def test_sums_never_overflow(blend: Blend) -> None:
    """However many windows overlap at the largest overlap that the options allow, at every size."""
    for size in range(8, 700):
        stride = SlidingGrid.of((1, 1), (size, size), 0.75).stride[0]
        weights = side_weights(size, blend).astype(np.int64)
        along = max(int(weights[first::stride].sum()) for first in range(stride))
        assert along**2 * PROBABILITY_ONE < 2**32, f"windows of {size}"


def blended(grid: SlidingGrid, blend: Blend, parts: dict[tuple[int, int], NDArray[np.uint16]]) -> list[BlendedRows]:
    """All rows of a grid of windows, each predicted as `parts` says, by (row_off, col_off)."""
    band = BlendBand(grid, 3, blend)
    rows: list[BlendedRows] = []
    starts = grid.row_starts
    for number, row_off in enumerate(starts):
        for window in grid.row(row_off):
            band.add(window, np.ones(window.shape, np.bool_), parts[row_off, window.col_off])
        end = starts[number + 1] if number + 1 < len(starts) else grid.shape[0]
        rows += band.take(row_off, end - row_off)
    return rows


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    size=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    overlap=st.floats(0, 0.75),
    blend=st.sampled_from(BLENDS),
    seed=st.integers(0, 99),
)
def test_the_blend_is_the_weighted_mean_of_all_windows(
    shape: tuple[int, int], size: tuple[int, int], overlap: float, blend: Blend, seed: int
) -> None:
    """Against a naive one of the whole image, in floating point."""
    grid = SlidingGrid.of(shape, size, overlap)
    rng = np.random.default_rng(seed)
    parts = {
        (row, column): rng.integers(0, PROBABILITY_ONE + 1, (3, *size), np.uint16) for row in grid.row_starts for column in grid.col_starts
    }
    sums, totals = np.zeros((3, *shape)), np.zeros(shape)
    weights = np.outer(side_weights(size[0], blend), side_weights(size[1], blend)).astype(np.float64)
    for (row, column), probabilities in parts.items():
        height, width = min(size[0], shape[0] - row), min(size[1], shape[1] - column)
        at = (slice(row, row + height), slice(column, column + width))
        sums[(slice(None), *at)] += (probabilities * weights)[:, :height, :width]
        totals[at] += weights[:height, :width]
    rows = blended(grid, blend, parts)
    assert [each.row_off for each in rows] == grid.row_starts
    found = np.concatenate([each.probabilities() for each in rows], axis=1)
    assert found.shape == (3, *shape)
    assert np.abs(found - sums / totals).max() <= 0.5 + 1e-6
    indices = np.concatenate([each.indices() for each in rows])
    assert np.array_equal(indices, sums.argmax(axis=0))


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    overlap=st.floats(0, 0.75),
)
def test_crop_takes_each_pixel_from_one_window_far_from_its_border(shape: tuple[int, int], size: tuple[int, int], overlap: float) -> None:
    """Parts that tell how far each pixel is from where its window is cut."""
    grid = SlidingGrid.of(shape, size, overlap)
    rng = np.random.default_rng(0)
    parts, distance = {}, {}
    for row in grid.row_starts:
        for column in grid.col_starts:
            parts[row, column] = rng.integers(0, PROBABILITY_ONE + 1, (3, *size), np.uint16)
            sides = zip((row, column), (grid.row_starts[-1], grid.col_starts[-1]), size, strict=True)
            along = [
                np.minimum(99 if start == 0 else np.arange(side), 99 if start == last else np.arange(side)[::-1])
                for start, last, side in sides
            ]
            distance[row, column] = [np.broadcast_to(each, side) for each, side in zip(along, size, strict=True)]
    rows = blended(grid, "crop", parts)
    found = np.concatenate([each.probabilities() for each in rows], axis=1)
    assert all((each.totals == 1).all() for each in rows)
    for y, x in np.ndindex(shape):
        owners = [(r, c) for r, c in parts if 0 <= y - r < size[0] and 0 <= x - c < size[1]]
        taken = [key for key in owners if np.array_equal(parts[key][:, y - key[0], x - key[1]], found[:, y, x])]
        assert taken
        # of two windows that are as near, either will do; margins are whole pixels
        for axis, at in ((0, y), (1, x)):
            best = max(distance[key][axis][at - key[axis]] for key in owners)
            assert max(distance[key][axis][at - key[axis]] for key in taken) >= best - 1


def rows_of(sums: list[int], total: int, *, valid: bool = True) -> BlendedRows:
    return BlendedRows(
        row_off=0,
        sums=np.array(sums, np.uint32).reshape(-1, 1, 1),
        totals=np.array([[total]], np.uint32),
        valid=np.array([[valid]], np.bool_),
    )


def test_invalid_and_unpredicted_pixels_have_no_class_and_no_probability() -> None:
    for rows in (rows_of([5, 9], 3, valid=False), rows_of([0, 0], 0)):
        assert rows.indices().tolist() == [[IGNORE]]
        assert rows.probabilities().ravel().tolist() == [0, 0]


def test_a_tie_goes_to_the_first_class() -> None:
    assert rows_of([7, 9, 9], 3).indices().tolist() == [[1]]


def test_probabilities_are_rounded_and_sure_is_sure() -> None:
    largest = 160 * 160
    rows = rows_of([PROBABILITY_ONE * largest, 0], largest)
    assert rows.probabilities().ravel().tolist() == [PROBABILITY_ONE, 0]
    assert rows_of([5, 4], 3).probabilities().ravel().tolist() == [2, 1]


def test_rows_that_are_taken_make_place_for_empty_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = SlidingGrid(shape=(8, 4), size=(4, 4), stride=(2, 4))
    band = BlendBand(grid, 1, "flat")
    band.add(Window(col_off=0, row_off=0, width=4, height=4), np.ones((4, 4), np.bool_), np.full((1, 4, 4), 10, np.uint16))
    (first,) = band.take(0, 2)
    assert first.totals.tolist() == [[1] * 4] * 2
    band.add(Window(col_off=0, row_off=2, width=4, height=4), np.ones((4, 4), np.bool_), None)
    monkeypatch.setattr("terrazzo.prediction.blend.PIECE_PX", 12)
    last = list(band.take(2, 4))
    assert [(piece.row_off, piece.row_end) for piece in last] == [(2, 5), (5, 6)]
    assert np.concatenate([piece.totals for piece in last]).tolist() == [[1] * 4] * 2 + [[0] * 4] * 2
    assert all(piece.valid.all() for piece in last)
    assert not any(piece.valid.any() for piece in band.take(6, 2))
