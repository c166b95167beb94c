"""Rings cut down to a rectangle fill the same pixels of it."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.labels.rings import clip, divide, thin

WIDTH, HEIGHT = 13, 9
RECTANGLE = (0.0, 0.0, float(WIDTH), float(HEIGHT))

corner = st.tuples(st.integers(-60, 80), st.integers(-60, 80)).map(lambda point: (point[0] / 4, point[1] / 4))
ring = st.lists(corner, min_size=3, max_size=14).map(np.array)


def filled(*rings: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The rectangle's pixels under the even-odd rule, by GDAL."""
    closed = [[*vertices.tolist(), vertices[0].tolist()] for vertices in rings]
    padded = [[*vertices, vertices[0]] if len(vertices) < 4 else vertices for vertices in closed]
    drawn: NDArray[np.uint8] = rasterize([{"type": "Polygon", "coordinates": padded}], out_shape=(HEIGHT, WIDTH), dtype=np.uint8)
    return drawn


@settings(max_examples=50)
@given(ring)
def test_a_thinned_ring_fills_the_same_pixels(vertices: NDArray[np.float64]) -> None:
    kept = thin(vertices, RECTANGLE)
    expected = filled(vertices)
    np.testing.assert_array_equal(np.zeros_like(expected) if kept is None else filled(kept), expected)
    assert kept is None or len(kept) <= len(vertices)


def test_a_long_way_around_is_thinned_to_its_ends() -> None:
    around = np.stack([np.cos(np.linspace(0, 6, 5000)), np.sin(np.linspace(0, 6, 5000))], axis=1) * 100
    kept = thin(np.concatenate([[[5.0, 5.0]], around]), RECTANGLE)
    assert kept is not None
    assert len(kept) < 12
    assert thin(around + 300, RECTANGLE) is None


@settings(max_examples=50)
@given(ring, ring)
def test_a_clipped_polygon_fills_the_same_pixels(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> None:
    # corners a little off the lattice, so that no pixel's centre lies on an edge that clipping rounds
    outer, inner = outer + np.array([0.011, 0.017]), inner + np.array([0.013, 0.019])
    clipped = clip(shapely.Polygon(outer, [inner]), (-1.0, -1.0, WIDTH + 1.0, HEIGHT + 1.0))
    expected = filled(outer, inner)
    if clipped is None:
        assert not expected.any()
        return
    bounds = clipped.bounds
    assert min(bounds[:2]) >= -1
    assert bounds[2] <= WIDTH + 1
    assert bounds[3] <= HEIGHT + 1
    rings = [shapely.get_coordinates(part)[:-1] for part in (clipped.exterior, *clipped.interiors)]
    different = filled(*rings) != expected
    # an edge that runs through a pixel's centre to within rounding may fall to either side
    rows, columns = np.nonzero(different)
    edges = shapely.MultiLineString([shapely.LinearRing(outer), shapely.LinearRing(inner)])
    assert all(edges.distance(shapely.Point(column + 0.5, row + 0.5)) < 1e-9 for row, column in zip(rows, columns, strict=True))


@pytest.mark.parametrize("shift", [(100, 0), (-100, 0), (0, 100), (0, -100)])
def test_nothing_is_left_of_a_polygon_elsewhere(shift: tuple[int, int]) -> None:
    square = shapely.box(0, 0, 5, 5)
    assert clip(shapely.affinity.translate(square, *shift), RECTANGLE) is None
    assert clip(square, RECTANGLE) == square


def test_long_edges_are_divided_and_nothing_else_changes() -> None:
    polygon = shapely.Polygon([(0, 0), (10, 0), (10, 3), (0, 3)], [[(1, 1), (8, 1), (8, 2)]])
    divided = divide(polygon, 2)
    assert shapely.equals(divided, polygon)
    assert shapely.equals_exact(divided, shapely.segmentize(polygon, 2), 1e-12)
    line = shapely.LineString([(0, 0), (0, 7), (0, 7), (1, 7)])
    assert shapely.equals_exact(divide(line, 3), shapely.LineString([(0, 0), (0, 7 / 3), (0, 14 / 3), (0, 7), (0, 7), (1, 7)]), 1e-12)
    bow = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    assert shapely.equals_exact(divide(bow, 100), bow)
