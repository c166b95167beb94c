"""Centre lines: those of the whole raster, whatever the bands; as wide as what is drawn."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.prediction.vectorize.fake_raster import FakeRaster

from terrazzo.prediction.vectorize.centrelines import Centrelines
from terrazzo.prediction.vectorize.joining import joined
from terrazzo.prediction.vectorize.line_rows import mean_widths
from terrazzo.prediction.vectorize.options import VectorOptions

ROAD = 3


def centrelines(
    classes: NDArray[np.uint8], wanted: set[int], options: VectorOptions, rows: int = 1000
) -> list[tuple[tuple[int, ...], Any]]:
    raster: Any = FakeRaster(classes)
    found = Centrelines(raster, frozenset(wanted), options).bands(rows)
    return sorted(((each.key, line) for each in joined(found) for line in each.lines), key=lambda row: (row[0], row[1].wkt))


def lines_of(mask: NDArray[np.bool_], rows: int = 7, **options: Any) -> list[Any]:
    """The centre lines of a road."""
    classes = np.where(mask, ROAD, 0).astype(np.uint8)
    return [line for _, line in centrelines(classes, {ROAD}, VectorOptions(**options), rows)]


@settings(max_examples=40)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 255]), fill=st.just(1)),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([None, 0.0, 2.5]),
)
def test_lines_do_not_depend_on_the_bands(cells: NDArray[np.uint8], zoom: int, rows: int, widest_px: int, spur_px: float | None) -> None:
    classes = np.kron(cells, np.ones((zoom, zoom), np.uint8))
    options = VectorOptions(widest_px=widest_px, spur_px=spur_px)
    whole = centrelines(classes, {1, 2}, options)
    assert [(key, line.wkt) for key, line in centrelines(classes, {1, 2}, options, rows)] == [(key, line.wkt) for key, line in whole]
    for key, line in whole:
        columns, down = np.floor(shapely.get_coordinates(line)).astype(int).T
        assert (classes[down, columns] == key).all()


@pytest.mark.parametrize("width", range(1, 10))
@pytest.mark.parametrize("upright", [False, True])
def test_a_band_has_one_line_in_its_middle_and_its_width(width: int, upright: bool) -> None:  # noqa: FBT001
    mask = np.zeros((21, 60), np.bool_)
    mask[6 : 6 + width, 3:57] = True
    (line,) = lines_of(mask.T if upright else mask)
    along, across = shapely.get_coordinates(line).T[:: -1 if upright else 1]
    assert np.abs(across - (6 + width / 2)).max() <= 0.5
    assert along.min() <= 4 + width
    assert along.max() >= 56 - width
    assert mean_widths(np.array([line], np.object_)) == pytest.approx(width, abs=0.1 * width)


def test_a_line_of_single_pixels_stays_as_it_is() -> None:
    mask = np.zeros((20, 20), np.bool_)
    mask[4, 3:12] = True
    mask[np.arange(5, 10), np.arange(12, 17)] = True
    assert [line.wkt for line in lines_of(mask)] == ["LINESTRING Z (3.5 4.5 1, 11.5 4.5 1, 16.5 9.5 1)"]


def test_a_cross_has_four_arms() -> None:
    mask = np.zeros((61, 71), np.bool_)
    mask[28:33, 5:66] = mask[4:57, 33:38] = True
    lines = lines_of(mask)
    ends = shapely.get_coordinates(shapely.union_all(shapely.boundary(lines)))
    assert sum(line.length for line in lines) == pytest.approx(61 + 53, abs=10)
    assert len(lines) in {4, 5}
    assert len(ends) in {5, 6}


def test_a_t_junction_is_three_lines_that_meet() -> None:
    mask = np.zeros((40, 50), np.bool_)
    mask[10:13, 4:46] = mask[10:36, 24:27] = True
    lines = lines_of(mask)
    assert len(lines) == 3
    met = set.intersection(*({line.coords[0][:2], line.coords[-1][:2]} for line in lines))
    assert len(met) == 1
    assert np.abs(np.array(met.pop()) - (25.5, 11.5)).max() <= 1


def test_a_ring_is_closed_and_begins_at_the_top() -> None:
    rows, columns = np.mgrid[:60, :60]
    distance = np.hypot(rows - 29.5, columns - 29.5)
    (line,) = lines_of((distance > 17) & (distance < 24))
    assert line.is_closed
    assert line.coords[0][1] == line.bounds[1]
    assert shapely.Polygon(line.coords).area == pytest.approx(np.pi * 20.5**2, rel=0.05)
    assert mean_widths(np.array([line], np.object_)) == pytest.approx(7, abs=1)


def test_small_bumps_are_no_branches_unless_they_are_wanted() -> None:
    mask = np.zeros((30, 80), np.bool_)
    mask[12:19, 5:75] = True
    mask[9:12, 38:41] = True
    assert len(lines_of(mask)) == 1
    assert len(lines_of(mask, spur_px=0)) > 1
    mask[2:12, 39] = True
    assert len(lines_of(mask)) == 3


def test_areas_that_are_too_wide_have_no_line() -> None:
    mask = np.zeros((90, 160), np.bool_)
    mask[20:70, 20:70] = True
    mask[43:48, 70:150] = True
    raster: Any = FakeRaster(np.where(mask, ROAD, 0).astype(np.uint8))
    found = Centrelines(raster, frozenset({ROAD}), VectorOptions(widest_px=16))
    (line,) = [line for each in joined(found.bands(11)) for line in each.lines]
    assert line.bounds[0] < 72
    assert line.bounds[2] > 144
    assert found.pixels[ROAD] == mask.sum()
    assert 50 * 50 - 4 * 50 * 9 < found.wide[ROAD] < 50 * 50
    (through,) = lines_of(mask, widest_px=200)
    assert through.bounds[0] == pytest.approx(45, abs=2)


def test_what_the_map_cuts_off_goes_to_its_edge() -> None:
    mask = np.zeros((60, 50), np.bool_)
    mask[:, 20:27] = mask[30:35, 20:] = True
    lines = lines_of(mask)
    assert shapely.total_bounds(lines).tolist() == [23.5, 0.5, 49.5, 59.5]
    assert len(lines) == 3
    assert lines_of(np.ones((30, 30), np.bool_)) == []


def test_dots_have_none() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[4, 4] = True
    assert lines_of(mask) == []
    assert lines_of(np.zeros((3, 5), np.bool_)) == []
