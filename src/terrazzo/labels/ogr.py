"""Layers of files that GDAL reads, and of GeoParquet. What opens a file is settled by its bytes before GDAL sees it."""

import json
import logging
import re
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyogrio
import shapely
from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile
from pyarrow.types import is_binary, is_large_binary
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from terrazzo.errors import LabelError
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.vector_formats import VectorFormat, read_xml
from terrazzo.labels.vector_table import Geometries, VectorTable, clean_values, split_parts, unknown_attribute

log = logging.getLogger(__name__)

T = TypeVar("T")

_FAILURES = (CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError)
_BROKEN = (*_FAILURES, ArrowException, shapely.errors.ShapelyError, ValueError, LookupError, OverflowError, OSError, UnboundLocalError)
"""What pyogrio, pyarrow and shapely raise on broken files; UnboundLocalError is pyogrio's slip over a CRS that GDAL cannot write out."""

_DRIVERS = {"KML": {"KML", "LIBKML"}}
"""Drivers that may open a format; default: the one of its name."""

_WARNINGS = threading.Lock()
"""Warnings are caught for the whole process, so by one thread at a time."""

_LARGEST_COLLECTION = 2**16
"""Bytes of a geometry collection in GeoParquet. GEOS recurses, and 100 000 collections inside each other end the process."""

_SPECIAL = re.compile(r"[!;?\x00-\x1f\x7f]|://")

_SAID = 5
"""Warnings of GDAL that are passed on."""

_UNPACKED_FLOOR, _UNPACKED_RATIO = 2**28, 200
"""Parquet columns of more bytes than the floor and than this many times the file's are refused."""


def read_ogr(path: Path, kind: VectorFormat, attribute: str | None, layer: str | None) -> VectorTable:
    """Read one layer.

    Raises LabelError if the file is broken, is opened by another driver than its bytes say, or has several layers and none is named.
    """
    return _opened(path, kind, lambda source, driver: _read(path, source, driver, attribute, layer))


def ogr_layers(path: Path, kind: VectorFormat) -> Mapping[str, tuple[str, ...]]:
    """The layers with geometries, and the attributes of each. Raises LabelError if the file is broken."""
    return _opened(path, kind, lambda source, driver: {name: _fields(path, source, driver, name) for name in _mapped(source, driver)})


def ogr_values(path: Path, kind: VectorFormat, layer: str) -> Mapping[str, Sequence[object]]:
    """The values of all attributes of a layer, feature by feature, as they stand there. Raises LabelError if the file is broken."""
    return _opened(path, kind, lambda source, driver: _values(path, source, driver, layer))


def _opened(path: Path, kind: VectorFormat, work: Callable[[str | bytes, str], T]) -> T:
    """What comes of a file's source (its name, or its bytes) and driver; warnings of GDAL are passed on."""
    driver, data = read_xml(path) if kind == "XML" else (kind, None)
    if kind == "GPKG":
        _check_database(path)
    try:
        with _WARNINGS, warnings.catch_warnings(record=True) as said, _plain_name(path) as name:
            found = work(name if data is None else data, driver)
    except _BROKEN as error:
        if isinstance(error, LabelError):
            raise
        reason = " ".join(str(error).split())
        raise LabelError(f"{path} cannot be read as {driver} ({reason[:160]}). Copy it again or leave it out.") from error
    for text in dict.fromkeys(" ".join(str(warning.message).split()) for warning in said[:_SAID]):
        log.warning("%s: %s", path, text)
    return found


def _read(path: Path, source: str | bytes, driver: str, attribute: str | None, layer: str | None) -> VectorTable:
    chosen = _layer(path, source, driver, layer)
    known = _fields(path, source, driver, chosen)
    if attribute is not None and attribute not in known:
        raise unknown_attribute(path, attribute, known)
    meta, _, geometries, columns = pyogrio.raw.read(
        source, layer=chosen, columns=[attribute] if attribute else [], force_2d=True, datetime_as_string=True
    )
    parts, rows = split_parts(shapely.from_wkb(geometries, on_invalid="ignore"))
    values = clean_values(path, attribute, columns[0].tolist()) if attribute else None
    return VectorTable(parts=parts, rows=rows, count=len(geometries), values=values, crs=meta["crs"])


def _fields(path: Path, source: str | bytes, driver: str, layer: str) -> tuple[str, ...]:
    """The attributes of a layer that can be read."""
    # forced: a file may claim more features than it has, and room would be made for them all
    info = pyogrio.read_info(source, layer=layer, force_feature_count=True)
    if info["driver"] not in _DRIVERS.get(driver, {driver}):
        raise LabelError(f"{path} looks like {driver}, but {info['driver']} would open it: it is not read.")
    size = len(source) if isinstance(source, bytes) else _size(path)
    if not 0 <= info["features"] <= size:
        raise LabelError(f"{path} claims {info['features']} features in {size} bytes: it is broken. Copy it again.")
    return tuple(map(str, info["fields"]))


def _values(path: Path, source: str | bytes, driver: str, layer: str) -> Mapping[str, Sequence[object]]:
    names = list(_fields(path, source, driver, layer))
    if not names:
        return {}
    meta, _, _, columns = pyogrio.raw.read(source, layer=layer, columns=names, read_geometry=False, datetime_as_string=True)
    return {str(name): column.tolist() for name, column in zip(meta["fields"], columns, strict=True)}


def _mapped(source: str | bytes, driver: str) -> list[str]:
    """The layers with geometries."""
    layers = [(str(name), kind) for name, kind in pyogrio.list_layers(source)]
    # GPX shows the points of its lines as layers too
    return [name for name, kind in layers if kind is not None and not (driver == "GPX" and name.endswith("_points"))]


def _layer(path: Path, source: str | bytes, driver: str, wanted: str | None) -> str:
    """The layer that is wanted, or the only one with geometries."""
    names = [str(name) for name, _ in pyogrio.list_layers(source)]
    if wanted is not None:
        if wanted not in names:
            raise LabelError(f"{path} has no layer {wanted!r}; it has {listed(names, 20) or 'none'}. Set [labels] layer to one of them.")
        return wanted
    mapped = _mapped(source, driver)
    if not mapped:
        raise LabelError(f"{path} has no layer with geometries; it has {listed(names, 20) or 'no layers'}.")
    if len(mapped) > 1:
        mapped = [name for name in mapped if pyogrio.read_info(source, layer=name, force_feature_count=True)["features"]] or mapped[:1]
    if len(mapped) > 1:
        raise LabelError(f"{path} has {len(mapped)} layers: {listed(mapped, 20)}. Set [labels] layer to one of them.")
    return mapped[0]


@contextmanager
def _plain_name(path: Path) -> Iterator[str]:
    """A file's name without signs in which pyogrio sees archives or addresses; that of a link for the time being where it has such."""
    if not _SPECIAL.search(str(path.absolute())):
        yield str(path.absolute())
        return
    stem = _SPECIAL.sub("_", path.stem)
    with tempfile.TemporaryDirectory() as folder:
        for member in path.parent.iterdir():
            if member.stem == path.stem:
                Path(folder, stem + member.suffix).symlink_to(member.absolute())
        yield str(Path(folder, stem + path.suffix))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    return sum(member.stat().st_size for member in path.iterdir()) if path.is_dir() else path.stat().st_size


def _check_database(path: Path) -> None:
    """Raise LabelError if tables of a GeoPackage are not stored but computed: a query may never end."""
    try:
        # immutable: nothing is written beside the file
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True) as database:
            found = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'view' "
                "OR (type = 'table' AND sql LIKE 'create virtual%' AND sql NOT LIKE '%using rtree%' AND sql NOT LIKE '%using \"rtree\"%')"
            ).fetchall()
        database.close()
    except (sqlite3.Error, UnicodeError) as error:
        raise LabelError(f"{path} is a broken GeoPackage ({error}). Copy it again or leave it out.") from error
    if found:
        names = listed(str(name) for (name,) in found)
        raise LabelError(f"{path} has views or virtual tables ({names}), which are not opened. Save the layer to a GeoPackage of its own.")


def read_parquet(path: Path, attribute: str | None, layer: str | None) -> VectorTable:
    """Read GeoParquet.

    Raises LabelError if the file is broken, no GeoParquet, or unpacks to far more than its size.
    """
    if layer is not None and layer != path.stem:
        raise LabelError(f"{path} is GeoParquet, which has no layers; [labels] layer is {layer!r}. Leave it out.")
    return _opened_parquet(path, lambda file: _read_parquet(path, file, attribute))


def parquet_values(path: Path) -> Mapping[str, Sequence[object]]:
    """The values of all columns but the geometries, row by row. Raises LabelError as read_parquet does."""
    return _opened_parquet(path, lambda file: _parquet_values(path, file))


def _opened_parquet(path: Path, work: Callable[[Any], T]) -> T:
    try:
        with ParquetFile(path.absolute(), memory_map=False) as file:
            return work(file)
    except _BROKEN as error:
        if isinstance(error, LabelError):
            raise
        reason = " ".join(str(error).split())
        raise LabelError(f"{path} cannot be read as GeoParquet ({reason[:160]}). Copy it again or leave it out.") from error


def _read_parquet(path: Path, file: Any, attribute: str | None) -> VectorTable:
    name, about = _geometry_column(path, file.schema_arrow.metadata or {})
    schema = file.schema_arrow
    if name not in schema.names or not (is_binary(schema.field(name).type) or is_large_binary(schema.field(name).type)):
        raise LabelError(f"{path} has no column {name!r:.40} of WKB, as it says it has: it is broken.")
    known = [column for column in schema.names if column != name]
    if attribute is not None and attribute not in known:
        raise unknown_attribute(path, attribute, known)
    _check_unpacked(path, file.metadata)
    table = file.read(columns=[name, *([attribute] if attribute else [])])
    parts, rows = split_parts(_from_wkb(path, table.column(name).to_pylist()))
    values = clean_values(path, attribute, table.column(attribute).to_pylist()) if attribute else None
    crs = about.get("crs", "OGC:CRS84")
    return VectorTable(
        parts=parts,
        rows=rows,
        count=table.num_rows,
        values=values,
        crs=json.dumps(crs) if isinstance(crs, dict) else crs,
        crs_by_rule="crs" not in about,
    )


def _parquet_values(path: Path, file: Any) -> Mapping[str, Sequence[object]]:
    name, _ = _geometry_column(path, file.schema_arrow.metadata or {})
    _check_unpacked(path, file.metadata)
    table = file.read(columns=[column for column in file.schema_arrow.names if column != name])
    return {str(column): table.column(column).to_pylist() for column in table.column_names}


def _geometry_column(path: Path, metadata: Mapping[bytes, bytes]) -> tuple[str, Mapping[str, Any]]:
    """The main column of geometries and what the file says about it."""
    try:
        geo = json.loads(metadata[b"geo"])
        name, about = geo["primary_column"], geo["columns"][geo["primary_column"]]
        encoding, crs = about["encoding"], about.get("crs")
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise LabelError(f"{path} is Parquet, but not GeoParquet: it does not tell its column of geometries.") from error
    if encoding != "WKB":
        raise LabelError(f"{path} keeps its geometries as {encoding!r:.40}; only WKB is read. Save it anew with geopandas or QGIS.")
    if not isinstance(crs, dict | str | None):
        raise LabelError(f"{path} has a broken CRS: {crs!r:.60}.")
    return name, about


def _check_unpacked(path: Path, metadata: Any) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked, size = sum(group.total_byte_size for group in groups), path.stat().st_size
    if unpacked > max(_UNPACKED_FLOOR, _UNPACKED_RATIO * size):
        raise LabelError(f"{path} unpacks from {size} to {unpacked} bytes: it is not opened.")


def _from_wkb(path: Path, stored: list[bytes | None]) -> Geometries:
    for number, geometry in enumerate(stored, start=1):
        if geometry is not None and len(geometry) > _LARGEST_COLLECTION and 7 in geometry[1:5]:
            raise LabelError(
                f"{path}: feature {number} is a collection of {counted(len(geometry), 'byte')}; split it into its parts (at most 65536)."
            )
    return np.asarray(shapely.from_wkb(stored, on_invalid="ignore"), np.object_)
