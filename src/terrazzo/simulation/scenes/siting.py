"""Where scenes lie on the ground: side by side, with gaps, around the middle of the area of their CRS."""

import math
from dataclasses import dataclass

import pyproj
from affine import Affine
from pyproj.exceptions import CRSError, ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError as RasterCRSError

from terrazzo.errors import UsageError
from terrazzo.rasters.window import Shape

A_ROW = 10
"""Scenes in a row; so a scene lies where it lies, however many there are."""
GAP_M = 400.0
"""Between scenes at least: more than the things of one scene reach out of it."""
ROUND = 1000.0
"""Units of the CRS that the middle is rounded to."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The place of all scenes of a set."""

    crs: CRS
    unit_m: float
    """Metres in a unit of the CRS."""
    middle: tuple[float, float]
    """(x, y) of the first scene's top left corner, in units of the CRS."""

    def transform(self, index: int, shape: Shape, cell_size_m: float) -> Affine:
        """(column, row) to (x, y) of scene `index`: north up, square cells."""
        row, column = divmod(index, A_ROW)
        right, down = (math.ceil((side * cell_size_m + GAP_M) / self.unit_m / ROUND) * ROUND for side in (shape[1], shape[0]))
        cell = cell_size_m / self.unit_m
        x, y = self.middle[0] + column * right, self.middle[1] - row * down
        return Affine(cell, 0.0, x, 0.0, -cell, y)


def find_site(text: str) -> Site:
    """The site of a set of scenes in a CRS.

    Raises UsageError if the CRS is unknown, or not projected.
    """
    try:
        known = pyproj.CRS.from_user_input(text)
        crs = CRS.from_user_input(text)
    except (CRSError, RasterCRSError) as error:
        raise UsageError(f"[scenes] crs is {text!r}, which names no coordinate reference system. Give one such as 'EPSG:32633'.") from error
    if not known.is_projected:
        raise UsageError(
            f"[scenes] crs is {text!r} ({known.name}), which is not projected: cells have metres. Give one such as 'EPSG:32633'."
        )
    return Site(crs=crs, unit_m=float(crs.linear_units_factor[1]), middle=_middle(known))


def _middle(crs: pyproj.CRS) -> tuple[float, float]:
    """The middle of the area that a CRS is made for, rounded; the origin where nobody knows."""
    area = crs.area_of_use
    if area is None:
        return 0.0, 0.0
    try:
        longitude = area.west + ((area.east - area.west) % 360) / 2
        x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, (area.south + area.north) / 2)
    except ProjError:
        return 0.0, 0.0
    if not (math.isfinite(x) and math.isfinite(y)):
        return 0.0, 0.0
    return round(x / ROUND) * ROUND, round(y / ROUND) * ROUND
