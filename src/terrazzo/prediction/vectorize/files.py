"""Vector files, written row by row: GeoPackage, FlatGeobuf, GeoJSON, GeoParquet."""

import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from rasterio.crs import CRS

from terrazzo.drawing.qgis import layer_styles
from terrazzo.errors import DataError, EnvironmentFault, UsageError
from terrazzo.prediction.vectorize.rows import GEOMETRY
from terrazzo.rasters.grid import crs_name
from terrazzo.rasters.write import writing

DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON", ".parquet": "Parquet"}
FAILURES = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, RuntimeError)
"""Of the library; the last one where the stream of rows ends in an error."""
LONGEST_CAUSE = 120
"""Characters of what the library says."""
INDEX_BYTES = 128 * 2**20
"""Memory for a GeoPackage's spatial index, which is on disk beyond; by itself it would grow with the rows to a tenth of the machine's."""
INDEX_SETTING = "OGR_GPKG_MAX_RAM_USAGE_RTREE"


@dataclass(frozen=True, kw_only=True)
class VectorLayer:
    """What a vector file holds besides its rows."""

    name: str
    schema: pa.Schema
    geometry_type: str
    """Such as Polygon."""
    crs: CRS | None
    style: str | None = None
    """Of `drawing.qgis`, kept in GeoPackages."""


def check_format(path: Path, crs: CRS | None) -> None:
    """Refuse what no vector file can be. Raises UsageError for another ending, DataError for GeoJSON without a place on the ground."""
    if path.suffix.lower() not in DRIVERS:
        raise UsageError(f"{path} is to be a vector file: give a name that ends in {', '.join(DRIVERS)}.")
    if DRIVERS[path.suffix.lower()] == "GeoJSON" and crs is None:
        raise DataError(f"{path}: GeoJSON is in degrees, and the map has no map coordinates. Give a name that ends in .gpkg or .parquet.")


def write_vectors(path: Path, layer: VectorLayer, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a vector file as its rows come; returns their number. Under its name it is whole, and its rows were counted again.

    GeoJSON is in EPSG:4326. Raises EnvironmentFault if it cannot be written; errors of the rows are raised as they are.
    """
    with writing(path) as temporary:
        if path.suffix.lower() == ".parquet":
            return _write_parquet(temporary, layer, batches)
        stream = _Stream(layer.schema, batches)
        try:
            _write_ogr(temporary, layer, stream)
            counted = int(pyogrio.read_info(temporary, layer=_stored_name(temporary, layer), force_feature_count=True)["features"])
        except FAILURES as error:
            stream.reraise()
            raise vector_fault(path, error) from error
        stream.reraise()
        if counted != stream.rows:
            raise EnvironmentFault(f"{path} got {counted} of {stream.rows} rows. The disk may be full or broken; choose another folder.")
        return stream.rows


def vector_fault(path: Path, error: Exception) -> EnvironmentFault:
    """What is told where the library could not write a vector file; its own words may be a whole statement of SQL."""
    cause = shorten(" ".join(str(error).split()), LONGEST_CAUSE, placeholder=" ...")
    return EnvironmentFault(f"{path} cannot be written ({cause}). Free the disk or choose another folder.")


class _Stream:
    """Batches for a library in C, which does not pass on what is raised here."""

    def __init__(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        self._error: BaseException | None = None
        self.rows = 0
        self.reader = pa.RecordBatchReader.from_batches(schema, self._counted())

    def reraise(self) -> None:
        """Raise what the batches raised."""
        if self._error is not None:
            raise self._error

    def _counted(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += len(batch)
                yield batch
        except BaseException as error:  # whatever it is, it is raised once the library has returned
            self._error = error
            raise


def _write_ogr(path: Path, layer: VectorLayer, stream: _Stream) -> None:
    driver = DRIVERS[path.suffix.lower()]
    options = {"RFC7946": "YES", "COORDINATE_PRECISION": "9"} if driver == "GeoJSON" else {}
    if driver == "GPKG" and pyogrio.get_gdal_config_option(INDEX_SETTING) is None:
        pyogrio.set_gdal_config_options({INDEX_SETTING: str(INDEX_BYTES)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")
        pyogrio.write_arrow(
            stream.reader,
            path,
            layer=layer.name,
            driver=driver,
            geometry_name=GEOMETRY,
            geometry_type=layer.geometry_type,
            crs=None if layer.crs is None else _crs_text(layer.crs),
            **options,
        )
        if driver == "GPKG" and layer.style is not None:
            pyogrio.write_dataframe(layer_styles({layer.name: layer.style}, geometry=GEOMETRY), path, layer="layer_styles")


def _stored_name(path: Path, layer: VectorLayer) -> str | int:
    # of the formats of one layer some give it the name of the file
    return layer.name if path.suffix.lower() == ".gpkg" else 0


def _crs_text(crs: CRS) -> str:
    name = crs_name(crs)
    return name if name.startswith("EPSG:") else str(crs.to_wkt())


def _write_parquet(path: Path, layer: VectorLayer, batches: Iterable[pa.RecordBatch]) -> int:
    """GeoParquet 1.1 with the bounding box of each row."""
    box = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
    schema = layer.schema.append(pa.field("bbox", box))
    bounds = [np.inf, np.inf, -np.inf, -np.inf]
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            each = shapely.bounds(shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))).reshape(-1, 4)
            boxes = pa.StructArray.from_arrays([pa.array(side) for side in each.T], fields=list(box))
            writer.write_batch(pa.record_batch([*batch.columns, boxes], schema=schema))
            rows += len(batch)
            bounds = [*np.minimum(bounds[:2], each[:, :2].min(axis=0)), *np.maximum(bounds[2:], each[:, 2:].max(axis=0))]
        writer.add_key_value_metadata({"geo": json.dumps(_geo(layer, [float(side) for side in bounds] if rows else None))})
    return rows


def _geo(layer: VectorLayer, bounds: list[float] | None) -> dict[str, object]:
    crs = None if layer.crs is None else json.loads(pyproj.CRS.from_wkt(layer.crs.to_wkt()).to_json())
    column = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": crs,
        "covering": {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}},
        **({} if bounds is None else {"bbox": bounds}),
    }
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
