"""From pixels to the ground: coordinates of outlines, and square metres."""

from typing import Literal

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.grid import Grid

AreaKind = Literal["ellipsoid", "plane"]
EARTH_RADIUS_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Of WGS 84."""
SQUEEZED = FLATTENING * (2 - FLATTENING)
"""The square of the ellipsoid's eccentricity."""
Floats = NDArray[np.float64]


def area_kind(grid: Grid) -> AreaKind | None:
    """How square metres are measured: on the ellipsoid for degrees, in the plane of a projected CRS; None without a place on the ground."""
    if grid.crs is None or grid.transform is None:
        return None
    if grid.crs.is_geographic:
        return "ellipsoid"
    return "plane" if grid.crs.is_projected else None


def pixel_areas(grid: Grid) -> NDArray[np.float64] | None:
    """(height,): square metres of the pixels of each row, on the ellipsoid those of its middle. None where they are not known."""
    kind = area_kind(grid)
    if kind is None or grid.crs is None or grid.transform is None:
        return None
    cell = abs(grid.transform.determinant)
    if kind == "plane":
        return np.full(grid.shape[0], cell * grid.crs.linear_units_factor[1] ** 2)
    rows = np.arange(grid.shape[0]) + 0.5
    latitude = np.deg2rad(grid.transform.d * grid.shape[1] / 2 + grid.transform.e * rows + grid.transform.f)
    areas: NDArray[np.float64] = cell * np.deg2rad(1) ** 2 * _square_metres(latitude)
    return areas


def lengths_m(lines: NDArray[np.object_], grid: Grid) -> NDArray[np.float64] | None:
    """Metres of lines on the ground, as `on_ground` gives them: along geodesics for degrees, in the plane of a projected CRS.

    None where they are not known.
    """
    kind = area_kind(grid)
    if kind is None or grid.crs is None:
        return None
    if kind == "plane":
        return np.asarray(shapely.length(lines) * grid.crs.linear_units_factor[1])
    ellipsoid = pyproj.Geod(ellps="WGS84")
    return np.array([ellipsoid.line_length(*shapely.get_coordinates(line).T) for line in lines])


def metres_per_pixel(grid: Grid, columns: Floats, rows: Floats) -> Floats:
    """(n, 2, 2): metres to the east and to the north that a column and a row are long at places (n,) of the map, NaN where not known."""
    kind = area_kind(grid)
    if kind is None or grid.crs is None or grid.transform is None:
        return np.full((len(columns), 2, 2), np.nan)
    a, b, _, d, e, f = grid.transform[:6]
    steps = np.tile(np.array([[a, b], [d, e]]), (len(columns), 1, 1))
    if kind == "plane":
        return np.asarray(steps * grid.crs.linear_units_factor[1])
    latitude = np.deg2rad(d * (columns + 0.5) + e * (rows + 0.5) + f)
    curved = 1 - SQUEEZED * np.sin(latitude) ** 2
    east = EARTH_RADIUS_M * np.cos(latitude) / np.sqrt(curved)
    north = EARTH_RADIUS_M * (1 - SQUEEZED) / curved**1.5
    metres: Floats = steps * np.deg2rad(np.stack([east, north], axis=1))[:, :, np.newaxis]
    return metres


def on_ground(polygons: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Geometries in pixels of the raster, on the ground; without a CRS in pixels whose y grows upwards, as a GIS shows them."""
    if grid.crs is None or grid.transform is None:
        return np.asarray(shapely.transform(polygons, lambda places: places * (1, -1)))
    a, b, c, d, e, f = grid.transform[:6]

    def moved(places: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = places.T
        return np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)

    return np.asarray(shapely.transform(polygons, moved))


def _square_metres(latitude: Floats) -> Floats:
    """Square metres of a square radian of longitude and latitude."""
    curved: Floats = 1 - SQUEEZED * np.sin(latitude) ** 2
    return EARTH_RADIUS_M**2 * (1 - SQUEEZED) * np.cos(latitude) / curved**2
