"""Sets of images in several CRS or resolutions are refused, with what to do."""

from pathlib import Path

import pyproj
import pytest
from affine import Affine
from rasterio.crs import CRS

from terrazzo.errors import DataError
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.alike import check_grids

UTM = CRS.from_epsg(32633)
TILES = Path(__file__).parents[3] / "shared" / "data" / "nrcan_gdl"
NOWHERE = Grid(shape=(4, 5))


def grid(cell: float, crs: CRS = UTM, high: float | None = None) -> Grid:
    return Grid(shape=(4, 5), crs=crs, transform=Affine(cell, 0, 1000, 0, -(high or cell), 2000))


def named(*grids: Grid) -> list[tuple[Path, Grid]]:
    return [(Path(f"{number}.tif"), one) for number, one in enumerate(grids)]


@pytest.mark.parametrize(
    "grids",
    [
        [],
        [grid(10)],
        [grid(10), grid(10.9), grid(9.95)],
        [grid(10), grid(5, high=20)],
        [NOWHERE, NOWHERE, Grid(shape=(9, 9), crs=UTM), Grid(shape=(9, 9), transform=Affine(7, 0, 0, 0, 7, 0))],
        [grid(2), grid(2, CRS.from_wkt(pyproj.CRS.from_epsg(32633).to_wkt("WKT1_ESRI"))), grid(2, CRS.from_wkt(UTM.to_wkt()))],
        [grid(1e-4, CRS.from_epsg(4326)), grid(1e-4, CRS.from_wkt(pyproj.CRS.from_epsg(4326).to_wkt("WKT1_ESRI")))],
    ],
)
def test_one_kind_is_fine(grids: list[Grid]) -> None:
    check_grids(named(*grids))


def test_groups_by_crs_and_cell_size_with_three_files_each() -> None:
    with pytest.raises(DataError) as caught:
        check_grids(named(*[grid(10)] * 5, grid(20), grid(10, CRS.from_epsg(32634)), grid(21)))
    for words in (
        "EPSG:32633, cells of 10: 5 images (0.tif, 1.tif, 2.tif and 2 more)",
        "EPSG:32633, cells of 20: 2 images (5.tif, 7.tif)",
        "EPSG:32634, cells of 10: 1 image (6.tif)",
        "Set [data] crs and cell_size",
    ):
        assert words in str(caught.value)


def test_a_chain_of_small_steps_is_not_one_resolution() -> None:
    with pytest.raises(DataError, match=r"cells of 10: 2 images.*cells of 11\.5: 1 image"):
        check_grids(named(grid(11.5), grid(10), grid(10.8)))


def test_images_without_a_place_do_not_go_with_others() -> None:
    with pytest.raises(DataError, match=r"EPSG:32633, cells of 10: 1 image \(0\.tif\); no place on the ground: 2 images.*give it a CRS"):
        check_grids(named(grid(10), NOWHERE, Grid(shape=(4, 5), crs=UTM)))


def test_other_crs_of_the_same_name_are_told_apart() -> None:
    plans = [CRS.from_wkt(f'LOCAL_CS["plan",UNIT["{unit}",{size}]]') for unit, size in (("metre", 1), ("foot", 0.3048))]
    with pytest.raises(DataError, match=r"plan, cells of 1: 2 images \(0\.tif, 2\.tif\); plan \(another, 2\), cells of 1: 1 image"):
        check_grids(named(grid(1, plans[0]), grid(1, plans[1]), grid(1, plans[0])))


@pytest.mark.skipif(not TILES.is_dir(), reason="the data set nrcan_gdl is not beside the project (../shared/data)")
def test_tiles_of_two_resolutions_and_projections() -> None:
    paths = [*sorted((TILES / "tiles").glob("*image*")), *sorted((TILES / "massachusetts").glob("*.tif"))]

    def grids(**options: object) -> list[tuple[Path, Grid]]:
        return [(path, open_raster(path, DataOptions.model_validate(options)).grid) for path in paths]

    with pytest.raises(DataError, match=r"EPSG:2949, cells of 0\.15.*EPSG:2949, cells of 0\.3.*EPSG:26986, cells of 0\.99.*2 images"):
        check_grids(grids())
    check_grids(grids(crs="EPSG:3857", cell_size=1.5))
