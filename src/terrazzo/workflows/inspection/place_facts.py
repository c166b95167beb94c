"""Where a raster or a vector layer lies on the ground."""

import math
from dataclasses import dataclass
from typing import Literal

import pyproj
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import whole

Bounds = tuple[float, float, float, float]
"""West, south, east, north: least x, least y, largest x, largest y."""
Orientation = Literal["north-up", "south-up", "rotated", "mirrored"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where pixels lie. All None for an image without a place on the ground."""

    crs: str | None = None
    """Its code, such as EPSG:32631, else its name."""
    cell: tuple[float, float] | None = None
    """(x, y) size of a pixel in units of the CRS."""
    bounds: Bounds | None = None
    """In the CRS."""
    lonlat: Bounds | None = None
    """The same in degrees; None where the CRS does not lead there."""
    orientation: Orientation | None = None

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {
            "crs": self.crs,
            "cell": list(self.cell) if self.cell else None,
            "bounds": list(self.bounds) if self.bounds else None,
            "lonlat": list(self.lonlat) if self.lonlat else None,
            "orientation": self.orientation,
        }


def place_of(grid: Grid) -> Place:
    """The place of a grid."""
    if grid.transform is None:
        return Place(crs=crs_name(grid.crs) if grid.crs is not None else None)
    bounds = _bounds(grid)
    return Place(
        crs=crs_name(grid.crs) if grid.crs is not None else None,
        cell=(math.hypot(grid.transform.a, grid.transform.d), math.hypot(grid.transform.b, grid.transform.e)),
        bounds=bounds,
        lonlat=lonlat_bounds(grid.crs, bounds) if grid.crs is not None and bounds is not None else None,
        orientation=_orientation(grid.transform),
    )


def crs_name(crs: CRS) -> str:
    """The code of a coordinate reference system, else its name."""
    try:
        text: str = crs.to_string()
        if ":" in text and "[" not in text:
            return text
        name = str(pyproj.CRS.from_wkt(crs.to_wkt()).name)
    except (CRSError, ProjError):
        return "a coordinate reference system that is not understood"
    return name if name.casefold() not in ("", "unnamed", "unknown") else "a coordinate reference system without a name"


def lonlat_bounds(crs: CRS | pyproj.CRS, bounds: Bounds) -> Bounds | None:
    """Bounds in degrees; None for places without longitudes, such as local systems and other planets."""
    try:
        to_degrees = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(crs.to_wkt()), "EPSG:4326", always_xy=True)
        found = to_degrees.transform_bounds(*bounds, densify_pts=21)
    except (CRSError, ProjError):
        return None
    return (found[0], found[1], found[2], found[3]) if all(math.isfinite(degree) for degree in found) else None


def _bounds(grid: Grid) -> Bounds | None:
    # the footprint is in pixels where there is no CRS; a transform alone leads to units that nobody knows
    if grid.crs is None:
        return None
    west, south, east, north = grid.footprint(whole(grid.shape)).bounds
    return (west, south, east, north) if all(math.isfinite(side) for side in (west, south, east, north)) else None


def _orientation(transform: Affine) -> Orientation:
    if abs(transform.b) + abs(transform.d) > 1e-9 * (abs(transform.a) + abs(transform.e)):
        return "rotated"
    if transform.a < 0:
        return "mirrored"
    return "north-up" if transform.e < 0 else "south-up"
