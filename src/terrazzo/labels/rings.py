"""Rings under the even-odd rule, cut down to a rectangle without changing what they fill in it."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

Vertices = NDArray[np.float64]
"""(n, 2) corners of a ring; the last is not the first."""
Rectangle = tuple[float, float, float, float]
"""Least x and y, largest x and y."""

_SIDES: Final = ((0, 0, -1.0), (1, 1, -1.0), (0, 2, 1.0), (1, 3, 1.0))
"""Axis, which number of the rectangle, and the direction that leads out of it."""


def clip(polygon: shapely.Polygon, rectangle: Rectangle) -> shapely.Polygon | None:
    """A polygon within a rectangle; where it reaches beyond, its edge follows the rectangle's. None if nothing is left.

    The polygon may cross itself: an even-odd fill within the rectangle stays the same.
    Source: Sutherland and Hodgman, Reentrant polygon clipping, CACM 17 (1974).
    """
    rings = [shapely.get_coordinates(ring)[:-1] for ring in (polygon.exterior, *polygon.interiors)]
    kept = [ring for ring in (_clip_ring(ring, rectangle) for ring in rings) if len(ring) > 2]
    return shapely.Polygon(kept[0], kept[1:]) if kept else None


def divide(part: shapely.Polygon | shapely.LineString, step: float) -> shapely.Polygon | shapely.LineString:
    """A polygon or line whose edges are no longer than `step`: the same but for vertices along its long edges.

    Not shapely.segmentize: it repairs polygons that cross themselves, which takes the square of their vertices.
    """
    if isinstance(part, shapely.LineString):
        return shapely.LineString(_divided(shapely.get_coordinates(part), step))
    rings = [_divided(shapely.get_coordinates(ring), step) for ring in (part.exterior, *part.interiors)]
    return shapely.Polygon(rings[0], rings[1:])


def thin(ring: Vertices, rectangle: Rectangle) -> Vertices | None:
    """A ring with fewer vertices that fills the same pixels of a rectangle, bit for bit; None if it fills none of them.

    Where the ring runs beyond one side of the rectangle for a while, only the first and the last vertex there are kept: a straight
    line between them crosses every row or column as often, odd or even, as the vertices between did.
    """
    for axis, number, out in _SIDES:
        beyond = out * (ring[:, axis] - rectangle[number]) > 0
        if beyond.all():
            return None
        if beyond.any():
            ring = ring[~(beyond & np.roll(beyond, 1) & np.roll(beyond, -1))]
    return ring


def _divided(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    edges = np.diff(points, axis=0)
    counts = np.maximum(np.ceil(np.hypot(edges[:, 0], edges[:, 1]) / step), 1).astype(np.int64)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    shares = (np.arange(counts.sum()) - before) / np.repeat(counts, counts)
    within = np.repeat(points[:-1], counts, axis=0) + shares[:, np.newaxis] * np.repeat(edges, counts, axis=0)
    return np.concatenate([within, points[-1:]])


def _clip_ring(ring: Vertices, rectangle: Rectangle) -> Vertices:
    for axis, number, out in _SIDES:
        if len(ring):
            ring = _clip_side(ring, axis, rectangle[number], out)
    return ring


def _clip_side(ring: Vertices, axis: int, bound: float, out: float) -> Vertices:
    distance = out * (bound - ring[:, axis])
    inside = distance >= 0
    after, distance_after = np.roll(ring, -1, axis=0), np.roll(distance, -1)
    crosses = inside != np.roll(inside, -1)
    share = np.divide(distance, distance - distance_after, out=np.zeros_like(distance), where=crosses)
    crossings = ring + share[:, np.newaxis] * (after - ring)
    crossings[:, axis] = bound
    # each vertex, then where the edge from it leaves or enters
    both = np.stack([ring, crossings], axis=1).reshape(-1, 2)
    clipped: Vertices = both[np.stack([inside, crosses], axis=1).ravel()]
    return clipped
