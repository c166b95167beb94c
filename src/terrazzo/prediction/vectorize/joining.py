"""Lines that go on from band to band become one each, and are handed out as soon as they are whole.

Memory is that of a band and of the lines that are not whole yet, never of the raster's height.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Key = tuple[int, ...]
"""What lines are of: a class, or a class and its neighbour."""
NONE = np.zeros(0, np.object_)
STUB = 1 / 8
"""Far below the length of a piece, in pixels."""


@dataclass(frozen=True, kw_only=True)
class LineBand:
    """The lines of some rows, in pieces."""

    segments: Mapping[Key, NDArray[np.object_]]
    """LineStrings in pixels of the whole raster; they may have a third coordinate."""
    end: int
    """The y at which lines may go on in the next band; all of them end there."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Whole lines of one key."""

    key: Key
    lines: NDArray[np.object_]


def joined(bands: Iterable[LineBand]) -> Iterator[Lines]:
    """The lines of a whole raster from the pieces of its bands, top to bottom.

    Pieces that meet two by two are one line. A ring begins at its uppermost corner.
    """
    unfinished: dict[Key, NDArray[np.object_]] = {}
    settled = -1
    for band in bands:
        keys = sorted({*unfinished, *band.segments})
        merged = {key: _merge(unfinished.get(key, NONE), band.segments.get(key, NONE), settled) for key in keys}
        unfinished = {}
        for key, lines in merged.items():
            lasting = (_ends_y(lines) == band.end).any(axis=1)
            if lasting.any():
                unfinished[key] = lines[lasting]
            yield from _whole(key, lines[~lasting])
        settled = band.end
    for key, lines in unfinished.items():
        yield from _whole(key, lines)


def _merge(unfinished: NDArray[np.object_], pieces: NDArray[np.object_], settled: int) -> NDArray[np.object_]:
    """Unfinished lines go on only at y = settled: at their other ends lines that are whole have met them."""
    ends = np.concatenate([shapely.get_point(unfinished, place) for place in (0, -1)])
    stubs = _stubs(ends[shapely.get_y(ends) != settled])
    merged = np.asarray(shapely.get_parts(shapely.line_merge(shapely.multilinestrings(np.concatenate([unfinished, pieces, stubs])))))
    return merged[~_are_stubs(merged)] if len(stubs) else merged


def _stubs(points: NDArray[np.object_]) -> NDArray[np.object_]:
    """Two short lines at each of these points: with them more than two meet there, so that nothing is put together."""
    places = np.unique(shapely.get_coordinates(points), axis=0)
    ends = np.concatenate([np.stack([places, places + np.array(side)], axis=1) for side in ((STUB, STUB), (-STUB, STUB))])
    return np.asarray(shapely.linestrings(ends))


def _are_stubs(lines: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.asarray(shapely.length(lines) < 2 * STUB)


def _ends_y(lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """(lines, 2): the y of the ends of each."""
    return np.stack([shapely.get_y(shapely.get_point(lines, place)) for place in (0, -1)], axis=1)


def _whole(key: Key, lines: NDArray[np.object_]) -> Iterator[Lines]:
    if len(lines):
        ordered = np.array(sorted((_directed(line) for line in lines), key=lambda line: line.coords[:2]), np.object_)
        yield Lines(key=key, lines=ordered)


def _directed(line: shapely.LineString) -> shapely.LineString:
    """The line the same way round whatever pieces it was put together from, without corners on straight stretches.

    Straight is meant in all coordinates that there are.
    """
    places = shapely.get_coordinates(line, include_z=line.has_z)
    if line.is_closed:
        places = places[:-1]
        first = int(np.lexsort((places[:, 0], places[:, 1]))[0])
        places = np.roll(places, -first, axis=0)
        places = np.concatenate([places, places[:1]])
    if tuple(places[::-1][:2, 1::-1].ravel()) < tuple(places[:2, 1::-1].ravel()):
        places = places[::-1]
    before, after = places[1:-1] - places[:-2], places[2:] - places[1:-1]
    straight = (before[:, 0] * after[:, 1] == before[:, 1] * after[:, 0]) & ((before * after)[:, :2].sum(axis=1) > 0)
    for plane in range(2) if line.has_z else ():
        straight &= before[:, plane] * after[:, 2] == before[:, 2] * after[:, plane]
    return shapely.LineString(places[np.concatenate([[True], ~straight, [True]])])
