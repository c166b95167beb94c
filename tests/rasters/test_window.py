import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import WindowError
from terrazzo.rasters.window import Shape, Window, cover, starts, whole

SIDES = st.integers(1, 40)
OFFSETS = st.integers(-20, 40)
WINDOWS = st.builds(
    lambda col, row, width, height: Window(col_off=col, row_off=row, width=width, height=height), OFFSETS, OFFSETS, SIDES, SIDES
)


@given(height=SIDES, width=SIDES, size=st.tuples(SIDES, SIDES), data=st.data())
def test_windows_cover_every_pixel_lie_inside_and_are_full_size(
    height: int, width: int, size: tuple[int, int], data: st.DataObject
) -> None:
    overlap_px = data.draw(st.integers(0, min(size) - 1))
    seen = np.zeros((height, width), int)
    for window in cover((height, width), size, overlap_px):
        assert window.shape == (min(height, size[0]), min(width, size[1]))
        assert window.intersection(whole((height, width))) == window
        seen[window.slices] += 1
    assert seen.min() >= 1


@given(length=st.integers(1, 200), size=SIDES, data=st.data())
def test_neighbours_share_at_least_the_overlap_and_only_the_last_shares_more(length: int, size: int, data: st.DataObject) -> None:
    overlap_px = data.draw(st.integers(0, size - 1))
    firsts = starts(length, size, overlap_px)
    steps = np.diff(firsts)
    assert (steps[:-1] == size - overlap_px).all()
    assert (steps >= 1).all()
    assert (steps <= size - overlap_px).all()


@given(one=WINDOWS, other=WINDOWS)
def test_intersection_holds_the_pixels_of_both(one: Window, other: Window) -> None:
    def pixels(window: Window | None) -> set[tuple[int, int]]:
        if window is None:
            return set()
        return {(row, col) for row in range(window.row_off, window.row_end) for col in range(window.col_off, window.col_end)}

    assert pixels(one.intersection(other)) == pixels(one) & pixels(other)
    assert one.intersection(other) == other.intersection(one)


def test_inside_indexes_the_pixels_of_a_larger_window() -> None:
    outer = Window(col_off=-3, row_off=5, width=20, height=10)
    inner = Window(col_off=2, row_off=7, width=4, height=3)
    rows, columns = np.mgrid[outer.row_off : outer.row_end, outer.col_off : outer.col_end]
    assert rows[inner.inside(outer)].tolist() == [[7] * 4, [8] * 4, [9] * 4]
    assert columns[inner.inside(outer)][0].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-4, 3)])
def test_a_window_without_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(WindowError, match=f"{height} x {width}"):
        Window(col_off=0, row_off=0, width=width, height=height)


@pytest.mark.parametrize("overlap_px", [-1, 8, 9])
def test_an_overlap_as_large_as_the_window_is_refused(overlap_px: int) -> None:
    with pytest.raises(WindowError, match=f"overlap is {overlap_px}"):
        list(cover((20, 20), (8, 16), overlap_px))


SIDES = st.integers(1, 40)


@given(shape=st.tuples(SIDES, SIDES), other=st.tuples(SIDES, SIDES), size=st.tuples(SIDES, SIDES))
def test_rescaled_windows_cover_the_other_image_as_they_do_theirs(shape: Shape, other: Shape, size: Shape) -> None:
    pixels = np.zeros(other, np.int64)
    for window in cover(shape, size, 0):
        moved = window.rescaled(shape, other)
        assert moved.intersection(whole(other)) == moved
        pixels[moved.slices] += 1
    assert pixels.min() >= 1
    if all(theirs >= ours for ours, theirs in zip(shape, other, strict=True)) and all(
        side % step == 0 for side, step in zip(shape, size, strict=True)
    ):
        assert pixels.max() == 1  # windows that meet still meet
