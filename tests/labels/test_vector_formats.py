"""Which vector files are opened at all."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from terrazzo.errors import LabelError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.vector_formats import read_xml, sniff_vector
from terrazzo.labels.vectors import VectorFile

VRT = '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
POINT = '{"type": "Point", "coordinates": [1, 2]}'


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An address of this machine, and what is asked of it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                asked.append(connection.recv(100))
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.geojson", POINT, "GeoJSON"),
        ("a.json", "\ufeff \n" + POINT, "GeoJSON"),
        ("a.ndjson", "\x1e" + POINT, "GeoJSON"),
        ("no suffix", POINT, "GeoJSON"),
        ("A.SHP", b"\x00\x00\x27\x0a" + bytes(96), "ESRI Shapefile"),
        ("a.gpkg", b"SQLite format 3\x00" + bytes(84), "GPKG"),
        ("a.fgb", b"fgb\x03fgb\x01", "FlatGeobuf"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.kml", "<kml/>", "XML"),
        ("a.tab", "!table\n!version 300\n", "MapInfo File"),
        ("a.mif", "VERSION 300\n", "MapInfo File"),
    ],
)
def test_the_first_bytes_tell(tmp_path: Path, name: str, content: str | bytes, kind: str) -> None:
    assert sniff_vector(written(tmp_path / name, content)) == kind


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.geojson", b"", "is empty"),
        ("a.kmz", b"PK\x03\x04 more", "zip archive"),
        ("a.zip", b"PK\x03\x04 more", "unpack it first"),
        ("a.geojson.gz", b"\x1f\x8b more", "gzip"),
        ("a.gpkg", "version https://git-lfs.github.com/spec/v1", "git-LFS"),
        ("a.geojson", POINT.encode("utf-16"), "UTF-16"),
        ("a.mbtiles", b"SQLite format 3\x00", "a GPKG file is named .gpkg"),
        ("a.shx", b"\x00\x00\x27\x0a", "named .shp"),
        ("a.csv", "WKT,id\nPOINT (1 2),1\n", "first bytes"),
        ("a.tab", "x\ty\n", "first bytes"),
        ("a.mif", "!table", "first bytes"),
    ],
)
def test_what_is_no_vector_file_is_named(tmp_path: Path, name: str, content: str | bytes, reason: str) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(LabelError, match=reason) as caught:
        sniff_vector(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", ["/vsicurl/http://127.0.0.1/a.geojson", "/vsizip//tmp/a.zip", "<OGRVRTDataSource/>"])
def test_names_that_gdal_would_follow_are_no_paths(path: str) -> None:
    with pytest.raises(LabelError, match="not a plain path"):
        VectorFile.load(Path(path), LabelOptions())


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.geojson")
    for path, reason in ((tmp_path / "pipe.geojson", "regular"), (tmp_path, "folder"), (tmp_path / "none.gpkg", "not exist")):
        with pytest.raises(LabelError, match=reason):
            VectorFile.load(path, LabelOptions())
    (tmp_path / "empty.gdb").mkdir()
    with pytest.raises(LabelError, match="folder"):
        VectorFile.load(tmp_path / "empty.gdb", LabelOptions())
    with pytest.raises(LabelError, match="cannot be read"):
        VectorFile.load(tmp_path / "zero\0.gpkg", LabelOptions())


@pytest.mark.parametrize("name", ["a.vrt", "a.geojson", "a.gpkg", "a.shp", "a.kml", "a.gml", "a.tab", "a.fgb"])
def test_a_vrt_is_opened_under_no_name(tmp_path: Path, name: str) -> None:
    source = written(tmp_path / "source.geojson", POINT)
    with pytest.raises(LabelError, match="another kind"):
        VectorFile.load(written(tmp_path / name, VRT.format(source=source)), LabelOptions(width=1))
    hidden = f"<kml><!-- {VRT.format(source=source)} --></kml>"
    with pytest.raises(LabelError, match="another kind"):
        VectorFile.load(written(tmp_path / name, hidden), LabelOptions(width=1))


@pytest.mark.parametrize("name", ["bomb.kml", "bomb.gml", "bomb.gpx"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_bombs_are_not_opened(tmp_path: Path, name: str, encoding: str) -> None:
    entities = "".join(f'<!ENTITY a{step} "{f"&a{step - 1};" * 10}">' for step in range(1, 12))
    root = "FeatureCollection" if name.endswith("gml") else name.removeprefix("bomb.")
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{entities}]><{root}>&a11;</{root}>'
    with pytest.raises(LabelError, match="document type" if encoding == "utf-8" else "UTF-16"):
        VectorFile.load(written(tmp_path / name, bomb.encode(encoding)), LabelOptions())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<kml>", "broken XML"),
        ("<" + "a><" * 200 + "b/>", "more than 100 deep"),
        ("<html/>", "another kind"),
        ("<FeatureCollection/>", "not GML"),
        ('<?xml version="1.0" encoding="nonsense"?><kml/>', "broken XML"),
    ],
)
def test_other_xml_is_not_opened(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        read_xml(written(tmp_path / "a.kml", content))


def test_gml_asks_no_server_for_its_schema_and_leaves_nothing_behind(tmp_path: Path, listener: tuple[str, list[bytes]]) -> None:
    address, asked = listener
    schema = f"http://x {address}/wfs?SERVICE=WFS&amp;VERSION=1.0.0&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=a:b"
    polygon = "<gml:Polygon><gml:outerBoundaryIs><gml:LinearRing><gml:coordinates>0,0 1,0 1,1 0,0</gml:coordinates></gml:LinearRing>"
    gml = (
        f'<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" xmlns:gml="http://www.opengis.net/gml" xmlns:a="http://x" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{schema}"><gml:featureMember><a:b><a:class>3</a:class>'
        f"<a:geom>{polygon}</gml:outerBoundaryIs></gml:Polygon></a:geom></a:b></gml:featureMember></wfs:FeatureCollection>"
    )
    file = VectorFile.load(written(tmp_path / "a.gml", gml), LabelOptions(attribute="class"))
    assert (len(file.parts), file.keys) == (1, (3.0,))
    assert not asked
    assert [path.name for path in tmp_path.iterdir()] == ["a.gml"]


@pytest.mark.parametrize(
    "crs",
    [
        '{{"type": "link", "properties": {{"href": "{address}/crs", "type": "ogcwkt"}}}}',
        '{{"type": "url", "properties": {{"url": "{address}/crs"}}}}',
        '{{"type": "name", "properties": {{"name": "{address}/crs"}}}}',
    ],
)
def test_geojson_asks_no_server_for_its_crs(tmp_path: Path, listener: tuple[str, list[bytes]], crs: str) -> None:
    address, asked = listener
    feature = f'{{"type": "Feature", "geometry": {POINT}, "crs": {crs.format(address=address)}}}'
    with pytest.raises(LabelError, match="CRS"):
        VectorFile.load(written(tmp_path / "a.geojson", feature), LabelOptions(width=1))
    assert not asked
