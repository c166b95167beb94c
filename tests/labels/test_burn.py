"""Drawing polygons into windows: what rasterio draws, wherever the window lies."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.labels.burn import PixelPolygons
from terrazzo.rasters.window import Window, cover, whole

SHAPE = (53, 61)

Polygons = NDArray[np.object_]


def unchanged(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points


def draw(polygons: Polygons, window: Window, *, all_touched: bool = False, dtype: type = np.uint8) -> NDArray[np.generic]:
    out: NDArray[np.generic] = np.zeros(window.shape, dtype)
    PixelPolygons.of(polygons, unchanged).draw(out, window, np.arange(1, len(polygons) + 1), all_touched=all_touched)
    return out


def rasterized(polygons: Polygons, shape: tuple[int, int] = SHAPE, *, all_touched: bool = False) -> NDArray[np.generic]:
    pairs = [(polygon, number) for number, polygon in enumerate(polygons, start=1)]
    drawn: NDArray[np.generic] = rasterize(pairs, out_shape=shape, dtype=np.uint8, all_touched=all_touched)
    return drawn


@st.composite
def layers(draw: st.DrawFn, step: int) -> Polygons:
    """Polygons around an image, whole and with holes, crossing themselves or not; corners on a lattice of 1/step pixels."""
    corner = st.tuples(st.integers(-30 * step, 90 * step), st.integers(-30 * step, 90 * step))
    rings = st.lists(corner, min_size=3, max_size=8).map(lambda points: np.array(points) / step)
    polygons = st.tuples(rings, st.lists(rings, max_size=1)).map(lambda parts: shapely.Polygon(parts[0], parts[1]))
    found = np.empty(draw(st.integers(1, 5)), np.object_)
    found[:] = [draw(polygons) for _ in found]
    return found


windows = st.builds(Window, col_off=st.integers(-5, 55), row_off=st.integers(-5, 50), width=st.integers(1, 40), height=st.integers(1, 40))


@pytest.mark.parametrize("all_touched", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_a_window_is_the_crop_of_the_whole(step: int, all_touched: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    @settings(max_examples=25)
    @given(layers(step), windows)
    def check(polygons: Polygons, window: Window) -> None:
        everything = draw(polygons, Window(col_off=-40, row_off=-40, width=140, height=140), all_touched=all_touched)
        there = np.s_[window.row_off + 40 : window.row_end + 40, window.col_off + 40 : window.col_end + 40]
        np.testing.assert_array_equal(draw(polygons, window, all_touched=all_touched), everything[there])

    check()


@settings(max_examples=25)
@given(layers(4))
def test_the_whole_is_what_rasterio_draws(polygons: Polygons) -> None:
    np.testing.assert_array_equal(draw(polygons, whole(SHAPE)), rasterized(polygons))


def test_touched_pixels_are_what_rasterio_draws() -> None:
    rng = np.random.default_rng(3)
    polygons = shapely.buffer(shapely.points(rng.uniform(0, 60, (40, 2))), rng.uniform(0.1, 6, 40), quad_segs=3)
    np.testing.assert_array_equal(draw(polygons, whole(SHAPE), all_touched=True), rasterized(polygons, all_touched=True))
    assert np.count_nonzero(draw(polygons, whole(SHAPE), all_touched=True)) > np.count_nonzero(draw(polygons, whole(SHAPE)))


def test_touched_pixels_are_the_same_over_the_seams_of_blocks() -> None:
    shape = (1100, 1300)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.where(np.arange(40) % 2, 520, 300)
    star = shapely.Polygon(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None] + (640.3, 550.7))
    polygons = np.array([star], np.object_)
    drawn = draw(polygons, whole(shape), all_touched=True)
    np.testing.assert_array_equal(drawn, rasterized(polygons, shape, all_touched=True))
    for window in cover(shape, (333, 517), 0):
        np.testing.assert_array_equal(draw(polygons, window, all_touched=True), drawn[window.slices])


def test_a_large_coast_is_drawn_by_window_as_in_one() -> None:
    rng = np.random.default_rng(5)
    angles = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    radius = 900 + np.cumsum(rng.normal(0, 0.2, angles.size))
    coast = shapely.Polygon(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None] + 700)
    polygons = np.array([coast, shapely.box(600, 600, 800.2, 800.7)], np.object_)
    drawn = draw(polygons, whole((1400, 1400)))
    np.testing.assert_array_equal(drawn, rasterized(polygons, (1400, 1400)))
    for window in cover((1400, 1400), (350, 256), 0):
        np.testing.assert_array_equal(draw(polygons, window), drawn[window.slices])


def test_many_polygons_are_drawn_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    polygons = shapely.buffer(shapely.points(rng.uniform(0, 60, (200, 2))), 4, quad_segs=2)
    before = draw(polygons, whole(SHAPE))
    monkeypatch.setattr("terrazzo.labels.burn._BATCH", 50)
    np.testing.assert_array_equal(draw(polygons, whole(SHAPE)), before)
    np.testing.assert_array_equal(before, rasterized(polygons))


def test_later_polygons_cover_earlier_ones_and_numbers_may_be_large() -> None:
    polygons = np.array([shapely.box(0, 0, 10, 10), shapely.box(5, 5, 15, 15)], np.object_)
    out = np.zeros((15, 15), np.uint32)
    PixelPolygons.of(polygons, unchanged).draw(out, whole((15, 15)), np.array([2**31 + 7, 2**32 - 1]), all_touched=False)
    assert out[2, 2] == 2**31 + 7
    assert out[7, 7] == 2**32 - 1


def test_nothing_to_draw() -> None:
    assert not draw(np.empty(0, np.object_), whole((5, 4))).any()
    assert not draw(np.array([shapely.box(50, 50, 60, 60)], np.object_), whole((5, 4))).any()
