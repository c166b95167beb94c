"""An area of interest: polygons of a vector file, or a rectangle, and the pixels of an image that they hold."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from terrazzo.errors import LabelError
from terrazzo.labels.burn import PixelPolygons
from terrazzo.labels.features import POLYGON, clean
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.placing import Placing
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.vector_crs import Bounds, file_crs, in_degrees
from terrazzo.labels.vector_table import Geometries
from terrazzo.labels.vectors import read_vector
from terrazzo.rasters.window import Shape, Window, cover, whole

LOOK_PX = 1024
"""Side of the blocks in which it is looked for a pixel."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """The pixels of one image whose centre lies in an area of interest."""

    shape: Shape
    """(height, width) of the image."""
    polygons: PixelPolygons
    """x = column and y = row."""

    def covered(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) of a window of the image: which of its pixels are in the area."""
        drawn = np.zeros(window.shape, np.uint8)
        self.polygons.draw(drawn, window, np.ones(len(self.polygons), np.uint8), all_touched=False)
        return drawn.astype(np.bool_)

    def touches(self, window: Window) -> bool:
        """Whether a pixel of a window is in the area."""
        inner = window.intersection(self.window)
        return inner is not None and bool(self.covered(inner).any())

    @cached_property
    def window(self) -> Window:
        """The smallest window of the image that holds the area, going by the bounds of its polygons."""
        left, top = self.polygons.bounds[:2].min(axis=1).tolist()
        right, bottom = self.polygons.bounds[2:].max(axis=1).tolist()
        # of pixels whose centre may be inside
        first_col, first_row = max(0, math.ceil(left - 0.5)), max(0, math.ceil(top - 0.5))
        last_col, last_row = min(self.shape[1] - 1, math.floor(right - 0.5)), min(self.shape[0] - 1, math.floor(bottom - 0.5))
        return Window(col_off=first_col, row_off=first_row, width=last_col - first_col + 1, height=last_row - first_row + 1)

    @cached_property
    def digest(self) -> str:
        """Of the outlines in pixels: areas that hold the same pixels of the image mostly have the same."""
        found = hashlib.blake2b(digest_size=16)
        for part in (self.polygons.vertices, self.polygons.rings, self.polygons.polygons):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


@dataclass(frozen=True, kw_only=True)
class AreaFile:
    """Polygons that are an area of interest, for any number of images."""

    name: str
    """What the user gave, for messages."""
    crs: CRS | None
    """Of the coordinates; None where nobody says it: that of the image."""
    parts: Geometries
    """Polygons."""

    @classmethod
    def load(cls, path: Path) -> "AreaFile":
        """Read a vector file of any format. Raises LabelError if it cannot be read or holds no polygon."""
        table = read_vector(path, LabelOptions())
        features = clean(table.parts, table.rows, table.count)
        polygons = features.parts[shapely.get_type_id(features.parts) == POLYGON]
        if not len(polygons):
            raise LabelError(f"{path} holds no polygon. Give an area of interest as polygons.")
        return cls(name=str(path), crs=file_crs(path, table, None), parts=polygons)

    @classmethod
    def of_rectangle(cls, bounds: Bounds) -> "AreaFile":
        """A rectangle in the CRS of each image. bounds: x and y of one corner and of the opposite one."""
        parts = np.array([shapely.box(*bounds)], object)
        return cls(name=",".join(f"{side:.10g}" for side in bounds), crs=None, parts=parts)

    def on(self, image: LabelledImage) -> Area | None:
        """The pixels of an image; None if it has none in the area.

        Of an image without map coordinates the polygons are in pixels, x the column and y the row from its upper left corner.
        Raises LabelError if coordinates have no place in the image's CRS.
        """
        placing = self._placing(image)
        near = self.parts[shapely.intersects(shapely.box(*placing.seen), shapely.envelope(self.parts))]
        polygons, _ = placing.polygons(near, self.name)
        if not len(polygons):
            return None
        area = Area(shape=image.grid.shape, polygons=polygons)
        blocks = cover(image.grid.shape, (LOOK_PX, LOOK_PX), 0)
        return area if any(area.covered(block).any() for block in blocks) else None

    def extent_on(self, image: LabelledImage) -> str:
        """Where the area lies and where the image, for messages; both in the image's CRS if they can be."""
        placing = self._placing(image)
        bounds = _bounds(self.parts)
        moved = bounds if placing.way is None else placing.way.transform_bounds(*bounds, densify_pts=21)
        known = all(map(math.isfinite, moved))
        own = image.grid.footprint(whole(image.grid.shape)).bounds
        return f"it reaches from {_corners(moved if known else bounds)}, {image.path} from {_corners(own)}"

    def _placing(self, image: LabelledImage) -> Placing:
        grid = image.grid
        if grid.crs is None or grid.transform is None:
            return Placing(image=image, transform=Affine.identity(), file_crs=None, image_crs=None, width=None)
        self._check_degrees()
        image_crs = CRS.from_wkt(grid.crs.to_wkt())
        return Placing(image=image, transform=grid.transform, file_crs=self.crs or image_crs, image_crs=image_crs, width=None)

    def _check_degrees(self) -> None:
        if self.crs is not None and self.crs.is_geographic and not in_degrees(_bounds(self.parts)):
            raise LabelError(
                f"{self.name} has coordinates from {_corners(_bounds(self.parts))}, which are no degrees of {self.crs.name}. "
                "Write it with the CRS that they are in: a GeoPackage names it."
            )


def _corners(bounds: Bounds) -> str:
    left, bottom, right, top = bounds
    return f"({left:.8g}, {bottom:.8g}) to ({right:.8g}, {top:.8g})"


def _bounds(parts: Geometries) -> Bounds:
    left, bottom, right, top = shapely.total_bounds(parts).tolist()
    return left, bottom, right, top
