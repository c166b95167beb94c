import pytest
from affine import Affine
from rasterio.crs import CRS
from shapely import box

from terrazzo.rasters.grid import Grid
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
