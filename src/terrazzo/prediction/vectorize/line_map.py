"""The lines of a class map as a vector file: borders between classes, or centre lines of them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from terrazzo.drawing.qgis import line_style
from terrazzo.labels.carried import carried_legend
from terrazzo.labels.legend import Legend
from terrazzo.prediction.vectorize.bands import ROWS_STEP, band_rows
from terrazzo.prediction.vectorize.borders import border_bands
from terrazzo.prediction.vectorize.centrelines import Centrelines
from terrazzo.prediction.vectorize.class_map import check_class_map, wanted_values
from terrazzo.prediction.vectorize.files import VectorLayer, check_format, write_vectors
from terrazzo.prediction.vectorize.ground import lengths_m
from terrazzo.prediction.vectorize.joining import Key, LineBand, joined
from terrazzo.prediction.vectorize.line_rows import BORDER_SCHEMA, CENTRELINE_SCHEMA, LineRows, LineSummary
from terrazzo.prediction.vectorize.options import VectorOptions
from terrazzo.progress import Progress
from terrazzo.rasters.raster import Raster, open_raster

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Lined:
    """What became of a map."""

    kind: Literal["pairs", "classes"]
    """What the lines are of."""
    summaries: dict[Key, LineSummary]
    """Of each class, or of each two that meet, by their values."""
    names: dict[int, str]
    """Of the classes of the map, by value; empty if it carries no legend."""
    measured: bool
    """Whether lengths are known."""


def write_lines(class_map: Path, out: Path, options: VectorOptions, progress: Progress) -> Lined:
    """Write the borders of the chosen classes with others, or the centre lines of the chosen classes, a row a line.

    Raises RasterError if the map is broken or no class map, UsageError if the options name no class of it, DataError, EnvironmentFault.
    """
    with open_raster(class_map) as raster:
        check_class_map(raster)
        check_format(out, raster.grid.crs if raster.grid.georeferenced else None)
        legend = carried_legend(raster)
        names = {} if legend is None else dict(zip(legend.values, legend.names, strict=True))
        wanted = wanted_values(options.classes, names)
        borders = options.geometry == "borders"
        bands = _borders(raster, wanted, progress) if borders else _centrelines(raster, wanted, names, options, progress)
        schema = BORDER_SCHEMA if borders else CENTRELINE_SCHEMA
        rows = LineRows(raster.grid, names, options.simplify_px, schema)
        write_vectors(out, _layer(options.geometry, schema, raster, legend), rows.batches(joined(bands)))
        return Lined(
            kind="pairs" if borders else "classes",
            summaries=rows.summaries,
            names=names,
            measured=lengths_m(np.zeros(0, np.object_), raster.grid) is not None,
        )


def _borders(raster: Raster, wanted: frozenset[int], progress: Progress) -> Iterator[LineBand]:
    rows = band_rows(raster.shape[1])
    yield from _told(border_bands(raster, wanted, rows), raster, rows, progress)


def _centrelines(
    raster: Raster, wanted: frozenset[int], names: dict[int, str], options: VectorOptions, progress: Progress
) -> Iterator[LineBand]:
    centrelines = Centrelines(raster, wanted, options)
    # at least as high as what is read around them, of which there is twice as much
    rows = max(band_rows(raster.shape[1]), -(-2 * centrelines.reach // ROWS_STEP) * ROWS_STEP)
    yield from _told(centrelines.bands(rows), raster, rows, progress)
    for value, pixels in sorted(centrelines.wide.items()):
        if pixels:
            logger.warning(
                "%.1f %% of the pixels of %s are where it is wider than %d px, and have no centre line. For lines there, raise widest_px.",
                100 * pixels / centrelines.pixels[value],
                names.get(value, value),
                options.widest_px,
            )


def _told(bands: Iterator[LineBand], raster: Raster, rows: int, progress: Progress) -> Iterator[LineBand]:
    with progress.task("vectorize", -(-raster.shape[0] // rows), "bands") as advance:
        for band in bands:
            yield band
            advance(1)


def _layer(name: str, schema: pa.Schema, raster: Raster, legend: Legend | None) -> VectorLayer:
    return VectorLayer(
        name=name,
        schema=schema,
        geometry_type="LineString",
        crs=raster.grid.crs if raster.grid.georeferenced else None,
        style=None if legend is None else line_style("name", dict(zip(legend.names, legend.colors, strict=True))),
    )
