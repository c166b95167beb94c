"""From a vector file to the pixels of one image: select, clip, bend, give lines and points their width."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.enums import TransformDirection

from terrazzo.errors import LabelError
from terrazzo.labels.burn import PixelPolygons
from terrazzo.labels.features import POLYGON
from terrazzo.labels.rings import clip, divide
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.vector_crs import Bounds, largest_step, way
from terrazzo.labels.vector_table import Geometries
from terrazzo.rasters.window import whole

_BEND_PX = 0.05
"""How far a straight edge of the file may lie from where it belongs, for want of vertices."""
_FAR_PX = 2.0**20
"""Pixels around an image beyond which polygons of its own CRS are cut off."""
_SHARE = 0.05
"""Share of an image's extent around it beyond which polygons of another CRS are cut off: projections break far from where they are for."""
_ROUND_PX = 0.05
"""How far the edges of a circle may lie inside it."""


@dataclass(frozen=True, kw_only=True)
class Placing:
    """The way of a file's coordinates to the pixels of an image. Without CRS, both are pixels."""

    image: LabelledImage
    transform: Affine
    """Pixels to the image's CRS."""
    file_crs: CRS | None
    image_crs: CRS | None
    width: float | None
    """Of lines and points, in units of the image's CRS."""

    @cached_property
    def cell(self) -> float:
        """The longer side of a pixel."""
        a, b, _, d, e, _ = self.transform[:6]
        return float(max(np.hypot(a, d), np.hypot(b, e)))

    @cached_property
    def ground(self) -> Bounds:
        """The image's bounds in its CRS, and around them what a line's width or a touched pixel reaches."""
        left, bottom, right, top = self._outline
        reach = (self.width or 0) / 2 + 2 * self.cell
        return left - reach, bottom - reach, right + reach, top + reach

    @cached_property
    def seen(self) -> Bounds:
        """The image's ground in the file's CRS: parts outside have no pixel of it.

        Raises LabelError if it has none.
        """
        if self.way is None:
            return self.ground
        left, bottom, right, top = self.way.transform_bounds(*self.ground, densify_pts=101, direction=TransformDirection.INVERSE)
        if not np.isfinite([left, bottom, right, top]).all():
            raise LabelError(f"{self.image.path} lies where the CRS of the labels has no place. Give the labels in the image's CRS.")
        # across the antimeridian: all around the globe
        return (left, bottom, right, top) if left <= right else (-180.0, bottom, 180.0, top)

    @cached_property
    def reach(self) -> Bounds:
        """The part of the file's plane beyond which parts are cut off."""
        left, bottom, right, top = self.seen
        far = _FAR_PX * self.cell
        x, y = (far, far) if self.way is None else (_SHARE * (right - left), _SHARE * (top - bottom))
        return left - x, bottom - y, right + x, top + y

    def polygons(self, parts: Geometries, name: str) -> tuple[PixelPolygons, NDArray[np.intp]]:
        """Parts as polygons in pixels, and which part each is of.

        Raises LabelError if coordinates have no place in the image's CRS; name: of the file.
        """
        near, origin = self._clipped(parts)
        if self.way is not None:
            sizes = np.ptp(shapely.bounds(near).reshape(-1, 2, 2), axis=1)
            for place in np.flatnonzero(np.hypot(*sizes.T) > self._step):
                near[place] = divide(near[place], self._step)
        placed = near if self.way is None else shapely.transform(near, self._forward)
        lost = ~np.isfinite(shapely.bounds(placed)).all(axis=1)
        if lost.any():
            raise LabelError(f"{name}: {int(lost.sum())} geometries have no place in the CRS of {self.image.path}. Cut them to the image.")
        widened = shapely.get_type_id(placed) != POLYGON
        if widened.any():
            radius = (self.width or 0) / 2
            edges = int(np.ceil(np.pi / 4 * np.sqrt(radius / self.cell / (2 * _ROUND_PX))))
            placed[widened] = shapely.buffer(placed[widened], radius, quad_segs=min(max(edges, 4), 64))
        single, places = shapely.get_parts(placed, return_index=True)
        drawn = ~shapely.is_empty(single)
        return PixelPolygons.of(single[drawn], self._to_pixels), origin[places[drawn]]

    @cached_property
    def _outline(self) -> Bounds:
        if self.image_crs is None:
            height, width = self.image.grid.shape
            return 0.0, 0.0, float(width), float(height)
        left, bottom, right, top = self.image.grid.footprint(whole(self.image.grid.shape)).bounds
        return left, bottom, right, top

    @cached_property
    def way(self) -> Transformer | None:
        """From the file's CRS to the image's; None where they are the same."""
        return None if self.file_crs is None or self.image_crs is None else way(self.file_crs, self.image_crs)

    @cached_property
    def _step(self) -> float:
        return largest_step(self._forward, self.reach, _BEND_PX * self.cell)

    def _forward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the file's CRS to the image's."""
        return points if self.way is None else np.stack(self.way.transform(points[:, 0], points[:, 1]), axis=1)

    def _to_pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c, d, e, f = self.transform[:6]
        # small numbers first: coordinates of millions would cost digits
        x, y = points[:, 0] - c, points[:, 1] - f
        area = a * e - b * d
        return np.stack([(e * x - b * y) / area, (a * y - d * x) / area], axis=1)

    def _clipped(self, parts: Geometries) -> tuple[Geometries, NDArray[np.intp]]:
        """Parts within reach, and the position of the part that each comes from."""
        left, bottom, right, top = self.reach
        bounds = shapely.bounds(parts)
        outside = (bounds[:, 0] < left) | (bounds[:, 1] < bottom) | (bounds[:, 2] > right) | (bounds[:, 3] > top)
        flat = shapely.get_type_id(parts) == POLYGON
        near = parts.copy()
        near[outside & ~flat] = shapely.clip_by_rect(near[outside & ~flat], left, bottom, right, top)
        for place in np.flatnonzero(outside & flat):
            near[place] = clip(near[place], self.reach)
        return shapely.get_parts(near, return_index=True)  # type: ignore[no-any-return]
