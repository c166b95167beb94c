"""Which windows show the same ground: in pixels within an image and its copies, on the ground between georeferenced images."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from terrazzo.samples.table import Samples

Positions = NDArray[np.int64]

CHUNK = 4096
"""Windows compared at a time; keeps memory low where windows overlap much."""


class Overlaps:
    """Finds windows of a samples table that share at least half a pixel of ground.

    Windows of one image, and of images with the same bytes, are compared in pixels; those of other images by their footprints, if the
    table has a CRS. Windows that only touch share nothing.
    """

    def __init__(self, samples: Samples) -> None:
        frame = samples.frame
        self.image_codes = pd.factorize(frame["image_digest"])[0]
        self.scene_codes = pd.factorize(frame["scene"])[0]
        self._boxes = _pixel_boxes(samples, self.image_codes)
        self._footprints = frame.geometry.to_numpy() if frame.crs is not None else None
        self._cells = _cell_areas(samples) if frame.crs is not None else np.empty(0)

    def pairs(self, first: Positions, second: Positions) -> Iterator[tuple[Positions, Positions]]:
        """Pairs of rows, one of `first` and one of `second`, that share ground; in pieces, each pair once.

        first, second: row numbers, from 0.
        """
        boxes = shapely.STRtree(self._boxes[second])
        ground = shapely.STRtree(self._footprints[second]) if self._footprints is not None else None
        for start in range(0, len(first), CHUNK):
            chunk = first[start : start + CHUNK]
            mine, theirs = boxes.query(self._boxes[chunk], predicate="intersects")
            yield chunk[mine], second[theirs]
            if ground is not None and self._footprints is not None:
                mine, theirs = ground.query(self._footprints[chunk], predicate="intersects")
                yield self._sharing(chunk[mine], second[theirs])

    def _sharing(self, mine: Positions, theirs: Positions) -> tuple[Positions, Positions]:
        """Of footprints that meet, those of different images that share more than half a pixel."""
        apart = self.image_codes[mine] != self.image_codes[theirs]
        mine, theirs = mine[apart], theirs[apart]
        if self._footprints is None or not len(mine):
            return mine, theirs
        areas = shapely.area(shapely.intersection(self._footprints[mine], self._footprints[theirs]))
        shared = areas > 0.5 * np.minimum(self._cells[mine], self._cells[theirs])
        return mine[shared], theirs[shared]


def components(count: int, pairs: Iterator[tuple[Positions, Positions]]) -> Positions:
    """Group numbers, from 0, of things of which some pairs belong together."""
    groups = UnionFind(count)
    for mine, theirs in pairs:
        groups.join(mine, theirs)
    return groups.labels()


class UnionFind:
    """Disjoint sets of the numbers 0 to count - 1."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count)

    def join(self, mine: Positions, theirs: Positions) -> None:
        """Unite the sets of each pair."""
        roots = self._roots()
        mine, theirs = roots[mine], roots[theirs]
        apart = mine != theirs
        links = np.unique(np.stack([mine[apart], theirs[apart]], axis=1), axis=0)
        for one, other in links.tolist():
            first, second = self._root(one), self._root(other)
            self._parents[max(first, second)] = min(first, second)

    def labels(self) -> Positions:
        """The set of each number, sets counted from 0 in the order of their smallest member."""
        labels: Positions = np.unique(self._roots(), return_inverse=True)[1].reshape(-1)
        return labels

    def _root(self, member: int) -> int:
        while self._parents[member] != member:
            self._parents[member] = self._parents[self._parents[member]]
            member = int(self._parents[member])
        return member

    def _roots(self) -> Positions:
        roots = self._parents
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
        self._parents = roots
        return roots


def _pixel_boxes(samples: Samples, image_codes: Positions) -> NDArray[np.object_]:
    """The windows in pixels, different images side by side, shrunk by a quarter of a pixel so that neighbours do not meet."""
    frame = samples.frame
    left, top = frame["col_off"].to_numpy(np.float64), frame["row_off"].to_numpy(np.float64)
    right, bottom = left + frame["width"].to_numpy(), top + frame["height"].to_numpy()
    shift = image_codes * (np.max(right, initial=0.0) + 1.0)
    boxes: NDArray[np.object_] = shapely.box(left + shift + 0.25, top + 0.25, right + shift - 0.25, bottom - 0.25)
    return boxes


def _cell_areas(samples: Samples) -> NDArray[np.float64]:
    """The ground of one pixel of each window, in square units of the table's CRS."""
    frame = samples.frame
    areas: NDArray[np.float64] = shapely.area(frame.geometry.to_numpy()) / (frame["width"] * frame["height"]).to_numpy(np.float64)
    return areas
