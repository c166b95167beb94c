"""Outlining a class map: its classes and their names, and the probabilities beside it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from terrazzo.drawing.qgis import categorized_style
from terrazzo.errors import RasterError, UsageError
from terrazzo.labels.carried import carried_legend
from terrazzo.labels.legend import LARGEST_VALUE, Legend
from terrazzo.labels.sentences import listed
from terrazzo.prediction.outputs.names import probabilities_path
from terrazzo.prediction.vectorize.bands import Band, Sources, band_rows, bands_of
from terrazzo.prediction.vectorize.files import VectorLayer, check_format, write_vectors
from terrazzo.prediction.vectorize.ground import AreaKind, area_kind, pixel_areas
from terrazzo.prediction.vectorize.merge import Pieces, merged
from terrazzo.prediction.vectorize.options import VectorOptions
from terrazzo.prediction.vectorize.rows import POLYGON_SCHEMA, PolygonRows, Summary
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster

logger = logging.getLogger(__name__)
BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class Outlined:
    """What became of a map."""

    classes: dict[int, Summary]
    """Of each class that there is a polygon of, by value."""
    names: dict[int, str]
    """Of the classes of the map, by value; empty if it carries no legend."""
    area_kind: AreaKind | None
    confident: bool
    """Whether there were probabilities beside the map."""


def write_polygons(class_map: Path, out: Path, options: VectorOptions, progress: Progress) -> Outlined:
    """Write the polygons of a class map, a row a 4-connected component; of classes that overlap, class after class.

    Raises RasterError if the map is broken or no class map, UsageError if the options name no class of it, DataError, EnvironmentFault.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(open_raster(class_map))
        check_format(out, raster.grid.crs if raster.grid.georeferenced else None)
        legend = carried_legend(raster)
        if legend is None or not legend.overlapping:
            check_class_map(raster)
        names = {} if legend is None else dict(zip(legend.values, legend.names, strict=True))
        sources = Sources(
            classes=raster,
            probabilities=None if legend is None else _probabilities(raster, legend, stack),
            values=tuple(names),
            wanted=wanted_values(options.classes, names),
            pixel_areas=pixel_areas(raster.grid),
        )
        apart = _apart(sources, legend, stack) if legend is not None and legend.overlapping else None
        rows = PolygonRows(raster.grid, names)
        pieces = _pieces(sources, options, progress) if apart is None else _pieces_apart(apart, options, progress)
        write_vectors(out, _layer(raster, legend), rows.batches(pieces))
        return Outlined(classes=rows.summary(), names=names, area_kind=area_kind(raster.grid), confident=sources.probabilities is not None)


def wanted_values(classes: str | None, names: dict[int, str]) -> frozenset[int]:
    """The values that an option `classes` means; see VectorOptions. names: of the map's classes, by value; none: any value may be there.

    Raises UsageError if one is no class of the map.
    """
    known = names or {value: str(value) for value in range(LARGEST_VALUE + 1)}
    if classes is None:
        return frozenset(value for value in known if value != 0 or names.get(0, BACKGROUND).casefold() != BACKGROUND)
    by_name = {name: value for value, name in known.items()}
    if classes.strip() == "all" and "all" not in by_name:
        return frozenset(known)
    texts = [classes] if classes in by_name else [text.strip() for text in classes.split(",")]
    found = {text: by_name.get(text, int(text) if text.isdecimal() else None) for text in texts}
    unknown = [text for text, value in found.items() if value not in known]
    if unknown:
        raise UsageError(f"[vectors] classes names {listed(unknown)}; the map has {listed(names.values(), 12) or 'values from 0 to 254'}.")
    return frozenset(value for value in found.values() if value is not None)


def _apart(sources: Sources, legend: Legend, stack: ExitStack) -> dict[int, Sources]:
    """Each wanted class of a map of classes that overlap as a map of its own, in which it is 1; by its value."""
    found: dict[int, Sources] = {}
    for band, value in enumerate(legend.values, start=1):
        if value in sources.wanted:
            one = DataOptions(bands=[band])
            shares = sources.probabilities
            found[value] = replace(
                sources,
                classes=stack.enter_context(open_raster(sources.classes.path, one)),
                probabilities=None if shares is None else stack.enter_context(open_raster(shares.path, one)),
                values=(1,),
                wanted=frozenset({1}),
            )
    return found


def _pieces(sources: Sources, options: VectorOptions, progress: Progress) -> Iterator[Pieces]:
    return merged(_told(sources, options, progress), band_rows(sources.classes.shape[1]))


def _pieces_apart(apart: Mapping[int, Sources], options: VectorOptions, progress: Progress) -> Iterator[Pieces]:
    for value, sources in apart.items():
        for piece in _pieces(sources, options, progress):
            yield replace(piece, values=np.full_like(piece.values, value))


def check_class_map(raster: Raster) -> None:
    """Raises RasterError for what has other bands or values than a class map."""
    if raster.bands != 1 or raster.dtype.name != "uint8":
        raise RasterError(f"{raster.path} has {raster.bands} bands of {raster.dtype}; a class map has one band of uint8.")


def _probabilities(raster: Raster, legend: Legend, stack: ExitStack) -> Raster | None:
    """The probabilities beside a map, if there are any and they belong to it; a warning says so if they do not."""
    path = probabilities_path(raster.path)
    if path == raster.path or not path.exists():
        return None
    found = stack.enter_context(open_raster(path))
    if found.shape == raster.shape and found.bands == len(legend.classes) and found.dtype.name == "uint16":
        return found
    logger.warning("%s does not belong to %s: it has another size or other classes. There is no confidence.", path.name, raster.path.name)
    return None


def _layer(raster: Raster, legend: Legend | None) -> VectorLayer:
    return VectorLayer(
        name="polygons",
        schema=POLYGON_SCHEMA,
        geometry_type="Polygon",
        crs=raster.grid.crs if raster.grid.georeferenced else None,
        style=None if legend is None else categorized_style("name", dict(zip(legend.names, legend.colors, strict=True))),
    )


def _told(sources: Sources, options: VectorOptions, progress: Progress) -> Iterator[Band]:
    rows = band_rows(sources.classes.shape[1])
    with progress.task("vectorize", -(-sources.classes.shape[0] // rows), "bands") as advance:
        for band in bands_of(sources, options.simplify_px):
            yield band
            advance(1)
