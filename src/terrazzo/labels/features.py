"""The features of a vector file that can be drawn: single flat geometries, what was left out, and what crosses itself."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.labels.vector_table import Geometries

POINT, LINE, POLYGON = shapely.GeometryType.POINT, shapely.GeometryType.LINESTRING, shapely.GeometryType.POLYGON

_PIECE = 16
"""Segments of a piece of a line."""
_CHECKED = 5000
"""Corners of a polygon up to which it is checked; the check of a hostile one takes their square."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Polygons, pieces of lines, and points, in the order of the file."""

    parts: Geometries
    """Single 2-D geometries, not empty, of finite coordinates."""
    rows: NDArray[np.int64]
    """Which feature each part is of, from 0."""
    dropped: int
    """Features that are not drawn or not whole: no geometry, an empty one, or coordinates that are not finite."""
    crossing: int
    """Polygons that cross themselves."""


def clean(parts: Geometries, rows: NDArray[np.int64], count: int) -> Features:
    """Make parts of `count` features drawable.

    Polygons that cross themselves stay as they are: they are filled by the even-odd rule, which gives the pixels that
    `shapely.make_valid` would, without its cost on hostile ones.
    """
    flat = shapely.force_2d(parts)
    coordinates, origins = shapely.get_coordinates(flat, return_index=True)
    broken = np.zeros(len(flat), np.bool_)
    broken[origins[~np.isfinite(coordinates).all(axis=1)]] = True
    kept = ~(broken | shapely.is_empty(flat))
    drawn, rows_drawn = flat[kept], rows[kept]
    dropped = np.ones(count, np.bool_)
    dropped[rows_drawn] = False
    dropped[rows[broken]] = True
    pieces, origin = _cut_lines(drawn)
    return Features(parts=pieces, rows=rows_drawn[origin], dropped=int(dropped.sum()), crossing=_crossing(pieces))


def _cut_lines(parts: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Long lines in pieces, and which part each is of: a window needs few of them, and their outlines are quick to find.

    A line with a width is the union of its pieces with that width, so that nothing changes.
    """
    long = (shapely.get_type_id(parts) == LINE) & (shapely.get_num_coordinates(parts) > _PIECE + 1)
    if not long.any():
        return parts, np.arange(len(parts))
    pieces = [_pieces(part) if cut else [part] for part, cut in zip(parts, long, strict=True)]
    found = np.empty(sum(map(len, pieces)), np.object_)
    found[:] = [piece for members in pieces for piece in members]
    return found, np.repeat(np.arange(len(parts)), [len(members) for members in pieces])


def _pieces(line: shapely.LineString) -> list[shapely.LineString]:
    vertices = shapely.get_coordinates(line)
    return [shapely.LineString(vertices[start : start + _PIECE + 1]) for start in range(0, len(vertices) - 1, _PIECE)]


def _crossing(parts: Geometries) -> int:
    polygons = parts[(shapely.get_type_id(parts) == POLYGON) & (shapely.get_num_coordinates(parts) <= _CHECKED)]
    return int(np.count_nonzero(~shapely.is_valid(polygons)))
