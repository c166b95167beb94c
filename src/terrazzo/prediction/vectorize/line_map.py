"""The lines of a class map as rows of a vector file, and what each class has of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from terrazzo.drawing.qgis import line_style
from terrazzo.labels.carried import carried_legend
from terrazzo.labels.legend import Legend
from terrazzo.prediction.vectorize.bands import band_rows
from terrazzo.prediction.vectorize.borders import border_bands
from terrazzo.prediction.vectorize.class_map import check_class_map, wanted_values
from terrazzo.prediction.vectorize.files import VectorLayer, check_format, write_vectors
from terrazzo.prediction.vectorize.ground import lengths_m, on_ground
from terrazzo.prediction.vectorize.joining import Key, LineBand, Lines, joined
from terrazzo.prediction.vectorize.options import VectorOptions
from terrazzo.prediction.vectorize.rows import GEOMETRY
from terrazzo.progress import Progress
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.raster import Raster, open_raster

LINE_SCHEMA = pa.schema(
    [
        ("value", pa.int16()),
        ("name", pa.string()),
        ("other_value", pa.int16()),
        ("other_name", pa.string()),
        ("length_m", pa.float64()),
        (GEOMETRY, pa.binary()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class LineSummary:
    """The lines between two classes."""

    lines: int = 0
    length_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lined:
    """What became of a map."""

    pairs: dict[Key, LineSummary]
    """Of each two classes that meet, by their values."""
    names: dict[int, str]
    """Of the classes of the map, by value; empty if it carries no legend."""
    measured: bool
    """Whether lengths are known."""


def write_borders(class_map: Path, out: Path, options: VectorOptions, progress: Progress) -> Lined:
    """Write the borders of the chosen classes with others, a row a line.

    Raises RasterError if the map is broken or no class map, UsageError if the options name no class of it, DataError, EnvironmentFault.
    """
    with open_raster(class_map) as raster:
        check_class_map(raster)
        check_format(out, raster.grid.crs if raster.grid.georeferenced else None)
        legend = carried_legend(raster)
        names = {} if legend is None else dict(zip(legend.values, legend.names, strict=True))
        wanted = wanted_values(options.classes, names)
        rows = _Rows(raster.grid, names, options.simplify_px)
        write_vectors(out, _layer(raster, legend), rows.batches(joined(_told(raster, wanted, progress))))
        return Lined(pairs=rows.pairs, names=names, measured=lengths_m(np.zeros(0, np.object_), raster.grid) is not None)


class _Rows:
    """Turns whole lines into rows, and adds up what each pair of classes has."""

    def __init__(self, grid: Grid, names: Mapping[int, str], simplify_px: float) -> None:
        self._grid = grid
        self._names = names
        self._simplify_px = simplify_px
        self.pairs: dict[Key, LineSummary] = {}

    def batches(self, found: Iterable[Lines]) -> Iterator[pa.RecordBatch]:
        for each in found:
            yield self._batch(each)

    def _batch(self, found: Lines) -> pa.RecordBatch:
        lines = shapely.simplify(found.lines, self._simplify_px) if self._simplify_px else found.lines
        placed = on_ground(lines, self._grid)
        lengths = lengths_m(placed, self._grid)
        before = self.pairs.get(found.key, LineSummary())
        self.pairs[found.key] = replace(
            before, lines=before.lines + len(lines), length_m=before.length_m + (0.0 if lengths is None else float(lengths.sum()))
        )
        columns: list[pa.Array] = []
        for value in found.key:
            columns += [
                pa.array([value] * len(lines), pa.int16()),
                pa.array([self._names.get(value, str(value))] * len(lines), pa.string()),
            ]
        columns.append(pa.nulls(len(lines), pa.float64()) if lengths is None else pa.array(lengths))
        columns.append(pa.array(shapely.to_wkb(placed).tolist(), pa.binary()))
        return pa.record_batch(columns, schema=LINE_SCHEMA)


def _layer(raster: Raster, legend: Legend | None) -> VectorLayer:
    return VectorLayer(
        name="borders",
        schema=LINE_SCHEMA,
        geometry_type="LineString",
        crs=raster.grid.crs if raster.grid.georeferenced else None,
        style=None if legend is None else line_style("name", dict(zip(legend.names, legend.colors, strict=True))),
    )


def _told(raster: Raster, wanted: frozenset[int], progress: Progress) -> Iterator[LineBand]:
    rows = band_rows(raster.shape[1])
    with progress.task("vectorize", -(-raster.shape[0] // rows), "bands") as advance:
        for band in border_bands(raster, wanted, rows):
            yield band
            advance(1)
