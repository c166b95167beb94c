"""Where the pixels of a raster lie on the ground."""

import math
from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS
from shapely import Polygon, box

from terrazzo.rasters.window import Shape, Window


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
        # written out: which operator does this depends on the version of affine
        a, b, c, d, e, f = self.transform[:6]
        return Polygon([(a * column + b * row + c, d * column + e * row + f) for column, row in corners])
