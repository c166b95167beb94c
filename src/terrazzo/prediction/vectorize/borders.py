"""The borders between classes of a map, such as shorelines, along the edges of the pixels, band by band.

A | A      An edge between two classes is of their pair. Edges of a pair that meet two by two at a corner are one line; where more
--+--      meet, or others begin, lines end. Edges between two bands are of the lower one, so that in the upper one nothing but
B | A      ends lie on that line: these lines go on in the lower band.
"""

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.vectorize.joining import Key, LineBand
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window

Classes = NDArray[np.uint8]
NO_PAIR = -1


def border_bands(raster: Raster, wanted: frozenset[int], rows: int) -> Iterator[LineBand]:
    """The edges between two classes of which one at least is wanted; those of the map and of its gaps are none.

    rows: height of the bands. Raises RasterError if the map is broken.
    """
    height, width = raster.shape
    above: Classes | None = None
    for top in range(0, height, rows):
        pixels = raster.read(Window(col_off=0, row_off=top, width=width, height=min(rows, height - top)))
        classes: Classes = np.where(pixels.valid, pixels.values[0], IGNORE).astype(np.uint8)
        # without a row above, the first one is its own neighbour
        padded = np.concatenate([classes[:1] if above is None else above[None], classes])
        yield LineBand(segments=_segments(padded, top, wanted), end=top + len(classes))
        above = classes[-1]


def _segments(padded: Classes, top: int, wanted: frozenset[int]) -> dict[Key, NDArray[np.object_]]:
    """Straight lines by their pair of classes, the wanted or the lower one first. padded: the rows from top on, and one above."""
    level = _pairs(padded[:-1], padded[1:], wanted)
    upright = _pairs(padded[1:, :-1], padded[1:, 1:], wanted)
    found: dict[Key, NDArray[np.object_]] = {}
    for code in np.union1d(level[level != NO_PAIR], upright[upright != NO_PAIR]).tolist():
        found[divmod(code, 256)] = _runs(level == code, upright == code, top)
    return found


def _pairs(one: Classes, other: Classes, wanted: frozenset[int]) -> NDArray[np.int32]:
    """256 * one class + the other, for each edge; NO_PAIR where it is none."""
    found = np.full(one.shape, NO_PAIR, np.int32)
    edge = (one != other) & (one != IGNORE) & (other != IGNORE)
    a, b = one[edge], other[edge]
    chosen = np.isin(np.arange(256), sorted(wanted))
    swapped = np.where(chosen[a] == chosen[b], b < a, chosen[b])
    codes = np.where(swapped, b, a).astype(np.int32) * 256 + np.where(swapped, a, b)
    found[edge] = np.where(chosen[a] | chosen[b], codes, NO_PAIR)
    return found


def _runs(level: NDArray[np.bool_], upright: NDArray[np.bool_], top: int) -> NDArray[np.object_]:
    """Edges side by side as one line each, unless another of the pair begins between them.

    level: (rows, width), the edges above the pixels. upright: (rows, width - 1), those at the right of the pixels.
    """
    rows, width = level.shape
    # at the corners (rows + 1, width + 1), whether an edge of the other direction is there
    standing, lying = (np.zeros((rows + 1, width + 1), np.bool_) for _ in range(2))
    standing[:-1, 1:-1] |= upright
    standing[1:, 1:-1] |= upright
    lying[:-1, :-1] |= level
    lying[:-1, 1:] |= level
    row, start, stop = _stretches(level, standing[:-1, 1:-1])
    column, begin, end = _stretches(upright.T, lying[1:-1, 1:-1].T)
    ends = np.concatenate(
        [
            np.stack([np.stack([start, row + top], 1), np.stack([stop, row + top], 1)], 1),
            np.stack([np.stack([column + 1, begin + top], 1), np.stack([column + 1, end + top], 1)], 1),
        ]
    )
    return np.asarray(shapely.linestrings(ends.astype(np.float64)))


def _stretches(edges: NDArray[np.bool_], cuts: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of runs along the last axis: their row, and where they start and stop. cuts: (rows, length - 1), where a run is cut in two."""
    joined = edges[:, 1:] & edges[:, :-1] & ~cuts
    none = np.zeros((len(edges), 1), np.bool_)
    starts = edges & ~np.concatenate([none, joined], axis=1)
    stops = edges & ~np.concatenate([joined, none], axis=1)
    row, start = np.nonzero(starts)
    return row, start, np.nonzero(stops)[1] + 1
