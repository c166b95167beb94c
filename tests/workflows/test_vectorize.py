"""vectorize: polygons of a map in every format, with class, area and confidence; what cannot be is said."""

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pyogrio
import pyproj
import pytest
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.app.cli import main
from terrazzo.errors import ConflictError, DataError, EnvironmentFault, RasterError, UsageError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.prediction.outputs.layers import probabilities_layout
from terrazzo.prediction.vectorize import bands
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import MapStyle, MapWriter, writing_bands
from terrazzo.workflows.context import open_context
from terrazzo.workflows.vectorize import vectorize

NAMES = ("background", "roof", "a 'wide' <road>")
LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(60 * value, 9, 7)) for value, name in zip((0, 1, 4), NAMES, strict=True))
)
UTM = Grid(shape=(70, 53), crs=CRS.from_epsg(32633), transform=Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000))
DEGREES = Grid(shape=(70, 53), crs=CRS.from_epsg(4326), transform=Affine(0.1, 0, 10, 0, -0.2, 60))
NOWHERE = Grid(shape=(70, 53))


def classes_of(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Blocks and a long diagonal, with a corner of nodata."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    classes = np.where((rows // 9 + columns // 11) % 3 == 1, 1, 0).astype(np.uint8)
    classes[abs(rows - columns) < 4] = 4
    classes[60:, :20] = 255
    return classes


def write_map(path: Path, grid: Grid, *, probabilities: bool = False) -> NDArray[np.uint8]:
    classes = classes_of(grid.shape)
    colors = dict(zip(LEGEND.values, LEGEND.colors, strict=True))
    with MapWriter(path, grid, MapStyle(colors=colors, legend_json=LEGEND.to_json())) as file:
        file.write(classes)
    if probabilities:
        shares = np.stack([np.where(classes == value, 40_000 + 1_000 * value, 9) for value in LEGEND.values]).astype(np.uint16)
        shares[:, :30] = shares[:, :30] // 2
        beside = path.with_name(path.stem.removesuffix("_predseg") + "_probabilities.tif")
        with writing_bands(beside, grid, probabilities_layout(LEGEND.names)) as rows:
            rows.add(shares)
    return classes


def read(path: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path, layer=0)


@pytest.fixture(autouse=True)
def _low_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that there are seams."""
    monkeypatch.setattr(bands, "ROWS_STEP", 16)
    monkeypatch.setattr(bands, "BAND_PX", 16 * 53)


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb"])
def test_burnt_again_they_are_the_map(tmp_path: Path, ending: str) -> None:
    classes = write_map(tmp_path / "m_predseg.tif", UTM)
    done = vectorize(tmp_path / "m_predseg.tif", tmp_path / f"m{ending}", context=open_context(sets=["vectors.classes=all"]))
    table = read(tmp_path / f"m{ending}")
    assert done.written["outputs"] == [tmp_path / f"m{ending}"]
    assert table.crs == "EPSG:32633"
    assert shapely.coverage_is_valid(table.geometry.to_numpy())
    pairs = list(zip(table.geometry, table["value"], strict=True))
    burnt = rasterio.features.rasterize(pairs, UTM.shape, fill=255, transform=UTM.transform, dtype="uint8")
    assert np.array_equal(burnt, classes)
    assert table["area_m2"].to_numpy() == pytest.approx(table.geometry.area.to_numpy())
    assert table["pixels"].to_numpy() == pytest.approx(table["area_m2"].to_numpy() * 4)
    assert set(zip(table["value"], table["name"], strict=True)) == set(zip(LEGEND.values, NAMES, strict=True))


def test_geojson_is_in_degrees(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", UTM)
    for name in ("m.geojson", "m.gpkg"):
        vectorize(tmp_path / "m.tif", tmp_path / name)
    degrees, metres = read(tmp_path / "m.geojson"), read(tmp_path / "m.gpkg")
    assert degrees.crs == "EPSG:4326"
    assert degrees["area_m2"].tolist() == metres["area_m2"].tolist()
    assert degrees.to_crs(32633).geometry.hausdorff_distance(metres.geometry).max() < 0.001


def test_the_background_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", UTM)
    wanted = {"": {1, 4}, "all": {0, 1, 4}, "roof": {1}, "0, roof": {0, 1}, "a 'wide' <road>": {4}}
    for number, (classes, values) in enumerate(wanted.items()):
        vectorize(
            tmp_path / "m.tif", tmp_path / f"{number}.gpkg", context=open_context(sets=[f"vectors.classes={classes}"] if classes else [])
        )
        assert set(read(tmp_path / f"{number}.gpkg")["value"]) == values


def test_confidence_is_the_mean_probability_of_the_class(tmp_path: Path) -> None:
    classes = write_map(tmp_path / "m_predseg.tif", UTM, probabilities=True)
    done = vectorize(tmp_path / "m_predseg.tif", tmp_path / "m.gpkg")
    assert "no confidence" not in done.text
    for row in read(tmp_path / "m.gpkg").itertuples():
        inside = rasterio.features.rasterize([(row.geometry, 1)], UTM.shape, transform=UTM.transform, dtype="uint8") > 0
        assert (classes[inside] == row.value).all()
        share = 40_000 + 1_000 * row.value
        expected = np.where(np.nonzero(inside)[0] < 30, share // 2, share).mean() / 65535
        assert row.confidence == pytest.approx(expected)


def test_probabilities_of_another_map_are_left_aside_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_map(tmp_path / "m_predseg.tif", UTM)
    with writing_bands(tmp_path / "m_probabilities.tif", UTM, probabilities_layout(["one"])) as rows:
        rows.add(np.zeros((1, *UTM.shape), np.uint16))
    with caplog.at_level(logging.WARNING):
        vectorize(tmp_path / "m_predseg.tif", tmp_path / "m.gpkg")
    assert "m_probabilities.tif does not belong to m_predseg.tif" in caplog.text
    assert read(tmp_path / "m.gpkg")["confidence"].isna().all()


def test_areas_of_degrees_are_those_on_the_ellipsoid(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", DEGREES)
    vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg")
    table, ellipsoid = read(tmp_path / "m.gpkg"), pyproj.Geod(ellps="WGS84")
    for row in table.itertuples():
        # along parallels, which are no geodesics
        dense = row.geometry.segmentize(0.02)
        assert row.area_m2 == pytest.approx(abs(ellipsoid.geometry_area_perimeter(dense)[0]), rel=1e-4)


def test_without_coordinates_places_are_pixels_the_right_way_up(tmp_path: Path) -> None:
    write_map(tmp_path / "m.png", NOWHERE)
    done = vectorize(tmp_path / "m.png", tmp_path / "m.parquet")
    table = read(tmp_path / "m.parquet")
    assert table.crs is None
    assert table.total_bounds.tolist() == [0, -70, 53, 0]
    assert table["area_m2"].isna().all()
    assert "there are no areas" in done.text
    with pytest.raises(DataError, match=r"GeoJSON is in degrees.*\.gpkg"):
        vectorize(tmp_path / "m.png", tmp_path / "m.geojson")


def test_a_geopackage_brings_its_style(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", UTM)
    vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg")
    with sqlite3.connect(tmp_path / "m.gpkg") as database:
        ((table, column, style),) = database.execute("SELECT f_table_name, f_geometry_column, styleQML FROM layer_styles").fetchall()
    assert (table, column) == ("polygons", "geometry")
    assert 'attr="name"' in style
    assert "a &apos;wide&apos; &lt;road&gt;" in style or "a 'wide' &lt;road&gt;" in style


def test_geoparquet_says_what_it_holds(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_map(tmp_path / "m.tif", UTM)
    vectorize(tmp_path / "m.tif", tmp_path / "m.parquet")
    file = pq.ParquetFile(tmp_path / "m.parquet")
    geo = json.loads(file.metadata.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], column["geometry_types"], column["crs"]["id"]["code"]) == ("1.1.0", ["Polygon"], 32633)
    assert column["bbox"] == read(tmp_path / "m.parquet").total_bounds.tolist()
    near = geopandas.read_parquet(tmp_path / "m.parquet", bbox=(500_000, 4_999_999, 500_001, 5_000_000))
    assert 0 < len(near) < file.metadata.num_rows


def test_a_map_of_another_tool_has_values_for_names(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "m.tif", "w", driver="GTiff", height=20, width=30, count=1, dtype="uint8") as file:
        file.write(np.repeat(np.arange(0, 20, 2, dtype=np.uint8), 60).reshape(1, 20, 30))
    vectorize(tmp_path / "m.tif", tmp_path / "m.parquet")
    assert set(read(tmp_path / "m.parquet")["name"]) == {str(value) for value in range(2, 20, 2)}


def test_a_map_without_any_such_class_gives_an_empty_file(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "m.tif", "w", driver="GTiff", height=20, width=30, count=1, dtype="uint8") as file:
        file.write(np.zeros((1, 20, 30), np.uint8))
    for ending in (".gpkg", ".parquet", ".fgb"):
        assert vectorize(tmp_path / "m.tif", tmp_path / f"m{ending}").facts["polygons"] == 0
        assert len(read(tmp_path / f"m{ending}")) == 0


@pytest.mark.parametrize(
    ("out", "sets", "kind", "message"),
    [
        ("m.shp", (), UsageError, r"ends in \.gpkg, \.fgb, \.geojson, \.parquet"),
        ("m.gpkg", ("vectors.classes=roof,rof",), UsageError, "classes names rof; the map has background, roof"),
        ("there.gpkg", (), ConflictError, "exists; it is not overwritten"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, out: str, sets: Sequence[str], kind: type[Exception], message: str) -> None:
    write_map(tmp_path / "m.tif", UTM)
    (tmp_path / "there.gpkg").write_bytes(b"mine")
    with pytest.raises(kind, match=message):
        vectorize(tmp_path / "m.tif", tmp_path / out, context=open_context(sets=sets))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tif", "there.gpkg"]
    assert (tmp_path / "there.gpkg").read_bytes() == b"mine"


def test_an_image_is_no_class_map(tmp_path: Path) -> None:
    with writing_bands(tmp_path / "m.tif", UTM, probabilities_layout(["one", "two"])) as rows:
        rows.add(np.zeros((2, *UTM.shape), np.uint16))
    with pytest.raises(RasterError, match="2 bands of uint16; a class map has one band of uint8"):
        vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg")


@pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb", ".geojson"])
def test_a_map_that_breaks_half_way_leaves_nothing(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_map(tmp_path / "m.tif", UTM)
    whole = bands._read

    def broken(raster: Any, top: int, end: int) -> NDArray[np.uint8]:
        if top >= 32:
            raise RasterError("m.tif is broken at row 32")
        return whole(raster, top, end)

    monkeypatch.setattr(bands, "_read", broken)
    with pytest.raises(RasterError, match="broken at row 32"):
        vectorize(tmp_path / "m.tif", tmp_path / f"m{ending}")
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    write_map(tmp_path / "m.tif", replace(UTM))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        vectorize(tmp_path / "m.tif", tmp_path / "file" / "m.gpkg")


def test_the_command_loads_no_torch(tmp_path: Path) -> None:
    write_map(tmp_path / "m_predseg.tif", UTM, probabilities=True)
    code = "import sys; from terrazzo.app.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, "vectorize", str(tmp_path / "m_predseg.tif"), str(tmp_path / "m.gpkg")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (tmp_path / "m.gpkg").exists()
    assert not {"torch", "onnxruntime", "openvino", "matplotlib"} & set(done.stderr.split())


def test_the_command_tells_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_map(tmp_path / "m.tif", UTM)
    assert main(["vectorize", str(tmp_path / "m.tif"), str(tmp_path / "m.gpkg"), "--simplify-px", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["outputs"] == [str(tmp_path / "m.gpkg")]
    assert told["classes"][0]["name"] == "roof"


class TestBorders:
    @pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb"])
    def test_are_lines_with_their_classes_and_lengths(self, tmp_path: Path, ending: str) -> None:
        classes = write_map(tmp_path / "m.tif", UTM)
        done = vectorize(tmp_path / "m.tif", tmp_path / f"m{ending}", context=open_context(None, ["vectors.geometry='borders'"]))
        table = read(tmp_path / f"m{ending}")
        assert set(table.geom_type) == {"LineString"}
        assert table.crs == "EPSG:32633"
        assert done.facts["lines"] == len(table)
        assert table["length_m"].sum() == pytest.approx(table.length.sum())
        known = classes != 255
        across = (classes[:, 1:] != classes[:, :-1]) & known[:, 1:] & known[:, :-1]
        down = (classes[1:] != classes[:-1]) & known[1:] & known[:-1]
        assert table["length_m"].sum() == pytest.approx(0.5 * (across.sum() + down.sum()))
        assert set(table["name"]) | set(table["other_name"]) <= set(NAMES)
        assert f"{len(table)} lines in " in done.text

    def test_of_degrees_are_measured_along_geodesics(self, tmp_path: Path) -> None:
        write_map(tmp_path / "m.tif", DEGREES)
        vectorize(tmp_path / "m.tif", tmp_path / "m.geojson", context=open_context(None, ["vectors.geometry='borders'"]))
        table, ellipsoid = read(tmp_path / "m.geojson"), pyproj.Geod(ellps="WGS84")
        assert table["length_m"].to_list() == pytest.approx([ellipsoid.geometry_length(line) for line in table.geometry], rel=1e-6)

    def test_simplified_they_keep_their_ends(self, tmp_path: Path) -> None:
        write_map(tmp_path / "m.tif", UTM)
        sets = ["vectors.geometry='borders'"]
        vectorize(tmp_path / "m.tif", tmp_path / "a.gpkg", context=open_context(None, sets))
        vectorize(tmp_path / "m.tif", tmp_path / "b.gpkg", context=open_context(None, [*sets, "vectors.simplify_px=2"]))
        exact, smooth = read(tmp_path / "a.gpkg").geometry, read(tmp_path / "b.gpkg").geometry
        assert sum(len(line.coords) for line in smooth) < sum(len(line.coords) for line in exact)
        assert all(one.boundary.equals(other.boundary) for one, other in zip(exact, smooth, strict=True))
        assert max(one.hausdorff_distance(other) for one, other in zip(exact, smooth, strict=True)) <= 2 * 0.5 + 1e-9

    def test_without_a_place_there_are_no_lengths(self, tmp_path: Path) -> None:
        write_map(tmp_path / "m.tif", NOWHERE)
        done = vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg", context=open_context(None, ["vectors.geometry='borders'"]))
        assert read(tmp_path / "m.gpkg")["length_m"].isna().all()
        assert "there are no lengths" in done.text


class TestCentrelines:
    SETS = ("vectors.geometry='centrelines'", "vectors.classes='4'")

    @pytest.mark.parametrize("ending", [".gpkg", ".parquet", ".fgb"])
    def test_are_lines_with_class_length_and_width(self, tmp_path: Path, ending: str) -> None:
        write_map(tmp_path / "m.tif", UTM)
        done = vectorize(tmp_path / "m.tif", tmp_path / f"m{ending}", context=open_context(None, self.SETS))
        table = read(tmp_path / f"m{ending}")
        assert (table["value"].to_list(), table["name"].to_list(), table.crs) == ([4], [NAMES[2]], "EPSG:32633")
        # seven pixels from side to side, along a diagonal
        across = 7 * 0.5 / np.sqrt(2)
        assert table["length_m"].to_list() == pytest.approx(table.length.to_list())
        assert table["length_m"].iloc[0] == pytest.approx(53 * 0.5 * np.sqrt(2), rel=0.15)
        assert table["width_m"].iloc[0] == pytest.approx(across, rel=0.15)
        assert table["width_px"].iloc[0] == pytest.approx(across / 0.5, rel=0.15)
        assert done.facts == {"lines": 1, "classes": [{"value": 4, "lines": 1, "length_m": pytest.approx(table["length_m"].iloc[0])}]}
        assert "a 'wide' <road>: 1 line, " in done.text

    def test_widths_are_metres_where_pixels_are_no_squares(self, tmp_path: Path) -> None:
        grid = replace(DEGREES, transform=Affine(1e-4, 0, 10, 0, -1e-4, 60))
        roads = np.zeros(grid.shape, np.uint8)
        roads[5:65, 20:27] = 1
        roads[30:37, :] = 1
        with MapWriter(tmp_path / "m.tif", grid, MapStyle(colors={}, legend_json=LEGEND.to_json())) as file:
            file.write(roads)
        vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg", context=open_context(None, self.SETS[:1]))
        table = read(tmp_path / "m.gpkg")
        upright = (table.bounds["maxy"] - table.bounds["miny"]) > (table.bounds["maxx"] - table.bounds["minx"])
        ellipsoid = pyproj.Geod(ellps="WGS84")
        for is_upright, line in zip(upright, table.itertuples(), strict=True):
            across = (10.0, 60.0, 10.0007, 60.0) if is_upright else (10.0, 60.0, 10.0, 60.0007)
            assert line.width_m == pytest.approx(ellipsoid.inv(*across)[2], rel=0.1)

    def test_areas_too_wide_are_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        write_map(tmp_path / "m.tif", UTM)
        with caplog.at_level(logging.WARNING):
            vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg", context=open_context(None, [*self.SETS, "vectors.widest_px=3"]))
        assert "of the pixels of a 'wide' <road> are where it is wider than 3 px" in caplog.text

    def test_without_a_place_widths_are_in_pixels_alone(self, tmp_path: Path) -> None:
        write_map(tmp_path / "m.tif", NOWHERE)
        done = vectorize(tmp_path / "m.tif", tmp_path / "m.gpkg", context=open_context(None, self.SETS))
        table = read(tmp_path / "m.gpkg")
        assert table["width_m"].isna().all()
        assert table["length_m"].isna().all()
        assert table["width_px"].notna().all()
        assert "there are no lengths" in done.text

    def test_simplified_they_have_fewer_corners(self, tmp_path: Path) -> None:
        write_map(tmp_path / "m.tif", UTM)
        vectorize(tmp_path / "m.tif", tmp_path / "a.gpkg", context=open_context(None, self.SETS))
        vectorize(tmp_path / "m.tif", tmp_path / "b.gpkg", context=open_context(None, [*self.SETS, "vectors.simplify_px=2"]))
        (exact,), (smooth,) = read(tmp_path / "a.gpkg").geometry, read(tmp_path / "b.gpkg").geometry
        assert len(smooth.coords) < len(exact.coords)
        assert exact.boundary.equals(smooth.boundary)
        assert not smooth.has_z


def test_memory_for_the_index_of_a_geopackage_is_bounded(tmp_path: Path) -> None:
    write_map(tmp_path / "map.tif", UTM)
    for asked, kept in ((None, 2**27), (str(2**20), 2**20)):
        pyogrio.set_gdal_config_options({"OGR_GPKG_MAX_RAM_USAGE_RTREE": asked})
        vectorize(tmp_path / "map.tif", tmp_path / f"{kept}.gpkg")
        assert pyogrio.get_gdal_config_option("OGR_GPKG_MAX_RAM_USAGE_RTREE") == kept
    pyogrio.set_gdal_config_options({"OGR_GPKG_MAX_RAM_USAGE_RTREE": None})


def test_an_image_in_a_maps_place_is_told(tmp_path: Path) -> None:
    rows = np.arange(33, dtype=np.uint8)
    for count, told in ((33, True), (32, False)):
        path = tmp_path / f"{count}.png"
        cv2.imwrite(str(path), np.tile(1 + rows % count, (8, 1)))
        found = vectorize(path, tmp_path / f"{count}.gpkg")
        assert (f"{path} names no classes and holds 33 values. If it is an image" in found.text) is told
