"""How the pixels of a file lie on the ground, by a transform or by control points, and the part of that which a window sees."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import from_gcps
from rasterio.warp import transform

from terrazzo.rasters.grid import Grid, Point, cut_transform, to_ground
from terrazzo.rasters.window import Shape

FAILURES = (RasterioError, CPLE_BaseError, ValueError)
"""What rasterio raises where a place cannot be brought to another CRS."""


@dataclass(frozen=True, kw_only=True)
class ControlPoints:
    """Pixels whose place on the ground is known, in a file without transform."""

    crs: CRS
    points: tuple[GroundControlPoint, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pixels of a file lie; what lies between control points is fitted by GDAL."""

    shape: Shape
    crs: CRS
    ground: Affine | tuple[GroundControlPoint, ...]
    """(column, row) of pixel corners to (x, y), or control points."""

    @classmethod
    def of(cls, grid: Grid, control: ControlPoints | None) -> "Place | None":
        """The place that a file declares: its transform, else its control points, else None."""
        if grid.crs is not None and grid.transform is not None:
            return cls(shape=grid.shape, crs=grid.crs, ground=grid.transform)
        return cls(shape=grid.shape, crs=control.crs, ground=control.points) if control is not None else None

    @cached_property
    def affine(self) -> Affine:
        """(column, row) to (x, y); a fit where there are control points."""
        return self.ground if isinstance(self.ground, Affine) else from_gcps(self.ground)

    @property
    def corners(self) -> list[Point]:
        """(x, y) of the four corners, clockwise from that of pixel (0, 0)."""
        height, width = self.shape
        return [to_ground(self.affine, corner) for corner in ((0, 0), (width, 0), (width, height), (0, height))]

    def central_pixel(self, crs: CRS) -> tuple[Point, Point, Point] | None:
        """Where the corner of the central pixel, that to its right and that below it lie in another CRS; None where it does not reach."""
        row, column = self.shape[0] / 2, self.shape[1] / 2
        points = [to_ground(self.affine, point) for point in ((column, row), (column + 1, row), (column, row + 1))]
        try:
            with rasterio.Env():
                xs, ys = transform(self.crs, crs, *zip(*points, strict=True))
        except FAILURES:
            return None
        one, right, below = zip(xs, ys, strict=True)
        area = (right[0] - one[0]) * (below[1] - one[1]) - (below[0] - one[0]) * (right[1] - one[1])
        return (one, right, below) if math.isfinite(area) and area != 0 else None

    def seen_from(self, origin: Point, step: Point = (1, 1)) -> dict[str, Any]:
        """The place of an image cut from this one, as rasterio.warp takes it.

        origin: (column, row) of the cut's corner. step: (columns, rows) of this image in a pixel of the cut.
        """
        if isinstance(self.ground, Affine):
            return {"src_crs": self.crs, "src_transform": cut_transform(self.ground, origin, step)}
        points = [
            control_point((point.col - origin[0]) / step[0], (point.row - origin[1]) / step[1], (point.x, point.y)) for point in self.ground
        ]
        return {"src_crs": self.crs, "gcps": points}


def control_point(column: float, row: float, ground: Point) -> GroundControlPoint:
    """A control point at height 0: without a height, GDAL takes it for none."""
    return GroundControlPoint(row=row, col=column, x=ground[0], y=ground[1], z=0, id="1", info="")
