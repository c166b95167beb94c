"""Components that go on from band to band become one polygon each, and are handed out as soon as they are whole.

Memory is that of a band and of the components that are not whole yet, never of the raster's height.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.prediction.vectorize.bands import Band, Sums
from terrazzo.prediction.vectorize.outlines import OUTSIDE, Corners


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Whole components, each array (n,)."""

    polygons: NDArray[np.object_]
    """In pixels of the raster."""
    values: NDArray[np.uint8]
    sums: Sums


@dataclass(kw_only=True)
class _Open:
    """A component that touches the rows still to come."""

    value: int
    parts: list[shapely.Polygon] = field(default_factory=list)
    pixels: int = 0
    area_m2: float = 0.0
    probability: float = 0.0

    def take(self, other: "_Open") -> None:
        self.parts += other.parts
        self.pixels += other.pixels
        self.area_m2 += other.area_m2
        self.probability += other.probability


def merged(bands: Iterable[Band], rows: int) -> Iterator[Pieces]:
    """The components of a whole raster from those of its bands, top to bottom. rows: height of all bands but the last."""
    merger = _Merger(rows)
    for band in bands:
        yield from merger.add(band)
    yield from merger.rest()


class _Merger:
    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._seams: list[Corners] = []
        self._open: list[_Open] = []
        self._bottom: NDArray[np.int32] | None = None
        """(width,): which of the open components the last row's pixels belong to."""

    def add(self, band: Band) -> Iterator[Pieces]:
        """The components that end in the band."""
        self._seams.append(band.seam)
        count = len(self._open)
        pairs = self._meeting(band)
        lasting = np.unique(band.bottom[band.bottom != OUTSIDE])
        held = np.union1d(pairs[:, 1], lasting)
        free = np.ones(len(band.values), np.bool_)
        free[held] = False
        if free.any():
            yield Pieces(polygons=band.polygons[free], values=band.values[free], sums=band.sums.at(np.flatnonzero(free)))
        # the open ones, then those of the band that go on upwards or downwards
        members = [*self._open, *(_opened(band, number) for number in held.tolist())]
        links = [(upper, count + int(np.searchsorted(held, lower))) for upper, lower in pairs.tolist()]
        ends = {count + int(place) for place in np.searchsorted(held, lasting)}
        self._open, closed, position = _grouped(members, links, ends)
        self._bottom = np.full(len(band.bottom), OUTSIDE, np.int32)
        inside = band.bottom != OUTSIDE
        self._bottom[inside] = position[count + np.searchsorted(held, band.bottom[inside])]
        if closed:
            yield self._finished(closed)

    def rest(self) -> Iterator[Pieces]:
        """Those that reach the last row."""
        if self._open:
            yield self._finished(self._open)

    def _meeting(self, band: Band) -> NDArray[np.int64]:
        """(n, 2): an open component and one of the band that are one."""
        if self._bottom is None:
            return np.zeros((0, 2), np.int64)
        classes = np.array([each.value for each in self._open] + [-1], np.int64)
        below = np.append(band.values.astype(np.int64), -2)
        touching = classes[self._bottom] == below[band.top]
        return np.unique(np.stack([self._bottom[touching], band.top[touching]], axis=1).astype(np.int64), axis=0)

    def _finished(self, closed: list[_Open]) -> Pieces:
        polygons = np.array([_united(each.parts) for each in closed], np.object_)
        return Pieces(
            polygons=_without_seams(polygons, self._seams, self._rows),
            values=np.array([each.value for each in closed], np.uint8),
            sums=Sums(
                pixels=np.array([each.pixels for each in closed], np.int64),
                area_m2=np.array([each.area_m2 for each in closed]),
                probability=np.array([each.probability for each in closed]),
            ),
        )


def _opened(band: Band, number: int) -> _Open:
    return _Open(
        value=int(band.values[number]),
        parts=[band.polygons[number]],
        pixels=int(band.sums.pixels[number]),
        area_m2=float(band.sums.area_m2[number]),
        probability=float(band.sums.probability[number]),
    )


def _grouped(members: list[_Open], links: list[tuple[int, int]], ends: set[int]) -> tuple[list[_Open], list[_Open], NDArray[np.int32]]:
    """Put linked members together: those that last, those that are whole, and where each member is among those that last."""
    roots = list(range(len(members)))

    def root(number: int) -> int:
        while roots[number] != number:
            roots[number] = roots[roots[number]]
            number = roots[number]
        return number

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        roots[high] = low
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number in range(len(members)):
        groups[root(number)].append(number)
    lasting: list[_Open] = []
    closed: list[_Open] = []
    position = np.full(len(members), OUTSIDE, np.int32)
    for first, others in groups.items():
        for other in others[1:]:
            members[first].take(members[other])
        if ends.isdisjoint(others):
            closed.append(members[first])
        else:
            position[others] = len(lasting)
            lasting.append(members[first])
    return lasting, closed, position


def _united(parts: list[shapely.Polygon]) -> shapely.Polygon:
    """Parts that share whole edges, vertex by vertex, as one polygon."""
    if len(parts) == 1:
        return parts[0]
    united = shapely.coverage_union_all(parts)
    assert shapely.get_num_geometries(united) == 1
    return shapely.get_geometry(united, 0)


def _without_seams(polygons: NDArray[np.object_], seams: list[Corners], rows: int) -> NDArray[np.object_]:
    """Leave out the vertices that are there only because a seam crosses the outline there."""
    parts = shapely.get_rings(polygons)
    places, ring = shapely.get_coordinates(parts, return_index=True)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.append(first[1:], len(places)) - 1
    before, after = np.arange(len(places)) - 1, np.arange(len(places)) + 1
    # the last place of a ring is its first again
    before[first], after[last] = last - 1, first + 1
    band, rest = np.divmod(places[:, 1], rows)
    on_seam = np.flatnonzero((rest == 0) & (band > 0) & (band < len(seams)))
    dropped = np.zeros(len(places), np.bool_)
    one, two = places[before[on_seam]] - places[on_seam], places[after[on_seam]] - places[on_seam]
    in_line = one[:, 0] * two[:, 1] == one[:, 1] * two[:, 0]
    on_seam = on_seam[in_line]
    true = [seams[int(each)][int(column)] for each, column in zip(band[on_seam], places[on_seam, 0], strict=True)]
    dropped[on_seam] = ~np.array(true, np.bool_)
    if not dropped.any():
        return polygons
    touched = np.unique(ring[dropped])
    parts[touched] = [shapely.LinearRing(places[first[each] : last[each]][~dropped[first[each] : last[each]]]) for each in touched.tolist()]
    owner = np.repeat(np.arange(len(polygons)), 1 + shapely.get_num_interior_rings(polygons))
    return np.asarray(shapely.polygons(parts, indices=owner))
