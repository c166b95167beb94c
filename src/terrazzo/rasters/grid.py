"""Where the pixels of a raster lie on the ground."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

from affine import Affine
from rasterio.crs import CRS
from shapely import Polygon, box

from terrazzo.rasters.window import Shape, Window

Point = tuple[float, float]
"""(column, row), or (x, y)."""

ALIKE_PX = 0.5
"""Grids of one shape whose corners are no further apart are one: every pixel of the one then covers the same pixel of the other most."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The size of a raster and, where known, its place on the ground."""

    shape: Shape
    crs: CRS | None = None
    """Coordinate reference system; None where the file has none, or one that no transform goes with."""
    transform: Affine | None = None
    """(column, row) of pixel corners to (x, y); may be rotated, or south-up. None where the file says nothing."""

    @property
    def georeferenced(self) -> bool:
        """Whether places can be compared with those of other rasters."""
        return self.crs is not None and self.transform is not None

    @property
    def cell_size(self) -> tuple[float, float] | None:
        """Width and height of a pixel in units of the CRS, above 0; None where not georeferenced."""
        if self.crs is None or self.transform is None:
            return None
        return math.hypot(self.transform.a, self.transform.d), math.hypot(self.transform.b, self.transform.e)

    def resized(self, shape: Shape) -> "Grid":
        """The same ground in (height, width) other pixels."""
        if self.transform is None:
            return replace(self, shape=shape)
        step = (self.shape[1] / shape[1], self.shape[0] / shape[0])
        return replace(self, shape=shape, transform=cut_transform(self.transform, (0, 0), step))

    def part(self, window: Window) -> "Grid":
        """The grid of a rectangle of the pixels."""
        if self.transform is None:
            return replace(self, shape=window.shape)
        return replace(self, shape=window.shape, transform=cut_transform(self.transform, (window.col_off, window.row_off)))

    def footprint(self, window: Window) -> Polygon:
        """The ground of a window: in the CRS where georeferenced, else in pixels with x = column and y = row.

        The corners follow the pixels, so the footprint of a rotated raster is a rotated rectangle.
        """
        if self.crs is None or self.transform is None:
            return box(window.col_off, window.row_off, window.col_end, window.row_end)
        corners = [
            (window.col_off, window.row_off),
            (window.col_end, window.row_off),
            (window.col_end, window.row_end),
            (window.col_off, window.row_end),
        ]
        return Polygon([to_ground(self.transform, corner) for corner in corners])


def grids_agree(one: Grid, other: Grid) -> bool:
    """Whether the pixels of two rasters belong together, row by row and column by column.

    They have the same shape, and where both are georeferenced lie in the same place within half a pixel. A CRS that is tied to no place
    on earth (a local one) is compared with no other.
    """
    if one.shape != other.shape:
        return False
    if one.crs is None or one.transform is None or other.crs is None or other.transform is None:
        return True
    if not same_crs(one.crs, other.crs):
        return not (_on_earth(one.crs) and _on_earth(other.crs))
    height, width = one.shape
    back = ~one.transform
    for corner in ((0, 0), (width, 0), (width, height), (0, height)):
        column, row = to_ground(back, to_ground(other.transform, corner))
        if max(abs(column - corner[0]), abs(row - corner[1])) > ALIKE_PX:
            return False
    return True


def to_ground(transform: Affine, place: Point) -> Point:
    """(x, y) of a (column, row)."""
    # written out, as in cut_transform: which operator does this depends on the version of affine
    a, b, c, d, e, f = transform[:6]
    return a * place[0] + b * place[1] + c, d * place[0] + e * place[1] + f


def cut_transform(transform: Affine, origin: Point, step: Point = (1, 1)) -> Affine:
    """The transform of an image cut from another.

    origin: (column, row) of the cut's corner. step: (columns, rows) of the other image in a pixel of the cut.
    """
    a, b, _, d, e, _ = transform[:6]
    x, y = to_ground(transform, origin)
    return Affine(a * step[0], b * step[1], x, d * step[0], e * step[1], y)


def same_crs(one: CRS, other: CRS) -> bool:
    """Whether two CRS mean the same, however they are written; names and the order of their axes do not count."""
    return one == other or _equal(one.to_wkt(), other.to_wkt())


def crs_name(crs: CRS) -> str:
    """The code of a CRS, such as EPSG:32633, else its name."""
    text = crs.to_string()
    if ":" in text and "[" not in text:
        return str(text)
    import pyproj

    return str(pyproj.CRS.from_wkt(crs.to_wkt()).name)


@lru_cache(maxsize=256)
def _equal(one: str, other: str) -> bool:
    # takes a while to import, which most files, with the CRS written alike, do not need
    import pyproj

    # Esri's way to write a CRS is another one to rasterio
    return bool(pyproj.CRS.from_wkt(one).equals(pyproj.CRS.from_wkt(other), ignore_axis_order=True))


def _on_earth(crs: CRS) -> bool:
    return bool(crs.is_geographic or crs.is_projected)
