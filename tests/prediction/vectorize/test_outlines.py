"""Outlines are those of the whole raster, whatever it is cut into; neighbours share them."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import shape

from terrazzo.prediction.vectorize import bands
from terrazzo.prediction.vectorize.bands import Sources, bands_of, components
from terrazzo.prediction.vectorize.merge import Pieces, merged
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Window

Map = NDArray[np.uint8]


class Held(Raster):
    """A raster of one band in memory, 255 being nodata."""

    def __init__(self, classes: Map) -> None:
        self.shape = (classes.shape[0], classes.shape[1])
        self._classes = classes

    def read(self, window: Window | None = None) -> Pixels:
        assert window is not None
        values = self._classes[window.slices]
        return Pixels(values=values[None], valid=values != 255, holes=None)


@st.composite
def maps(draw: st.DrawFn) -> Map:
    """Small maps: noise or blobs, with nodata."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width, most = draw(st.integers(1, 25)), draw(st.integers(1, 25)), draw(st.integers(1, 5))
    classes = rng.integers(0, most + 1, (height, width)).astype(np.uint8)
    if draw(st.booleans()) and min(height, width) > 2:
        classes = cv2.medianBlur(classes, 3).astype(np.uint8)
    if draw(st.booleans()):
        classes[classes == most] = 255
    return classes


def outlined(classes: Map, wanted: set[int], rows: int, simplify_px: float = 0.0) -> list[Pieces]:
    sources = Sources(
        classes=Held(classes),
        probabilities=None,
        values=tuple(range(6)),
        wanted=frozenset(wanted),
        pixel_areas=np.arange(1.0, len(classes) + 1),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "ROWS_STEP", 1)
        patch.setattr(bands, "BAND_PX", rows * classes.shape[1])
        return list(merged(bands_of(sources, simplify_px), rows))


def polygons(pieces: list[Pieces]) -> NDArray[np.object_]:
    return np.concatenate([np.zeros(0, object), *(each.polygons for each in pieces)])


def values(pieces: list[Pieces]) -> NDArray[np.uint8]:
    return np.concatenate([np.zeros(0, np.uint8), *(each.values for each in pieces)])


def texts(shapes: NDArray[np.object_]) -> list[str]:
    return sorted(shapely.to_wkt(shapely.normalize(shapes)).tolist())


def of_rasterio(classes: Map, wanted: set[int]) -> Iterator[shapely.Polygon]:
    mask = np.isin(classes, sorted(wanted))
    yield from (shape(geometry) for geometry, _ in rasterio.features.shapes(classes, mask, connectivity=4))


@given(maps(), st.integers(1, 8), st.sets(st.integers(0, 5), min_size=1))
def test_polygons_are_those_of_the_whole_raster_at_once(classes: Map, rows: int, wanted: set[int]) -> None:
    whole, cut = polygons(outlined(classes, wanted, len(classes))), polygons(outlined(classes, wanted, rows))
    assert texts(cut) == texts(whole)
    # the library leaves out what only neighbours need
    alike = {shapely.normalize(shapely.simplify(each, 0)).wkt for each in of_rasterio(classes, wanted)}
    assert {shapely.normalize(shapely.simplify(each, 0)).wkt for each in whole} == alike


@given(maps(), st.integers(1, 8))
def test_burnt_again_they_are_the_map(classes: Map, rows: int) -> None:
    pieces = outlined(classes, {0, 1, 2, 3, 4, 5}, rows)
    pairs = [(each, int(value)) for each, value in zip(polygons(pieces), values(pieces), strict=True)]
    burnt = rasterio.features.rasterize(pairs, classes.shape, fill=255, dtype="uint8") if pairs else np.full(classes.shape, 255)
    assert np.array_equal(burnt, classes)


@given(maps(), st.integers(1, 8), st.sampled_from([0.0, 0.7, 2.0]))
def test_neighbours_share_their_borders_however_they_are_simplified(classes: Map, rows: int, simplify_px: float) -> None:
    found = polygons(outlined(classes, {0, 1, 2, 3, 4, 5}, rows, simplify_px))
    assert shapely.is_valid(found).all()
    assert shapely.coverage_is_valid(found)
    assert len(found) == components(classes, [0, 1, 2, 3, 4, 5])[1].size
    # no gap either
    if (classes != 255).all():
        assert shapely.area(found).sum() == pytest.approx(classes.size)


@given(maps(), st.integers(1, 8))
def test_sums_are_those_of_the_pixels(classes: Map, rows: int) -> None:
    pieces = outlined(classes, {1, 2}, rows)
    for piece in pieces:
        assert piece.sums.pixels == pytest.approx(shapely.area(piece.polygons))
        middle = np.array([_mean_row(classes, each) for each in piece.polygons])
        # a pixel of row r has r + 1 square metres
        assert piece.sums.area_m2 / piece.sums.pixels == pytest.approx(middle + 1)


def _mean_row(classes: Map, polygon: shapely.Polygon) -> float:
    inside = rasterio.features.rasterize([(polygon, 1)], classes.shape, dtype="uint8")
    return float(np.nonzero(inside)[0].mean())


def test_what_touches_at_a_corner_stays_apart_and_a_ring_that_does_is_valid() -> None:
    classes = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1]], np.uint8)
    (ring,) = polygons(outlined(classes, {1}, 4))
    assert ring.is_valid
    assert (len(ring.interiors), ring.area) == (2, 12)
    assert len(polygons(outlined(classes, {0}, 1))) == 4


def test_simplified_borders_have_fewer_vertices_and_stay_near() -> None:
    rows, columns = np.mgrid[:90, :120]
    classes = (columns > rows * 0.7 + 20).astype(np.uint8)
    exact, smooth = (polygons(outlined(classes, {0, 1}, 40, tolerance)) for tolerance in (0.0, 1.5))
    assert shapely.get_num_coordinates(smooth).sum() < shapely.get_num_coordinates(exact).sum() / 5
    assert all(one.hausdorff_distance(other) < 1.5 for one, other in zip(exact, smooth, strict=True))
