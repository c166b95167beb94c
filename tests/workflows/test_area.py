"""predict --aoi: what of the images an area holds, from any vector file and in any CRS."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray

from terrazzo.errors import ConflictError, DataError, LabelError, UsageError
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.context import Context
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]
FIELD = shapely.Polygon([(500_010.3, 4_999_991.7), (500_060.3, 4_999_991.7), (500_060.3, 4_999_951.7), (500_040.3, 4_999_931.7)])
"""On image a, whose cells are 2 m from (500000, 5000000) on, in EPSG:32633."""


@pytest.fixture
def one(context_of: ContextOf) -> Context:
    return context_of()


def write_area(path: Path, crs: str | None = "EPSG:32633", polygon: shapely.Geometry = FIELD) -> Path:
    frame = geopandas.GeoDataFrame(geometry=[polygon], crs="EPSG:32633")
    if crs not in (None, "EPSG:32633"):
        frame = frame.to_crs(crs)
    (frame if crs else frame.set_crs(None, allow_override=True)).to_file(path)
    return path


def values_of(path: Path) -> NDArray[np.uint8]:
    with open_raster(path) as raster:
        return np.asarray(raster.read().values[0])


@pytest.mark.parametrize(("name", "crs"), [("own.gpkg", "EPSG:32633"), ("degrees.geojson", "EPSG:4326"), ("other.fgb", "EPSG:3035")])
def test_the_map_of_an_area_is_cut_from_that_of_the_image(tiny_run: Any, tmp_path: Path, one: Context, name: str, crs: str) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path / "whole", one)
    done = predict(tiny_run.run, [image], tmp_path / "part", one, aoi=str(write_area(tmp_path / name, crs)))
    assert done.written["outputs"] == [tmp_path / "part" / "a_predseg.tif"]
    with rasterio.open(tmp_path / "part" / "a_predseg.tif") as part, rasterio.open(tmp_path / "whole" / "a_predseg.tif") as whole:
        # centres from 11 to 59 m east and 9 to 67 m south
        assert part.shape == (30, 25)
        assert part.transform == Affine(2, 0, 500_010, 0, -2, 4_999_992)
        inside = rasterio.features.geometry_mask([FIELD], part.shape, part.transform, invert=True)
        assert np.array_equal(part.read(1), np.where(inside, whole.read(1)[4:34, 5:30], 255))


def test_a_rectangle_by_its_corners(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    predict(tiny_run.run, [images / "a.tif"], tmp_path / "whole", one)
    predict(tiny_run.run, [images / "a.tif"], tmp_path / "part", one, aoi="500060,4999990,500020.5,4999950", overlay=True, polygons=True)
    assert np.array_equal(values_of(tmp_path / "part" / "a_predseg.tif"), values_of(tmp_path / "whole" / "a_predseg.tif")[5:25, 10:30])
    with open_raster(tmp_path / "part" / "a_segoverlay.png") as picture:
        assert picture.shape == (20, 20)
    found = geopandas.read_file(tmp_path / "part" / "a_polygons.gpkg")
    assert found.total_bounds[0] >= 500_020
    assert found.total_bounds[2] <= 500_060


def test_images_beyond_the_area_are_left_out(tiny_run: Any, tmp_path: Path, one: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    images = tiny_run.folder / "images"
    done = predict(tiny_run.run, [images], tmp_path, one, aoi="500990,4999990,501020,4999950")
    assert done.written["outputs"] == [tmp_path / "b_predseg.tif"]
    assert "holds no pixel of them: a.tif, c.tif, d.tif." in caplog.text


def test_an_area_elsewhere_is_refused_with_both_extents(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    with pytest.raises(DataError) as caught:
        predict(tiny_run.run, [images / "a.tif"], tmp_path, one, aoi="7,8,9,10")
    assert str(caught.value) == (
        f"--aoi 7,8,9,10 holds no pixel of {images / 'a.tif'}: it reaches from (7, 8) to (9, 10), {images / 'a.tif'} from "
        "(500000, 4999920) to (500096, 5000000)."
    )
    assert caught.value.exit_code == 3
    far = write_area(tmp_path / "far.geojson", "EPSG:4326", shapely.box(600_000, 5_000_000, 600_100, 5_000_100))
    with pytest.raises(DataError, match=r"holds no pixel of 4 images: it reaches from \(5999.*\) to \(6001"):
        predict(tiny_run.run, [images], tmp_path, one, aoi=str(far))
    between = "500010.1,4999990.1,500010.9,4999990.9"
    with pytest.raises(DataError, match="holds no pixel"):
        predict(tiny_run.run, [images / "a.tif"], tmp_path, one, aoi=between)


def test_what_is_no_area(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    with pytest.raises(UsageError, match=r"--aoi nowhere\.gpkg: no such file\. Give a vector file with polygons, or X1,Y1,X2,Y2"):
        predict(tiny_run.run, [image], tmp_path, one, aoi="nowhere.gpkg")
    lines = write_area(tmp_path / "lines.gpkg", polygon=shapely.LineString([(500_000, 5_000_000), (500_090, 4_999_930)]))
    with pytest.raises(LabelError, match=r"lines\.gpkg holds no polygon"):
        predict(tiny_run.run, [image], tmp_path, one, aoi=str(lines))
    bare = tmp_path / "bare.geojson"
    bare.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(FIELD)}), encoding="utf-8")
    with pytest.raises(LabelError, match="which are no degrees of WGS 84"):
        predict(tiny_run.run, [image], tmp_path, one, aoi=str(bare))
    with pytest.raises(UsageError, match="--rle counts the pixels of whole images"):
        predict(tiny_run.run, [image], tmp_path, one, aoi="500000,5000000,500010,4999990", rle="water")


def test_the_same_area_keeps_the_map_another_is_a_conflict(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    area = str(write_area(tmp_path / "own.gpkg"))
    predict(tiny_run.run, [image], tmp_path / "maps", one, aoi=area)
    assert predict(tiny_run.run, [image], tmp_path / "maps", one, aoi=area).text.splitlines()[0].endswith("1 of them kept from before")
    with pytest.raises(ConflictError, match="did not make"):
        predict(tiny_run.run, [image], tmp_path / "maps", one)


def test_an_image_without_map_coordinates_takes_an_area_in_pixels(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        np.save(tmp_path / "a.npy", file.read())
    predict(tiny_run.run, [tmp_path / "a.npy"], tmp_path / "whole", one)
    area = write_area(tmp_path / "pixels.geojson", None, shapely.box(30, 10, 44, 60))
    predict(tiny_run.run, [tmp_path / "a.npy"], tmp_path / "part", one, aoi=str(area))
    expected = np.full((40, 48), 255)
    expected[10:, 30:44] = values_of(tmp_path / "whole" / "a_predseg.png")[10:, 30:44]
    assert np.array_equal(values_of(tmp_path / "part" / "a_predseg.png"), expected)
