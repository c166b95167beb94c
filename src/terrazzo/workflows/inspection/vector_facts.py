"""What vector files hold: layers, geometries, places, and attributes that classes may come from."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from terrazzo.errors import LabelError
from terrazzo.labels.features import LINE, POINT, POLYGON, Features, clean
from terrazzo.labels.geojson import geojson_values, read_geojson
from terrazzo.labels.ogr import ogr_layers, ogr_values, parquet_values, read_ogr, read_parquet
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.vector_crs import PIXELS, check_degrees, file_crs
from terrazzo.labels.vector_formats import VectorFormat, sniff_vector
from terrazzo.labels.vector_table import Geometries, VectorTable
from terrazzo.workflows.inspection.class_shares import quiet
from terrazzo.workflows.inspection.place_facts import Bounds, lonlat_bounds

MOST_VALUES = 24
"""An attribute of more different values than this names no classes."""
NAMES = {POLYGON: "polygons", LINE: "lines", POINT: "points"}


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute of a layer."""

    name: str
    missing: int
    """Features that have no value of it."""
    distinct: int
    counts: Mapping[str, int]
    """Value to features, the most frequent first; empty where there are many."""
    measured: bool
    """Whether values are numbers with fractions."""

    @property
    def may_be_class(self) -> bool:
        """Whether classes may come from it: few names or whole numbers, and each feature has one."""
        return 1 < self.distinct <= MOST_VALUES and not self.missing and not self.measured

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {"name": self.name, "missing": self.missing, "distinct": self.distinct, "counts": dict(self.counts)}


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """A layer of a vector file."""

    name: str
    features: int
    parts: Mapping[str, int]
    """Single polygons, lines and points."""
    dropped: int
    """Features without a geometry that can be drawn."""
    crossing: int
    """Polygons that cross themselves."""
    crs: str | None
    """Code or name; None where nobody says it."""
    bounds: Bounds | None
    lonlat: Bounds | None
    attributes: Sequence[Attribute]
    geometries: Geometries
    """Those that can be drawn, in the order of the features."""
    rows: NDArray[np.int64]
    """Which feature each is of, from 0."""
    values: Sequence[object] | None
    """Of [labels] attribute, feature by feature."""
    misplaced: str = ""
    """Why the coordinates cannot be in the CRS."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "name": self.name,
            "features": self.features,
            "parts": dict(self.parts),
            "dropped": self.dropped,
            "crossing": self.crossing,
            "crs": self.crs,
            "bounds": list(self.bounds) if self.bounds else None,
            "lonlat": list(self.lonlat) if self.lonlat else None,
            "attributes": [attribute.plain() for attribute in self.attributes],
        }


@dataclass(frozen=True, kw_only=True)
class VectorFacts:
    """A vector file."""

    path: Path
    format: VectorFormat
    layers: Sequence[LayerFacts]

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "kind": "vectors",
            "path": str(self.path.absolute()),
            "format": self.format,
            "layers": [layer.plain() for layer in self.layers],
        }


def vector_facts(path: Path, options: LabelOptions) -> VectorFacts:
    """Read a vector file: the layer of the options, or all. Raises LabelError if it is broken, UsageError if the options' CRS is."""
    kind = sniff_vector(path)
    with quiet("terrazzo.labels"):
        names = _layers(path, kind) if options.layer is None else [options.layer]
        return VectorFacts(path=path, format=kind, layers=[_layer(path, kind, name, options) for name in names])


def _layers(path: Path, kind: VectorFormat) -> list[str]:
    if kind in ("GeoJSON", "Parquet"):
        return [path.stem]
    return list(ogr_layers(path, kind))


def _layer(path: Path, kind: VectorFormat, name: str, options: LabelOptions) -> LayerFacts:
    table, values = _read(path, kind, name)
    features = clean(table.parts, table.rows, table.count)
    bounds = _bounds(features)
    crs, misplaced = _crs(path, table, bounds, options)
    return LayerFacts(
        name=name,
        features=table.count,
        parts=_types(table.parts),
        dropped=features.dropped,
        crossing=features.crossing,
        crs=_name(crs) if crs is not None else None,
        bounds=bounds,
        lonlat=lonlat_bounds(crs, bounds) if crs is not None and bounds is not None and not misplaced else None,
        attributes=[_attribute(column, found) for column, found in values.items()],
        geometries=features.parts,
        rows=features.rows,
        values=values.get(options.attribute) if options.attribute is not None else None,
        misplaced=misplaced,
    )


def _read(path: Path, kind: VectorFormat, name: str) -> tuple[VectorTable, Mapping[str, Sequence[object]]]:
    if kind == "GeoJSON":
        return read_geojson(path, None, None), geojson_values(path)
    if kind == "Parquet":
        return read_parquet(path, None, None), parquet_values(path)
    return read_ogr(path, kind, None, name), ogr_values(path, kind, name)


def _crs(path: Path, table: VectorTable, bounds: Bounds | None, options: LabelOptions) -> tuple[CRS | None, str]:
    """The CRS, and why the coordinates cannot be in it."""
    if options.crs is not None and options.crs.casefold() == PIXELS:
        return None, ""
    crs = file_crs(path, table, options.crs)
    try:
        if crs is not None and bounds is not None:
            check_degrees(path, crs, bounds)
    except LabelError as error:
        return crs, str(error)
    return crs, ""


def _name(crs: CRS) -> str:
    """The code of a CRS, else its name."""
    text = str(crs.to_string())
    return text if ":" in text and "[" not in text and "+" not in text else str(crs.name)


def _bounds(features: Features) -> Bounds | None:
    if not len(features.parts):
        return None
    west, south, east, north = shapely.total_bounds(features.parts).tolist()
    return west, south, east, north


def _types(parts: Geometries) -> dict[str, int]:
    counts = Counter(shapely.get_type_id(parts).tolist())
    return {name: counts[number] for number, name in NAMES.items() if counts[number]}


def _attribute(name: str, values: Sequence[object]) -> Attribute:
    there = Counter(value_text(value) for value in values if not _is_missing(value))
    return Attribute(
        name=name,
        missing=sum(_is_missing(value) for value in values),
        distinct=len(there),
        counts=dict(there.most_common()) if len(there) <= MOST_VALUES else {},
        measured=any(isinstance(value, float) and math.isfinite(value) and not value.is_integer() for value in values),
    )


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and math.isnan(value))


def value_text(value: object) -> str:
    """A value as it is counted and shown: 1, not 1.0."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return str(value)[:200]
