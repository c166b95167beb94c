"""Vector labels of real data sets, where they are beside the project."""

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.features import rasterize

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.vectors import VectorFile, VectorLabels
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import cover, whole

SHARED = Path(__file__).parents[3] / "shared" / "data"
LEGEND = Legend(classes=(LegendClass(value=0, name="ground", color=(0, 0, 0)), LegendClass(value=1, name="roof", color=(255, 0, 0))))
MERCATOR_EDGE_M = 20037508.342789244


def data(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"the data set {name} is not beside the project (../shared/data)")
    return SHARED / name


def opened(path: Path) -> LabelledImage:
    with open_raster(path) as raster:
        return LabelledImage(name=path.stem, path=path, grid=raster.grid)


def joined(labels: VectorLabels) -> NDArray[np.uint8]:
    """The labels of an image, put together from windows."""
    drawn = np.empty(labels.shape, np.uint8)
    for window in cover(labels.shape, (200, 333), 0):
        drawn[window.slices] = labels.read(window)
    return drawn


def test_solaris_footprints_pixel_for_pixel() -> None:
    root = data("solaris_footprints")
    file = VectorFile.load(root / "geotiff_labels.geojson", LabelOptions())
    labels = VectorLabels(opened(root / "sample_geotiff.tif"), file, LEGEND, LabelOptions())
    with rasterio.open(root / "sample_fp_mask_from_geojson.tif") as reference:
        expected = reference.read(1) != 0
    np.testing.assert_array_equal(labels.read(whole(labels.shape)), expected)
    np.testing.assert_array_equal(joined(labels), expected)
    assert len(np.unique(labels.instances(whole(labels.shape)))) == file.object_count + 1


def test_degrees_on_web_mercator_tiles_pixel_for_pixel() -> None:
    root = data("fair_osm_buildings")
    file = VectorFile.load(root / "labels.geojson", LabelOptions())
    masks = sorted((root / "masks_rasterised").glob("OAM-*"))
    assert len(masks) > 50
    for path in masks:
        x, y, zoom = map(int, path.stem.split("-")[1:4])
        side = 2 * MERCATOR_EDGE_M / 2**zoom
        transform = Affine(side / 256, 0, x * side - MERCATOR_EDGE_M, 0, -side / 256, MERCATOR_EDGE_M - y * side)
        grid = Grid(shape=(256, 256), crs=CRS.from_epsg(3857), transform=transform)
        image = LabelledImage(name=path.stem, path=path, grid=grid)
        with Image.open(path) as mask:
            expected = np.asarray(mask) != 0
        np.testing.assert_array_equal(VectorLabels(image, file, LEGEND, LabelOptions()).read(whole((256, 256))), expected)
        assert file.touches(image, LabelOptions()) or not expected.any()


@pytest.mark.parametrize("tile", ["22978945_15", "23429155_15"])
def test_roofs_of_massachusetts_by_attribute(tile: str) -> None:
    root = data("nrcan_gdl") / "massachusetts"
    path = root / "massachusetts_buildings.gpkg"
    options = LabelOptions(attribute="class")
    file = VectorFile.load(path, options)
    image = opened(root / f"{tile}.tif")
    labels = VectorLabels(image, file, LEGEND, options)
    drawn = labels.read(whole(labels.shape))
    polygons = shapely.from_wkb(pyogrio.raw.read(path)[2])
    assert (file.object_count, file.class_keys()) == (1092, {1.0: 1092})
    np.testing.assert_array_equal(drawn, rasterize(polygons, out_shape=image.grid.shape, transform=image.grid.transform))
    np.testing.assert_array_equal(joined(labels), drawn)
    assert 0.01 < drawn.mean() < 0.5
    numbers = np.unique(labels.instances(whole(labels.shape)))
    assert 50 < len(numbers) < 1092
