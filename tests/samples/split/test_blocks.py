"""Blocks of ground, and the canvases they are cut from."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.rasters.window import Window, cover
from terrazzo.samples.split.blocks import Canvas, default_block, lay_out
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]


def canvas_of(windows: list[Window], size: tuple[int, int]) -> Canvas:
    edges = np.array([(window.col_off, window.row_off, window.col_end, window.row_end) for window in windows], np.float64)
    return Canvas(number=np.zeros(len(windows), np.int64), edges=edges, window=size, straight=np.ones(len(windows), np.bool_))


@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    size=st.tuples(st.integers(6, 20), st.integers(6, 20)),
    overlap_px=st.integers(0, 3),
    block=st.tuples(st.integers(20, 50), st.integers(20, 50)),
)
@settings(max_examples=40, deadline=None)
def test_two_windows_that_share_a_pixel_share_a_block(
    shape: tuple[int, int], size: tuple[int, int], overlap_px: int, block: tuple[int, int]
) -> None:
    windows = list(cover(shape, size, overlap_px))
    units = canvas_of(windows, size).blocks(block).units
    for one, mine in zip(windows, units.tolist(), strict=True):
        for other, theirs in zip(windows, units.tolist(), strict=True):
            if one.intersection(other) is not None:
                assert set(mine) & set(theirs)


def test_units_are_the_blocks_that_a_window_touches() -> None:
    windows = [Window(col_off=col, row_off=row, width=10, height=10) for row, col in ((0, 0), (0, 15), (15, 15), (30, 50))]
    units = canvas_of(windows, (10, 10)).blocks((20, 20)).units
    assert [len(set(row)) for row in units.tolist()] == [1, 2, 4, 1]
    assert units[0, 0] in units[1]
    assert set(units[1].tolist()) <= set(units[2].tolist())


def test_a_rest_narrower_than_a_window_belongs_to_the_block_before() -> None:
    windows = list(cover((10, 25), (10, 10), 0))
    assert [window.col_off for window in windows] == [0, 10, 15]
    units = canvas_of(windows, (10, 10)).blocks((10, 10)).units
    assert [sorted(set(row)) for row in units.tolist()] == [[0], [1], [1]]


class TestDefaultBlock:
    @pytest.mark.parametrize(("overlap_px", "block"), [(0, (300, 300)), (50, (300, 300))])
    def test_is_the_largest_that_leaves_ten(self, overlap_px: int, block: tuple[int, int]) -> None:
        canvas = canvas_of(list(cover((1000, 1000), (100, 100), overlap_px)), (100, 100))
        assert default_block(canvas, (100 - overlap_px,) * 2) == block
        step = 100 - overlap_px
        assert canvas.blocks(block).fullness >= 10
        assert canvas.blocks((block[0] + step, block[1] + step)).fullness < 10

    def test_is_at_least_a_window(self) -> None:
        canvas = canvas_of(list(cover((200, 200), (100, 100), 0)), (100, 100))
        assert default_block(canvas, (100, 100)) == (100, 100)
        canvas = canvas_of(list(cover((200, 200), (100, 100), 30)), (100, 100))
        assert default_block(canvas, (70, 70)) == (140, 140)

    def test_of_many_small_images_is_a_whole_image(self, make_samples: MakeSamples) -> None:
        canvas = lay_out(make_samples({f"s{number}": (25, 25) for number in range(12)}))
        block = default_block(canvas, (10, 10))
        assert canvas.blocks(block).fullness == 12
        assert [len(set(canvas.blocks(block).units[canvas.number == scene].ravel().tolist())) for scene in range(12)] == [1] * 12

    def test_of_rectangular_windows_is_a_multiple_of_both_steps(self) -> None:
        canvas = canvas_of(list(cover((400, 800), (20, 40), 0)), (20, 40))
        height, width = default_block(canvas, (20, 40))
        assert (height % 20, width % 40) == (0, 0)
        assert abs(height - width) <= 40

    def test_counts_blocks_with_windows_only(self) -> None:
        # only the diagonal holds data
        windows = [Window(col_off=at, row_off=at, width=10, height=10) for at in range(0, 1000, 10)]
        canvas = canvas_of(windows, (10, 10))
        assert canvas.blocks(default_block(canvas, (10, 10))).fullness >= 10


class TestCanvas:
    def test_images_without_crs_have_their_own(self, make_samples: MakeSamples) -> None:
        canvas = lay_out(make_samples({"a": (10, 20), "b": (10, 20)}))
        assert canvas.number.tolist() == [0, 0, 1, 1]

    def test_copies_of_an_image_share_one(self, make_samples: MakeSamples) -> None:
        canvas = lay_out(make_samples({"a": (10, 20), "b": (10, 20)}, digests={"a": "x", "b": "x"}))
        assert canvas.number.tolist() == [0, 0, 0, 0]
        assert canvas.edges[:2].tolist() == canvas.edges[2:].tolist()

    def test_images_on_the_same_ground_share_one_in_its_pixels(self, make_samples: MakeSamples) -> None:
        samples = make_samples(
            {"a": (20, 20), "b": (20, 20), "far": (10, 10)}, origins={"a": (1000.0, 50.0), "b": (1015.0, 45.0), "far": (5000.0, 50.0)}
        )
        canvas = lay_out(samples)
        assert canvas.number.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 1]
        assert canvas.edges[0].tolist() == [0, 0, 10, 10]
        assert canvas.edges[4].tolist() == [15, 5, 25, 15]
        assert canvas.edges[8].tolist() == [0, 0, 10, 10]

    def test_neighbours_that_only_touch_do_not(self, make_samples: MakeSamples) -> None:
        canvas = lay_out(make_samples({"a": (20, 20), "b": (20, 20)}, origins={"a": (0.1, 50.0), "b": (20.1, 50.0)}))
        assert sorted(set(canvas.number.tolist())) == [0, 1]
