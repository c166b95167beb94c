"""Polygons in pixels, drawn into windows by GDAL."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize

from terrazzo.labels.rings import thin
from terrazzo.labels.vector_table import Geometries
from terrazzo.rasters.window import Window

# the pixels of a window are the plane that polygons are drawn in
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

_QUANTUM = 2.0**-30
"""Fractions of a pixel that vertices lie on: fine enough to change nothing, coarse enough that no window's offset is rounded."""
_MARGIN_PX = 2.0
_THINNED = 64
"""Vertices beyond which a polygon that sticks out of a window is thinned first."""
_BATCH = 2**21
"""Vertices that are drawn at once."""
_BLOCK_PX = 512
"""GDAL steps along edges from where they enter its raster, so which pixels they touch may hang on the raster; so blocks are fixed."""

Shape = tuple[dict[str, Any], int]
"""A polygon as GeoJSON and its number."""


@dataclass(frozen=True, kw_only=True)
class PixelPolygons:
    """Polygons of an image, x = column and y = row; later ones cover earlier ones."""

    vertices: NDArray[np.float64]
    """(n, 2) corners of all rings; the last of a ring is its first."""
    rings: NDArray[np.int64]
    """(r + 1) where the vertices of each ring begin, and where the last one's end."""
    polygons: NDArray[np.int64]
    """(p + 1) where the rings of each polygon begin, and where the last one's end."""

    @classmethod
    def of(cls, polygons: Geometries, to_pixels: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> "PixelPolygons":
        """Take shapely polygons, none of them empty. to_pixels: (n, 2) of their coordinates to columns and rows."""
        if not len(polygons):
            return cls(vertices=np.empty((0, 2)), rings=np.zeros(1, np.int64), polygons=np.zeros(1, np.int64))
        _, vertices, (rings, ends) = shapely.to_ragged_array(polygons)
        quantised = np.round(to_pixels(vertices[:, :2]) / _QUANTUM) * _QUANTUM
        return cls(vertices=quantised, rings=np.asarray(rings, np.int64), polygons=np.asarray(ends, np.int64))

    def __len__(self) -> int:
        return len(self.polygons) - 1

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(4, p) least column and row, largest column and row."""
        if not len(self):
            return np.empty((4, 0))
        starts = self.rings[self.polygons[:-1]]
        return np.concatenate([np.minimum.reduceat(self.vertices, starts).T, np.maximum.reduceat(self.vertices, starts).T])

    def draw(self, out: NDArray[Any], window: Window, numbers: NDArray[Any], *, all_touched: bool) -> None:
        """Draw polygons into `out`, the pixels of a window, each with its number.

        numbers: (p), whole, of a range that the type of `out` holds. all_touched: not only pixels whose centre lies inside.
        """
        if not all_touched:
            self._draw(out, window, numbers, all_touched=False)
            return
        for block in _blocks(window):
            part = block.intersection(window)
            if part is not None and self._near(block).size:
                drawn = np.zeros(block.shape, out.dtype)
                drawn[part.inside(block)] = out[part.inside(window)]
                self._draw(drawn, block, numbers, all_touched=True)
                out[part.inside(window)] = drawn[part.inside(block)]

    def _draw(self, out: NDArray[Any], window: Window, numbers: NDArray[Any], *, all_touched: bool) -> None:
        near = self._near(window)
        with rasterio.Env():
            for chosen in self._batches(near):
                shapes = list(self._shapes(chosen, window, numbers[chosen].tolist()))
                if shapes:
                    rasterize(shapes, out=out, all_touched=all_touched)

    def _near(self, window: Window) -> NDArray[np.intp]:
        """Which polygons may hold pixels of a window."""
        left, top, right, bottom = self.bounds
        across = (left <= window.col_end + _MARGIN_PX) & (right >= window.col_off - _MARGIN_PX)
        return np.flatnonzero(across & (top <= window.row_end + _MARGIN_PX) & (bottom >= window.row_off - _MARGIN_PX))

    def _batches(self, chosen: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Polygons in runs that have about _BATCH vertices each."""
        if not chosen.size:
            return []
        ends = np.cumsum(self._sizes(chosen))
        return np.split(chosen, np.flatnonzero(np.diff(ends // _BATCH)) + 1)

    def _sizes(self, chosen: NDArray[np.intp]) -> NDArray[np.int64]:
        """Vertices of polygons."""
        return self.rings[self.polygons[chosen + 1]] - self.rings[self.polygons[chosen]]

    def _shapes(self, chosen: NDArray[np.intp], window: Window, numbers: list[int]) -> Iterator[Shape]:
        """Polygons in the pixels of a window, in their order."""
        thinned = (self._sizes(chosen) > _THINNED) & self._sticks_out(chosen, window)
        whole = self._whole(chosen[~thinned], window)
        for polygon, cut, number in zip(chosen.tolist(), thinned.tolist(), numbers, strict=True):
            rings = self._thinned(polygon, window) if cut else next(whole)
            if rings:
                yield {"type": "Polygon", "coordinates": rings}, number

    def _sticks_out(self, chosen: NDArray[np.intp], window: Window) -> NDArray[np.bool_]:
        left, top, right, bottom = self.bounds[:, chosen]
        out: NDArray[np.bool_] = (left < window.col_off) | (right > window.col_end) | (top < window.row_off) | (bottom > window.row_end)
        return out

    def _whole(self, chosen: NDArray[np.intp], window: Window) -> Iterator[list[list[tuple[float, float]]]]:
        """The rings of each polygon. Lists are made of all at once: one at a time costs more than drawing them."""
        sizes = self._sizes(chosen)
        starts = self.rings[self.polygons[chosen]]
        places = np.repeat(starts - np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)[: len(sizes)], sizes)
        vertices = self.vertices[places + np.arange(len(places))]
        columns, rows = vertices[:, 0] - window.col_off, vertices[:, 1] - window.row_off
        points = list(zip(columns.tolist(), rows.tolist(), strict=True))
        place = 0
        for first, last in zip(self.polygons[chosen].tolist(), self.polygons[chosen + 1].tolist(), strict=True):
            ends = self.rings[first : last + 1].tolist()
            places_of = [place + end - ends[0] for end in ends]
            place = places_of[-1]
            yield [points[start:end] for start, end in itertools.pairwise(places_of)]

    def _thinned(self, polygon: int, window: Window) -> list[list[list[float]]]:
        """The rings of a large polygon, of which a window sees a part."""
        rectangle = (-_MARGIN_PX, -_MARGIN_PX, window.width + _MARGIN_PX, window.height + _MARGIN_PX)
        found = []
        for ring in range(self.polygons[polygon], self.polygons[polygon + 1]):
            vertices = self.vertices[self.rings[ring] : self.rings[ring + 1] - 1] - (window.col_off, window.row_off)
            kept = thin(vertices, rectangle)
            if kept is not None:
                # closed, and of four vertices at least: rasterio leaves out what has fewer
                found.append(kept[np.arange(max(len(kept) + 1, 4)) % len(kept)].tolist())
        return found


def _blocks(window: Window) -> Iterator[Window]:
    """The fixed blocks that a window has pixels of."""
    for row in range(window.row_off // _BLOCK_PX, -(-window.row_end // _BLOCK_PX)):
        for column in range(window.col_off // _BLOCK_PX, -(-window.col_end // _BLOCK_PX)):
            yield Window(col_off=column * _BLOCK_PX, row_off=row * _BLOCK_PX, width=_BLOCK_PX, height=_BLOCK_PX)
