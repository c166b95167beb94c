"""The error map as vectors opens where GIS people open it, with a style and in its place."""

import sqlite3
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from terrazzo.evaluation.where.suspects import Suspect
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window
from terrazzo.workflows.where.layers import SceneSuspects, suspicious_table, write_error_map

LEGEND = Legend(classes=tuple(LegendClass(value=value, name=name, color=(0, 0, 0)) for value, name in enumerate(["land", "=wa<ter"])))
GRID = Grid(shape=(50, 60), crs=CRS.from_epsg(32633), transform=Affine(2, 0, 1000, 0, -3, 9000))


def suspect(left: int, core: int) -> Suspect:
    return Suspect(window=Window(col_off=left, row_off=10, width=4, height=5), truth=0, predicted=1, pixels=18, core=core, confidence=0.97)


def samples(crs: str | None) -> geopandas.GeoDataFrame:
    frame = pd.DataFrame({"scene": ["a", "a"], "mean_dice": [0.5, np.nan]})
    return geopandas.GeoDataFrame(frame, geometry=shapely.box([0, 9], [0, 2], [9, 18], [4, 6]), crs=crs)


def test_regions_lie_where_their_pixels_do_and_the_most_solid_come_first() -> None:
    found = suspicious_table([SceneSuspects(scene="a", grid=GRID, suspects=[suspect(0, 2), suspect(20, 9)])], LEGEND)
    assert found["core_pixels"].to_list() == [9, 2]
    assert found.crs == "EPSG:32633"
    assert found.geometry[0].bounds == (1040, 8955, 1048, 8970)
    assert found["area"].to_list() == [18 * 6] * 2
    assert (found["label"] + ">" + found["predicted"]).to_list() == ["land>=wa<ter"] * 2


def test_without_suspects_there_is_an_empty_table() -> None:
    assert len(suspicious_table([SceneSuspects(scene="a", grid=GRID, suspects=[])], LEGEND)) == 0


def test_layers_have_styles_that_name_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "error_map.gpkg"
    regions = suspicious_table([SceneSuspects(scene="a", grid=GRID, suspects=[suspect(0, 2)])], LEGEND)
    write_error_map(path, samples("EPSG:32633"), regions)
    assert [path] == list(tmp_path.iterdir())
    assert {name for name, _ in pyogrio.list_layers(path)} == {"samples", "suspicious", "layer_styles"}
    read = geopandas.read_file(path, layer="samples")
    assert read.crs == "EPSG:32633"
    assert read["mean_dice"].isna().to_list() == [False, True]
    with sqlite3.connect(path) as database:
        styles = dict(database.execute("select f_table_name, styleQML from layer_styles where useAsDefault").fetchall())
        columns = dict(database.execute("select table_name, column_name from gpkg_geometry_columns").fetchall())
        assert database.execute("select data_type from gpkg_contents where table_name = 'layer_styles'").fetchone() == ("attributes",)
    database.close()
    assert columns == {"samples": "geom", "suspicious": "geom"}
    renderer = ET.fromstring(styles["samples"]).find("renderer-v2")
    assert renderer is not None
    assert renderer.get("attr") in read.columns
    assert len(renderer.findall("ranges/range")) == len(renderer.findall("symbols/symbol")) == 5


def test_without_a_place_on_the_ground_rows_still_go_down(tmp_path: Path) -> None:
    write_error_map(tmp_path / "map.gpkg", samples(None), None)
    read = geopandas.read_file(tmp_path / "map.gpkg", layer="samples")
    assert read.geometry[0].bounds == pytest.approx((0, -4, 9, 0))
