"""GeoJSON, read here and not by GDAL, which follows links that a file names as its CRS.

Source: RFC 7946, and its predecessor's member `crs`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.vector_formats import read_bytes
from terrazzo.labels.vector_table import Geometries, VectorTable, clean_values, unknown_attribute

_CRS_NAME = re.compile(r"(urn:(x-)?ogc:def:crs:|https?://www\.opengis\.net/def/crs/)[\w.:/-]+|\w+:\w+", re.ASCII)
_SIMPLE = ("Point", "LineString", "Polygon")
_DEEPEST = 64
_MALFORMED = (TypeError, ValueError, OverflowError, IndexError, KeyError)

Part = tuple[int, str, Any]
"""Feature from 0, type, coordinates."""


def read_geojson(path: Path, attribute: str | None, layer: str | None) -> VectorTable:
    """Read a feature collection, a feature, a geometry, or a feature a line.

    Raises LabelError if the file is not GeoJSON.
    """
    if layer is not None and layer != path.stem:
        raise LabelError(f"{path} is GeoJSON, which has no layers; [labels] layer is {layer!r}. Leave it out.")
    documents = _parse(path)
    features = [feature for document in documents for feature in _features(path, document)]
    parts, rows = _shapes(path, [part for number, feature in enumerate(features) for part in _parts(path, number, feature.get("geometry"))])
    crs = _crs(path, documents[0]) if len(documents) == 1 else "OGC:CRS84"
    return VectorTable(
        parts=parts,
        rows=rows,
        count=len(features),
        values=None if attribute is None else _values(path, attribute, features),
        crs=crs,
        crs_by_rule=not (len(documents) == 1 and "crs" in documents[0]),
    )


def geojson_values(path: Path) -> Mapping[str, Sequence[object]]:
    """The values of all attributes, feature by feature, as they stand there. Raises LabelError if the file is not GeoJSON."""
    tables = _tables([feature for document in _parse(path) for feature in _features(path, document)])
    names = dict.fromkeys(chain.from_iterable(tables))
    return {name: [table.get(name) for table in tables] for name in names}


def _parse(path: Path) -> list[dict[str, Any]]:
    """The one document of a file, or one of each line."""
    try:
        text = read_bytes(path).decode("utf-8-sig").replace("\x1e", "\n")
        try:
            documents = [json.loads(text)]
        except json.JSONDecodeError as error:
            # text after a whole document: a document a line
            if not error.msg.startswith("Extra data"):
                raise
            documents = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        reason = "brackets too deep" if isinstance(error, RecursionError) else str(error)
        raise LabelError(f"{path} is broken JSON ({reason}). Copy it again or leave it out.") from error
    if not all(isinstance(document, dict) for document in documents):
        raise LabelError(f"{path} is JSON, but not GeoJSON: it holds no object with a 'type'.")
    return documents


def _features(path: Path, document: dict[str, Any]) -> list[dict[str, Any]]:
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        if isinstance(features, list) and all(isinstance(feature, dict) for feature in features):
            return features
        raise LabelError(f"{path} is not GeoJSON: 'features' must be a list of features.")
    if kind == "Feature":
        return [document]
    if "coordinates" in document or "geometries" in document:
        return [{"geometry": document}]
    raise LabelError(f"{path} is JSON, but not GeoJSON: its 'type' is {kind!r:.60}, not 'FeatureCollection'.")


def _parts(path: Path, number: int, geometry: Any, depth: int = 0) -> Iterator[Part]:
    """Single polygons, lines and points of a geometry; what is null or empty gives none."""
    if geometry is None:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection" and depth < _DEEPEST and isinstance(geometry.get("geometries"), list):
        for member in geometry["geometries"]:
            yield from _parts(path, number, member, depth + 1)
        return
    coordinates = geometry.get("coordinates") if isinstance(kind, str) else None
    simple = kind.removeprefix("Multi") if isinstance(kind, str) else ""
    if simple not in _SIMPLE or not isinstance(coordinates, list):
        raise LabelError(f"{path}: feature {number + 1} has a broken geometry: {json.dumps(geometry)[:80]}.")
    for member in [coordinates] if kind == simple else coordinates:
        # a line of one position is as empty as one of none
        if member and not (simple == "LineString" and isinstance(member, list) and len(member) == 1):
            yield number, simple, member


def _shapes(path: Path, parts: Sequence[Part]) -> tuple[Geometries, NDArray[np.int64]]:
    """shapely geometries of parts, and the feature of each."""
    rows = np.array([number for number, _, _ in parts], np.int64)
    kinds = np.array([kind for _, kind, _ in parts], np.str_)
    shapes = np.full(len(parts), None, np.object_)
    for kind, build in (("Point", _points), ("LineString", _lines), ("Polygon", _polygons)):
        places = np.flatnonzero(kinds == kind).tolist()
        if places:
            shapes[places] = _built(path, build, [parts[place] for place in places])
    return shapes, rows


def _built(path: Path, build: Any, parts: Sequence[Part]) -> Geometries:
    try:
        return build([coordinates for _, _, coordinates in parts])  # type: ignore[no-any-return]
    except _MALFORMED:
        # all at once is fast; one by one tells which
        for number, kind, coordinates in parts:
            try:
                build([coordinates])
            except _MALFORMED as error:
                shown = json.dumps(coordinates)[:80]
                raise LabelError(f"{path}: feature {number + 1} has broken coordinates of a {kind}: {shown}.") from error
        raise


def _points(members: Sequence[Any]) -> Geometries:
    return np.asarray(shapely.points(_coordinates(members)), np.object_)


def _lines(members: Sequence[Any]) -> Geometries:
    vertices = _coordinates(list(chain.from_iterable(members)))
    lines = shapely.from_ragged_array(shapely.GeometryType.LINESTRING, vertices, (_offsets(members),))
    return np.asarray(lines, np.object_)


def _polygons(members: Sequence[Any]) -> Geometries:
    """Polygons of rings; rings are closed where they are not, and of fewer than three corners left out."""
    if not all(isinstance(position, list) for rings in members for ring in rings for position in ring[:1]):
        raise ValueError("a polygon is a list of rings, which are lists of positions")
    polygons = [[_closed(ring) for ring in rings if len(ring) > 2] for rings in members]
    rings = list(chain.from_iterable(polygons))
    vertices = _coordinates(list(chain.from_iterable(rings)))
    offsets = (_offsets(rings), _offsets(polygons))
    return np.asarray(shapely.from_ragged_array(shapely.GeometryType.POLYGON, vertices, offsets), np.object_)


def _closed(ring: list[Any]) -> list[Any]:
    closed = ring if ring[0] == ring[-1] else [*ring, ring[0]]
    return closed if len(closed) > 3 else [*closed, ring[0]]


def _coordinates(positions: Sequence[Any]) -> NDArray[np.float64]:
    """(n, 2) of positions, of which some may have a height."""
    if not positions:
        return np.empty((0, 2))
    try:
        vertices = np.array(positions, np.float64)
    except ValueError:
        vertices = np.array([position[:2] for position in positions], np.float64)
    if vertices.ndim != 2 or vertices.shape[1] < 2:
        raise ValueError("positions are lists of two or more numbers")
    return vertices[:, :2]


def _offsets(members: Sequence[Sequence[Any]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum([len(member) for member in members])]).astype(np.int64)


def _tables(features: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attributes of each feature."""
    properties = [feature.get("properties") for feature in features]
    return [table if isinstance(table, dict) else {} for table in properties]


def _values(path: Path, attribute: str, features: Sequence[dict[str, Any]]) -> list[Any]:
    tables = _tables(features)
    known = set(chain.from_iterable(tables))
    if features and attribute not in known:
        raise unknown_attribute(path, attribute, known)
    return clean_values(path, attribute, (table.get(attribute) for table in tables))


def _crs(path: Path, document: dict[str, Any]) -> str | None:
    """Degrees by the standard; its predecessor let a file name another CRS, or none."""
    if "crs" not in document:
        return "OGC:CRS84"
    member = document["crs"]
    if member is None:
        return None
    properties = member.get("properties") if isinstance(member, dict) else None
    if isinstance(properties, dict):
        name = properties.get("name") if member.get("type") == "name" else None
        if isinstance(name, str) and _CRS_NAME.fullmatch(name):
            return name
    shown = json.dumps(member)[:80]
    raise LabelError(f"{path} names its CRS in a way that is not followed: {shown}. Remove the member 'crs' and set [labels] crs.")
