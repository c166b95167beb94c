import pyproj
import pytest
from affine import Affine
from rasterio.crs import CRS
from shapely import box

from terrazzo.rasters.grid import Grid, crs_name, grids_agree, same_crs
from terrazzo.rasters.window import Window

WINDOW = Window(col_off=2, row_off=3, width=4, height=5)
UTM = CRS.from_epsg(32616)


def test_footprint_is_in_the_crs() -> None:
    grid = Grid(shape=(20, 20), crs=UTM, transform=Affine(2, 0, 1000, 0, -2, 5000))
    assert grid.georeferenced
    assert grid.footprint(WINDOW).equals(box(1004, 4984, 1012, 4994))


def test_footprint_of_a_south_up_raster() -> None:
    grid = Grid(shape=(20, 20), crs=UTM, transform=Affine(2, 0, 1000, 0, 2, 5000))
    assert grid.footprint(WINDOW).equals(box(1004, 5006, 1012, 5016))


def test_footprint_of_a_rotated_raster_is_rotated() -> None:
    grid = Grid(shape=(20, 20), crs=UTM, transform=Affine(3**0.5, 1, 1000, 1, -(3**0.5), 5000))
    footprint = grid.footprint(WINDOW)
    assert footprint.area == pytest.approx(4 * 5 * 4)
    assert grid.cell_size == pytest.approx((2, 2))
    assert footprint.envelope.area > 1.5 * footprint.area


@pytest.mark.parametrize(("crs", "transform"), [(None, None), (UTM, None), (None, Affine(2, 0, 1000, 0, -2, 5000))])
def test_footprint_is_in_pixels_without_a_place_on_the_ground(crs: CRS | None, transform: Affine | None) -> None:
    grid = Grid(shape=(20, 20), crs=crs, transform=transform)
    assert not grid.georeferenced
    assert grid.cell_size is None
    assert grid.footprint(WINDOW).equals(box(2, 3, 6, 8))


def moved(columns: float, rows: float, crs: CRS | None = UTM) -> Grid:
    return Grid(shape=(20, 30), crs=crs, transform=Affine(2, 0, 1000 + 2 * columns, 0, -2, 5000 - 2 * rows))


@pytest.mark.parametrize("place", [(0, 0), (0.4, -0.4)])
def test_grids_agree_within_half_a_pixel(place: tuple[float, float]) -> None:
    assert grids_agree(moved(0, 0), moved(*place))
    assert grids_agree(moved(*place), moved(0, 0))


@pytest.mark.parametrize("place", [(0.6, 0), (0, 1), (3, 4)])
def test_grids_further_apart_do_not_agree(place: tuple[float, float]) -> None:
    assert not grids_agree(moved(0, 0), moved(*place))
    assert not grids_agree(moved(*place), moved(0, 0))


def test_grids_of_other_cells_or_directions_do_not_agree() -> None:
    for transform in (Affine(2.1, 0, 1000, 0, -2, 5000), Affine(2, 0, 1000, 0, 2, 4960), Affine(2, 0.1, 1000, 0, -2, 5000)):
        assert not grids_agree(moved(0, 0), Grid(shape=(20, 30), crs=UTM, transform=transform))


def test_grids_of_other_shapes_never_agree() -> None:
    assert not grids_agree(Grid(shape=(20, 30)), Grid(shape=(30, 20)))
    assert grids_agree(Grid(shape=(20, 30)), Grid(shape=(20, 30)))


def test_a_grid_without_a_place_agrees_by_its_shape() -> None:
    assert grids_agree(moved(0, 0), Grid(shape=(20, 30)))
    assert grids_agree(Grid(shape=(20, 30), transform=Affine(1, 0, 7, 0, 1, 8)), moved(0, 0))


def test_the_same_numbers_in_another_crs_are_another_place() -> None:
    assert not grids_agree(moved(0, 0), moved(0, 0, CRS.from_epsg(32617)))
    # a local CRS says nothing about the place on earth
    assert grids_agree(moved(0, 0), moved(9, 9, CRS.from_wkt('LOCAL_CS["plan",UNIT["metre",1]]')))


@pytest.mark.parametrize("code", [4326, 32616, 2056])
def test_crs_are_compared_by_what_they_mean(code: int) -> None:
    crs = CRS.from_epsg(code)
    esri = CRS.from_wkt(pyproj.CRS.from_epsg(code).to_wkt("WKT1_ESRI"))
    renamed = CRS.from_wkt(crs.to_wkt().replace(pyproj.CRS.from_epsg(code).name, "site plan"))
    assert same_crs(crs, esri)
    assert same_crs(renamed, crs)
    assert not same_crs(crs, CRS.from_epsg(32618))
    assert grids_agree(moved(0, 0, crs), moved(0, 0, esri))


def test_datums_are_part_of_the_meaning_and_the_order_of_axes_is_not() -> None:
    assert not same_crs(CRS.from_epsg(4326), CRS.from_epsg(4269))
    assert same_crs(CRS.from_epsg(4326), CRS.from_user_input("OGC:CRS84"))


def test_crs_have_names_for_people() -> None:
    assert crs_name(UTM) == "EPSG:32616"
    assert crs_name(CRS.from_wkt('LOCAL_CS["plan",UNIT["metre",1]]')) == "plan"
