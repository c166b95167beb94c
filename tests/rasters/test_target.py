"""The grid that images are brought to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.warp import calculate_default_transform, transform_bounds

from terrazzo.errors import RasterError, RecipeError
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster

MakeTiff = Callable[..., Path]
Ramp = NDArray[np.uint16]

UTM = CRS.from_epsg(32633)
HERE = Affine(10, 0, 500000, 0, -10, 5000000)


def opened(path: Path, **options: Any) -> Raster:
    return open_raster(path, DataOptions.model_validate(options))


def grid_of(make_tiff: MakeTiff, values: NDArray[Any], transform: Affine, **options: Any) -> Grid:
    return opened(make_tiff(values, crs=UTM, transform=transform), **options).grid


def test_a_grid_starts_at_whole_multiples_of_its_cells_and_covers_the_image(make_tiff: MakeTiff, ramp: Ramp) -> None:
    grid = grid_of(make_tiff, ramp, Affine(10, 0, 500003, 0, -10, 5000004), cell_size=8)
    # 51 x 37 pixels of 10 m from x 500003 and y 5000004 to 500513 and 4999634
    assert grid == Grid(shape=(47, 65), crs=UTM, transform=Affine(8, 0, 500000, 0, -8, 5000008))


def test_neighbouring_tiles_share_one_lattice(make_tiff: MakeTiff, ramp: Ramp) -> None:
    left = grid_of(make_tiff, ramp, Affine(3.3, 0, 500001.7, 0, -3.3, 5000004), cell_size=4)
    right = grid_of(make_tiff, ramp, Affine(3.3, 0, 500001.7 + 51 * 3.3, 0, -3.3, 5000004), cell_size=4)
    assert left.transform is not None
    assert right.transform is not None
    apart = (right.transform.c - left.transform.c) / 4
    assert apart == int(apart)
    assert left.transform.f == right.transform.f


@pytest.mark.parametrize("options", [{"crs": "EPSG:32633"}, {"cell_size": 10}, {"crs": "EPSG:32633", "cell_size": 10.000001}, {}])
def test_an_image_that_is_there_already_is_read_as_it_is(make_tiff: MakeTiff, ramp: Ramp, options: dict[str, Any]) -> None:
    path = make_tiff(ramp, crs=UTM, transform=HERE)
    with opened(path, **options) as raster, open_raster(path) as plain:
        assert raster.grid == plain.grid
        np.testing.assert_array_equal(raster.read().values, ramp)


@pytest.mark.parametrize(
    ("transform", "options"),
    [
        (Affine(10, 0, 500003, 0, -10, 5000000), {"crs": "EPSG:32633"}),
        (Affine(10, 0, 500003, 0, 10, 5000000), {"crs": "EPSG:32633"}),
        (Affine(8, 6, 500003, 6, -8, 5000000), {"crs": "EPSG:32633"}),
    ],
)
def test_in_its_crs_without_a_cell_size_an_image_keeps_its_own_grid(
    make_tiff: MakeTiff, ramp: Ramp, transform: Affine, options: dict[str, Any]
) -> None:
    assert grid_of(make_tiff, ramp, transform, **options).transform == transform


def test_the_digits_of_a_typed_cell_size_do_not_move_an_image(make_tiff: MakeTiff, ramp: Ramp) -> None:
    second = 1 / 3600
    path = make_tiff(ramp, crs=CRS.from_epsg(4326), transform=Affine(second, 0, 8 + 500 * second, 0, -second, 47))
    with opened(path, cell_size=0.000277777778) as raster:
        np.testing.assert_array_equal(raster.read().values, ramp)


def test_another_crs_keeps_the_resolution(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp, crs=UTM, transform=HERE)
    grid = opened(path, crs="EPSG:3857").grid
    with rasterio.open(path) as dataset:
        transform, _, _ = calculate_default_transform(UTM, "EPSG:3857", 51, 37, *dataset.bounds)
        bounds = transform_bounds(UTM, "EPSG:3857", *dataset.bounds)
    assert grid.crs == CRS.from_epsg(3857)
    assert grid.transform is not None
    cell = grid.transform.a
    assert cell == pytest.approx(transform.a)
    for value in (grid.transform.c / cell, grid.transform.f / cell):
        assert value == pytest.approx(round(value), abs=1e-6)
    left, top = grid.transform.c, grid.transform.f
    right, bottom = left + grid.shape[1] * cell, top - grid.shape[0] * cell
    for beyond in (bounds[0] - left, bounds[1] - bottom, right - bounds[2], top - bounds[3]):
        assert 0 <= beyond <= 2 * cell


def test_both_options_give_the_wanted_cells(make_tiff: MakeTiff, ramp: Ramp) -> None:
    grid = grid_of(make_tiff, ramp, HERE, crs="EPSG:4326", cell_size=0.0001)
    assert grid.cell_size == pytest.approx((0.0001, 0.0001))
    assert grid.shape == pytest.approx((34, 65), abs=2)


def test_rotated_and_south_up_images_come_to_lie_north_up(make_tiff: MakeTiff, ramp: Ramp) -> None:
    rotated = grid_of(make_tiff, ramp, Affine(8, 6, 500000, 6, -8, 5000000), cell_size=10)
    # the corners: x from 500000 to 500000 + 51 * 8 + 37 * 6, y from 5000000 - 37 * 8 to 5000000 + 51 * 6
    assert rotated == Grid(shape=(61, 63), crs=UTM, transform=Affine(10, 0, 500000, 0, -10, 5000310))
    south_up = grid_of(make_tiff, ramp, Affine(10, 0, 500000, 0, 10, 5000000), cell_size=10)
    assert south_up == Grid(shape=(37, 51), crs=UTM, transform=Affine(10, 0, 500000, 0, -10, 5000370))


def test_a_rotated_image_in_another_crs_is_covered_closely(make_tiff: MakeTiff, ramp: Ramp) -> None:
    grid = grid_of(make_tiff, ramp, Affine(8, 6, 500000, 6, -8, 5000000), crs="EPSG:32632", cell_size=10)
    assert grid.shape == pytest.approx((61, 63), rel=0.15)


def test_images_without_a_place_cannot_be_brought_anywhere(make_tiff: MakeTiff, ramp: Ramp, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ramp)
    for path in (make_tiff(ramp), make_tiff(ramp, crs=UTM), make_tiff(ramp, "b.tif", transform=HERE), tmp_path / "a.npy"):
        with pytest.raises(RasterError, match=rf"{path.name} has no place on the ground.*crs or cell_size"):
            opened(path, cell_size=5)


def test_a_crs_that_is_none(make_tiff: MakeTiff, ramp: Ramp) -> None:
    with pytest.raises(RecipeError, match=r"crs = 'EPSG:1' is no coordinate"):
        grid_of(make_tiff, ramp, HERE, crs="EPSG:1")


def test_cells_in_the_wrong_unit_are_refused_with_the_size_of_the_image(make_tiff: MakeTiff, ramp: Ramp) -> None:
    with pytest.raises(RasterError, match=r"image\.tif is 0\.00.* x 0\.00.*EPSG:4326.*a cell of 10 is larger"):
        grid_of(make_tiff, ramp, HERE, crs="EPSG:4326", cell_size=10)
    with pytest.raises(RasterError, match="makes more than 2147483647 columns or rows"):
        grid_of(make_tiff, ramp, HERE, cell_size=1e-8)


def test_a_crs_for_another_part_of_the_world(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp, crs=CRS.from_epsg(4326), transform=Affine(1e-3, 0, 200, 0, -1e-3, 95))
    with pytest.raises(RasterError, match=r"image\.tif cannot be brought to EPSG:32633"):
        opened(path, crs="EPSG:32633")


def test_an_image_that_another_crs_tears_apart_is_refused(make_tiff: MakeTiff, ramp: Ramp) -> None:
    """Over the date line, degrees run from one end of the world to the other, and cells that span it all would hold nothing."""
    path = make_tiff(ramp, crs=CRS.from_epsg(32760), transform=Affine(100, 0, 818000, 0, -100, 8200000))
    with pytest.raises(RasterError, match=r"cannot be brought to EPSG:4326 \(it would be torn apart.*Choose a CRS"):
        opened(path, crs="EPSG:4326")
    assert opened(path, crs="EPSG:3832").read().valid.mean() > 0.9
    world = make_tiff(ramp, "world.tif", crs=CRS.from_epsg(4326), transform=Affine(360 / 51, 0, -180, 0, -180 / 37, 90))
    with pytest.raises(RasterError, match="torn apart"):
        opened(world, crs="EPSG:3995")


def test_the_part_of_an_image_that_another_crs_reaches_is_read(make_tiff: MakeTiff, ramp: Ramp) -> None:
    """A centre that the target's CRS does not reach is no hindrance to the rest."""
    path = make_tiff(ramp.astype(np.float32), crs=CRS.from_epsg(4326), transform=Affine(1, 0, 0, 0, -4, 180))
    grid = Grid(shape=(5, 6), crs=UTM, transform=Affine(1000, 0, 500000, 0, -1000, 5000000))
    with open_raster(path, DataOptions(resampling="nearest"), grid) as raster:
        assert raster.read().valid.all()
        assert (raster.read().values == ramp[:, 33, 15][:, None, None]).all()


def control(transform: Affine) -> list[GroundControlPoint]:
    a, b, c, d, e, f = transform[:6]
    corners = ((0, 0), (0, 51), (37, 51), (37, 0))
    return [GroundControlPoint(row, col, a * col + b * row + c, d * col + e * row + f) for row, col in corners]


def test_control_points_place_an_image(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp, gcps=control(HERE), crs=UTM)
    with opened(path, cell_size=10) as raster:
        assert raster.grid == Grid(shape=(37, 51), crs=UTM, transform=HERE)
        np.testing.assert_array_equal(raster.read().values, ramp)
    assert open_raster(path).grid == Grid(shape=(37, 51))
    with opened(path, crs="EPSG:32632") as raster:
        assert raster.grid.crs == CRS.from_epsg(32632)
        assert raster.read().valid.mean() > 0.8


def test_control_points_without_use_are_told(make_tiff: MakeTiff, ramp: Ramp, caplog: pytest.LogCaptureFixture) -> None:
    path = make_tiff(ramp, gcps=control(HERE), crs=UTM)
    with caplog.at_level("INFO", "terrazzo"):
        opened(path, cell_size=10)
        assert not caplog.text
        opened(path)
    assert "has control points only; it is read in pixels" in caplog.text
