"""Vector files of every format: read alike, by the driver that their bytes name, or refused in a sentence."""

import json
import logging
import sqlite3
import struct
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.errors import LabelError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.vectors import VectorFile, class_keys

DRIVERS = {
    "geojson": "GeoJSON",
    "gpkg": "GPKG",
    "shp": "ESRI Shapefile",
    "fgb": "FlatGeobuf",
    "kml": "KML",
    "gml": "GML",
    "tab": "MapInfo File",
    "mif": "MapInfo File",
    "gdb": "OpenFileGDB",
    "parquet": "",
}
POLYGONS = [shapely.box(x, 40, x + 1, 41) for x in range(6)]

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write geometries with the attributes `class` (1, 2, 1, 2, ...) and `kind` by geopandas."""

    def write(name: str, shapes: list[shapely.Geometry], crs: str | None = "EPSG:4326", **options: str) -> Path:
        path = tmp_path / name
        attributes = {
            "class": [row % 2 + 1 for row in range(len(shapes))],
            "kind": [("roof", "road")[row % 2] for row in range(len(shapes))],
        }
        frame = geopandas.GeoDataFrame(attributes, geometry=shapes, crs=crs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix == ".parquet":
                frame.to_parquet(path)
            else:
                frame.to_file(path, driver=DRIVERS[path.suffix[1:].lower()], **options)
        return path

    return write


@pytest.mark.parametrize("suffix", DRIVERS)
def test_every_format_is_read_alike(save: Save, suffix: str) -> None:
    path = save(f"a.{suffix}", POLYGONS)
    numbers, names = (VectorFile.load(path, LabelOptions(attribute=attribute)) for attribute in ("class", "kind"))
    assert {wkt for part in numbers.parts for wkt in [shapely.normalize(part).wkt]} == {shapely.normalize(part).wkt for part in POLYGONS}
    assert numbers.crs is not None
    assert numbers.crs.is_geographic
    # FlatGeobuf sorts features by place, KML keeps texts only
    assert {float(key): count for key, count in numbers.class_keys().items()} == {1.0: 3, 2.0: 3}
    assert names.class_keys() == {"roof": 3, "road": 3}
    assert names.object_count == 6
    assert class_keys([names, names]) == {"roof": 6, "road": 6}


@pytest.mark.parametrize(
    "name",
    ["roofs of\n\tZürich 🏠.gpkg", "'; DROP TABLE a;--.geojson", "..%2e.shp", "; a!b.shp", "a?b#c&d=e.gpkg", "\u202egpj.fgb", "a!b.gpkg"],
)
def test_names_of_any_letters(save: Save, name: str) -> None:
    plain = save(f"plain.{name.rpartition('.')[2]}", POLYGONS)
    for member in plain.parent.glob("plain.*"):
        member.rename(plain.with_name(Path(name).stem + member.suffix))
    assert VectorFile.load(plain.with_name(name), LabelOptions(attribute="class")).class_keys() == {1: 3, 2: 3}


def test_gpx_tracks_are_lines(tmp_path: Path) -> None:
    points = "".join(f'<trkpt lat="{40 + step / 100}" lon="{step / 100}"/>' for step in range(50))
    (tmp_path / "a.gpx").write_text(
        f'<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>', encoding="utf-8"
    )
    file = VectorFile.load(tmp_path / "a.gpx", LabelOptions(width=1))
    assert shapely.length(file.parts).sum() == pytest.approx(49 / 100 * np.sqrt(2))
    # in pieces that follow each other
    assert len(file.parts) == 4
    assert set(file.rows.tolist()) == {0}
    assert all(one.coords[-1] == other.coords[0] for one, other in zip(file.parts[:-1], file.parts[1:], strict=True))


def test_layers_are_named_or_asked_for(save: Save) -> None:
    path = save("a.gpkg", POLYGONS[:1], layer="roofs")
    save("a.gpkg", POLYGONS[:2], layer="roads", mode="a")
    with pytest.raises(LabelError, match=r"has 2 layers: roofs, roads\. Set \[labels\] layer"):
        VectorFile.load(path, LabelOptions())
    with pytest.raises(LabelError, match="no layer 'walls'; it has roofs, roads"):
        VectorFile.load(path, LabelOptions(layer="walls"))
    assert VectorFile.load(path, LabelOptions(layer="roads")).object_count == 2


def test_empty_layers_and_tables_are_no_choice(save: Save) -> None:
    path = save("a.gpkg", POLYGONS, layer="roofs")
    save("a.gpkg", [], layer="nothing", mode="a")
    pyogrio.write_dataframe(pd.DataFrame({"style": ["red"]}), path, layer="layer_styles", driver="GPKG", append=True)
    assert VectorFile.load(path, LabelOptions()).object_count == 6
    alone = save("b.gpkg", [], layer="nothing")
    assert VectorFile.load(alone, LabelOptions()).object_count == 0
    pyogrio.write_dataframe(pd.DataFrame({"style": ["red"]}), path.with_name("c.gpkg"), layer="table", driver="GPKG")
    with pytest.raises(LabelError, match="no layer with geometries; it has table"):
        VectorFile.load(path.with_name("c.gpkg"), LabelOptions())


@pytest.mark.parametrize("suffix", ["gpkg", "parquet", "geojson"])
def test_an_unknown_attribute_is_answered_by_the_known(save: Save, suffix: str) -> None:
    with pytest.raises(LabelError, match="no attribute 'colour'; it has class, kind"):
        VectorFile.load(save(f"a.{suffix}", POLYGONS), LabelOptions(attribute="colour"))


def test_features_without_a_class_are_counted(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"kind": ["roof", None, "", "roof", None]}, geometry=[*POLYGONS[:4], None], crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    # the last has no geometry either, so that nobody misses its class
    with pytest.raises(LabelError, match=r"2 of 5 features \(number 2, 3\) have no value of 'kind'"):
        VectorFile.load(tmp_path / "a.gpkg", LabelOptions(attribute="kind"))


def test_heights_are_dropped_and_what_is_empty_is_counted(save: Save, caplog: pytest.LogCaptureFixture) -> None:
    high = shapely.force_3d(POLYGONS[0], 12)
    broken = shapely.from_wkt("POLYGON ((0 0, nan 1, 1 1, 0 0))")
    path = save("a.gpkg", [high, shapely.Polygon(), None, broken, POLYGONS[1]])
    with caplog.at_level(logging.WARNING):
        file = VectorFile.load(path, LabelOptions())
    assert not shapely.has_z(file.parts).any()
    assert file.rows.tolist() == [0, 4]
    assert "3 of 5 features without a geometry" in caplog.text


def test_what_crosses_itself_is_told(save: Save, caplog: pytest.LogCaptureFixture) -> None:
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with caplog.at_level(logging.WARNING):
        VectorFile.load(save("a.gpkg", [bow, POLYGONS[3]]), LabelOptions())
    assert "a.gpkg: 1 polygon with an outline that crosses itself: filled by the even-odd rule" in caplog.text


def test_curves_become_lines(tmp_path: Path) -> None:
    ring = "<gml:Ring><gml:curveMember><gml:Curve><gml:segments>{arcs}</gml:segments></gml:Curve></gml:curveMember></gml:Ring>"
    arcs = "<gml:Arc><gml:posList>0 1 1 0 0 -1</gml:posList></gml:Arc><gml:Arc><gml:posList>0 -1 -1 0 0 1</gml:posList></gml:Arc>"
    (tmp_path / "disc.gml").write_text(
        '<ogr:FeatureCollection xmlns:ogr="http://x" xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><ogr:a><ogr:g><gml:Polygon>'
        f"<gml:exterior>{ring.format(arcs=arcs)}</gml:exterior></gml:Polygon></ogr:g></ogr:a></gml:featureMember></ogr:FeatureCollection>",
        encoding="utf-8",
    )
    (disc,) = VectorFile.load(tmp_path / "disc.gml", LabelOptions()).parts
    assert disc.geom_type == "Polygon"
    assert disc.area == pytest.approx(np.pi, rel=0.01)


def test_a_file_that_claims_more_than_it_holds(save: Save) -> None:
    path = save("a.gpkg", POLYGONS)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE gpkg_ogr_contents SET feature_count = 2000000000")
    database.close()
    with pytest.raises(LabelError, match="claims 2000000000 features"):
        VectorFile.load(path, LabelOptions())


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE a RENAME TO b; CREATE VIEW a AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        "DROP TABLE gpkg_contents; CREATE VIRTUAL TABLE gpkg_contents USING fts5(table_name)",
    ],
)
def test_a_geopackage_that_computes_its_tables_is_not_opened(save: Save, statement: str) -> None:
    path = save("a.gpkg", POLYGONS, layer="a")
    with sqlite3.connect(path) as database:
        for part in statement.split("; "):
            database.execute(part)
    database.close()
    with pytest.raises(LabelError, match="views or virtual tables"):
        VectorFile.load(path, LabelOptions())


class TestGeoParquet:
    """What a Parquet file must say."""

    def test_crs(self, save: Save) -> None:
        utm, none = (VectorFile.load(save(f"{crs}.parquet", POLYGONS, crs), LabelOptions()).crs for crs in ("EPSG:32633", None))
        assert utm is not None
        assert utm.to_epsg() == 32633
        assert none is None

    @pytest.mark.parametrize(
        ("geo", "reason"),
        [
            (None, "not GeoParquet"),
            ("[]", "not GeoParquet"),
            ({"primary_column": "g"}, "not GeoParquet"),
            ({"primary_column": "g", "columns": {"g": {"encoding": "polygon"}}}, "only WKB"),
            ({"primary_column": "other", "columns": {"other": {"encoding": "WKB"}}}, "no column 'other' of WKB"),
            ({"primary_column": "number", "columns": {"number": {"encoding": "WKB"}}}, "no column 'number' of WKB"),
            ({"primary_column": "g", "columns": {"g": {"encoding": "WKB", "crs": 4326}}}, "broken CRS"),
            ({"primary_column": "g", "columns": {"g": {"encoding": "WKB", "crs": "nonsense"}}}, "PROJ does not know"),
        ],
    )
    def test_metadata(self, tmp_path: Path, geo: object, reason: str) -> None:
        table = pa.table({"g": [shapely.to_wkb(POLYGONS[0])], "number": [1]})
        metadata = None if geo is None else {"geo": geo if isinstance(geo, str) else json.dumps(geo)}
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
        with pytest.raises(LabelError, match=reason):
            VectorFile.load(tmp_path / "a.parquet", LabelOptions())

    def test_collections_without_end_do_not_end_the_process(self, tmp_path: Path) -> None:
        deep = (b"\x01" + struct.pack("<II", 7, 1)) * 300_000 + shapely.to_wkb(shapely.Point(0, 0))
        geo = {"primary_column": "g", "columns": {"g": {"encoding": "WKB"}}}
        pq.write_table(pa.table({"g": [deep]}).replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "a.parquet")
        with pytest.raises(LabelError, match="feature 1 is a collection"):
            VectorFile.load(tmp_path / "a.parquet", LabelOptions())

    def test_what_unpacks_to_far_more_is_not_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("terrazzo.labels.ogr._UNPACKED_FLOOR", 2**20)
        geo = {"primary_column": "g", "columns": {"g": {"encoding": "WKB"}}}
        table = pa.table({"g": [bytes(2**22)]}).replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
        with pytest.raises(LabelError, match="unpacks from"):
            VectorFile.load(tmp_path / "a.parquet", LabelOptions())


def members(path: Path) -> list[Path]:
    """The file and those that belong to it; the largest first."""
    found = path.iterdir() if path.is_dir() else path.parent.glob(f"{path.stem}.*")
    return sorted((member for member in found if member.is_file()), key=lambda member: -member.stat().st_size)


def refusal(path: Path, options: LabelOptions) -> str:
    """Why a file is refused; its name if it is read."""
    try:
        VectorFile.load(path, options)
    except LabelError as error:
        return str(error)
    return path.name


@pytest.mark.parametrize("suffix", [suffix for suffix in DRIVERS if suffix != "geojson"])
def test_broken_bytes_are_read_or_refused(save: Save, suffix: str) -> None:
    path = save(f"a.{suffix}", POLYGONS)
    contents = [(member, member.read_bytes()) for member in members(path)]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, len(contents) - 1), st.floats(0, 0.999), st.binary(max_size=9), st.integers(0, 9), st.booleans())
    def check(number: int, share: float, put: bytes, taken: int, cut: bool) -> None:  # noqa: FBT001 (hypothesis gives it)
        member, content = contents[number]
        place = int(share * len(content))
        member.write_bytes(content[:place] + put + (b"" if cut else content[place + taken :]))
        start = time.monotonic()
        text = refusal(path, LabelOptions(attribute="kind", width=1))
        assert path.name in text
        assert "\n" not in text
        assert time.monotonic() - start < 5
        member.write_bytes(content)

    check()
    assert VectorFile.load(path, LabelOptions()).object_count == 6


def test_a_shapefile_with_a_broken_projection(save: Save) -> None:
    path = save("a.shp", POLYGONS)
    path.with_suffix(".prj").write_text('GEOGCS["WGS 84",DATUM["nonsense"],PRIMEM[]]', encoding="utf-8")
    # what GDAL makes of it depends on its version
    assert "a.shp" in refusal(path, LabelOptions())
