"""GeoJSON: every geometry, every way to say the CRS, and what is no GeoJSON."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.errors import LabelError
from terrazzo.labels.geojson import read_geojson
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.vectors import VectorFile

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 1]]


def written(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def collection(*geometries: Any, **members: Any) -> dict[str, Any]:
    features = [{"type": "Feature", "properties": {"class": number}, "geometry": geometry} for number, geometry in enumerate(geometries)]
    return {"type": "FeatureCollection", "features": features, **members}


def geometry(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


POLYGON = geometry("Polygon", [SQUARE, HOLE])


def test_every_geometry_comes_apart_into_single_ones(tmp_path: Path) -> None:
    nested = {"type": "GeometryCollection", "geometries": [geometry("Point", [9, 9]), POLYGON]}
    document = collection(
        geometry("Point", [1, 2, 30]),
        geometry("MultiPoint", [[1, 2], [3, 4]]),
        geometry("LineString", [[0, 0], [1, 1, 5]]),
        geometry("MultiLineString", [[[0, 0], [1, 1]], [[2, 2], [3, 3], [4, 4]]]),
        POLYGON,
        geometry("MultiPolygon", [[SQUARE], [[[x + 10, y] for x, y in SQUARE]]]),
        {"type": "GeometryCollection", "geometries": [nested, geometry("LineString", [[5, 5], [6, 6]])]},
    )
    table = read_geojson(written(tmp_path / "all.geojson", document), "class", None)
    assert table.rows.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 6, 6]
    expected = [
        *("POINT (1 2)", "POINT (1 2)", "POINT (3 4)", "LINESTRING (0 0, 1 1)", "LINESTRING (0 0, 1 1)"),
        *("LINESTRING (2 2, 3 3, 4 4)", "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))"),
        *("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", "POLYGON ((10 0, 14 0, 14 4, 10 4, 10 0))"),
        *("POINT (9 9)", "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))", "LINESTRING (5 5, 6 6)"),
    ]
    assert [part.wkt for part in table.parts] == expected
    assert (table.count, table.values, table.crs, table.crs_by_rule) == (7, list(map(float, range(7))), "OGC:CRS84", True)


def test_gdal_reads_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    polygons = shapely.buffer(shapely.points(rng.uniform(-50, 50, (30, 2))), rng.uniform(0.5, 3, 30), quad_segs=3)
    path = written(tmp_path / "a.geojson", collection(*(json.loads(shapely.to_geojson(polygon)) for polygon in polygons)))
    table = read_geojson(path, None, None)
    assert shapely.equals_exact(table.parts, shapely.from_wkb(pyogrio.raw.read(path)[2]), 1e-12).all()


@pytest.mark.parametrize(
    "document",
    [
        POLYGON,
        {"type": "Feature", "properties": None, "geometry": POLYGON},
        json.dumps({"type": "Feature", "geometry": POLYGON}) + "\n" + json.dumps(POLYGON) + "\n\n",
        "\x1e" + json.dumps(POLYGON) + "\n\x1e" + json.dumps(POLYGON),
        "\ufeff" + json.dumps(collection(POLYGON)),
    ],
)
def test_a_feature_a_geometry_and_a_feature_a_line_are_read(tmp_path: Path, document: Any) -> None:
    table = read_geojson(written(tmp_path / "a.geojson", document), None, None)
    assert {part.wkt for part in table.parts} == {"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))"}
    assert table.count == len(table.parts)


def test_what_is_null_empty_or_not_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document = collection(
        None,
        geometry("Polygon", []),
        geometry("Polygon", [[]]),
        geometry("Polygon", [[[0, 0], [1, 1]]]),
        geometry("MultiPolygon", [[], [SQUARE]]),
        geometry("Polygon", [SQUARE[:-1]]),
        geometry("Point", [0, None]),
        geometry("LineString", [[0, 0]]),
        geometry("Polygon", [[[0, 0], [float("inf"), 0], [1, 1], [0, 0]]]),
        {"type": "GeometryCollection", "geometries": []},
    )
    with caplog.at_level(logging.WARNING):
        file = VectorFile.load(written(tmp_path / "a.geojson", document), LabelOptions())
    assert [part.wkt for part in file.parts] == ["POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"] * 2
    assert file.rows.tolist() == [4, 5]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.geojson'}: 8 of 10 features without a geometry, or with coordinates that are not finite: left out."
    ]


def test_values_of_any_kind(tmp_path: Path) -> None:
    document = collection(*[POLYGON] * 7)
    for feature, value in zip(document["features"], ["roof", 3, 2.5, True, None, "  ", 10**400], strict=True):
        feature["properties"] = {"kind": value}
    del document["features"][4]["properties"]
    path = written(tmp_path / "a.geojson", document)
    assert read_geojson(path, "kind", None).values == ["roof", 3.0, 2.5, 1.0, None, None, None]
    with pytest.raises(LabelError, match="no attribute 'class'; it has kind"):
        read_geojson(path, "class", None)
    document["features"][2]["properties"]["kind"] = ["roof"]
    with pytest.raises(LabelError, match=r"feature 3 is \['roof'\]"):
        read_geojson(written(path, document), "kind", None)


@pytest.mark.parametrize(
    ("member", "epsg"),
    [
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32616"}}, 32616),
        ({"type": "name", "properties": {"name": "EPSG:32616"}}, 32616),
        ({"type": "name", "properties": {"name": "http://www.opengis.net/def/crs/EPSG/0/32616"}}, 32616),
        (None, None),
    ],
)
def test_the_crs_that_older_files_name(tmp_path: Path, member: Any, epsg: int | None) -> None:
    far = geometry("Polygon", [[[x + 5e5, y + 4e6] for x, y in SQUARE]])
    file = VectorFile.load(written(tmp_path / "a.geojson", collection(far, crs=member)), LabelOptions())
    assert (file.crs and file.crs.to_epsg()) == epsg


@pytest.mark.parametrize(
    "member",
    [
        *("EPSG:4326", {}, {"type": "name"}, {"type": "name", "properties": {"name": "/etc/passwd"}}, {"type": "name", "properties": []}),
        {"type": "link", "properties": {"href": "a.wkt"}},
        {"type": "name", "properties": {"name": "EPSG:99999"}},
    ],
)
def test_a_crs_that_is_not_understood_is_refused(tmp_path: Path, member: Any) -> None:
    with pytest.raises(LabelError, match="CRS"):
        VectorFile.load(written(tmp_path / "a.geojson", collection(POLYGON, crs=member)), LabelOptions())


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "broken JSON"),
        ('{"type": "FeatureCollection", "features": [' + "[" * 100_000, "too deep"),
        ('{"a": ' * 50_000 + "1" + "}" * 50_000, "too deep"),
        ({"images": [], "annotations": []}, "JSON, but not GeoJSON"),
        ({"type": "Topology", "objects": {}}, "not 'FeatureCollection'"),
        ({"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}, "not GeoJSON"),
        ({"type": "FeatureCollection", "features": {}}, "list of features"),
        ({"type": "FeatureCollection", "features": [1]}, "list of features"),
        (collection(geometry("Polygon", "abc")), "feature 1 has a broken geometry"),
        (collection(POLYGON, geometry("Polygon", [[["a", "b"]] * 4])), "feature 2 has broken coordinates of a Polygon"),
        (collection(POLYGON, geometry("Polygon", SQUARE)), "feature 2"),
        (collection(geometry("Point", [[1, 2]])), "feature 1"),
        (collection(geometry("Point", [1])), "feature 1"),
        (collection(geometry("LineString", [[0, 0], [1]])), "feature 1"),
        (collection(geometry("Point", [10**400, 0])), "feature 1"),
        (collection(geometry("Circle", [1, 2])), "Circle"),
        (collection("POINT (1 2)"), "feature 1"),
        ("{}\n[]", "holds no object"),
    ],
)
def test_what_is_no_geojson_is_named(tmp_path: Path, document: Any, reason: str) -> None:
    path = written(tmp_path / "a.geojson", document)
    with pytest.raises(LabelError, match=reason) as caught:
        read_geojson(path, None, None)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400


def test_collections_without_end_are_refused(tmp_path: Path) -> None:
    document = '{"type": "GeometryCollection", "geometries": [' * 80 + json.dumps(POLYGON) + "]}" * 80
    with pytest.raises(LabelError, match="broken geometry"):
        read_geojson(written(tmp_path / "a.geojson", document), None, None)


def test_there_are_no_layers(tmp_path: Path) -> None:
    path = written(tmp_path / "roofs.geojson", POLYGON)
    assert read_geojson(path, None, "roofs").count == 1
    with pytest.raises(LabelError, match=r"no layers; .* 'walls'"):
        read_geojson(path, None, "walls")


def refusal(path: Path, options: LabelOptions) -> str:
    """Why a file is refused; its name if it is read."""
    try:
        file = VectorFile.load(path, options)
    except LabelError as error:
        return str(error)
    assert len(file.parts) == len(file.rows)
    return str(path)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["Polygon", "name", ""]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["type", "coordinates", "properties", "crs"]), inner),
    max_leaves=20,
)
kinds = st.sampled_from(
    ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection", "FeatureCollection"]
)
geometries = st.fixed_dictionaries({"type": kinds}, optional={"coordinates": anything, "geometries": anything})
features = st.fixed_dictionaries({"type": st.just("Feature"), "geometry": geometries | anything, "properties": anything})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({"type": kinds, "features": st.lists(features) | anything}, optional={"crs": anything}) | features)
def test_any_json_is_read_or_refused(tmp_path: Path, document: Any) -> None:
    path = written(tmp_path / "a.geojson", document)
    assert str(path) in refusal(path, LabelOptions(attribute="type", width=1))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400), st.binary(max_size=6), st.integers(0, 8))
def test_any_bytes_are_read_or_refused(tmp_path: Path, place: int, put: bytes, taken: int) -> None:
    content = json.dumps(collection(POLYGON, geometry("MultiLineString", [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]))).encode()
    path = tmp_path / "a.geojson"
    path.write_bytes(content[:place] + put + content[place + taken :])
    assert str(path) in refusal(path, LabelOptions(attribute="class", width=1))
