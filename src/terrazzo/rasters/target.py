"""The grid that [data] crs and cell_size ask for: the same lattice for all images of a set."""

import math
from functools import cache
from pathlib import Path
from typing import Any

from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import calculate_default_transform

from terrazzo.errors import RasterError, RecipeError
from terrazzo.rasters.grid import Grid, crs_name, same_crs, to_ground
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.place import FAILURES, Place, control_point

SAME_CELL = 1e-6
"""Cell sizes whose ratio is as near to 1 are one."""
ON_LATTICE_PX = 1e-3
"""Origins as near to a point of the lattice, in pixels, lie on it."""
MOST_DISTORTED = 4
"""How much larger or smaller than its central pixel the cells of an image in another CRS may be."""
LARGEST_SIDE_PX = 2**31 - 1
"""Columns or rows that GDAL can count."""

Bounds = tuple[float, float, float, float]
"""left, bottom, right, top"""


def target_grid(path: Path, place: Place | None, options: DataOptions) -> Grid | None:
    """The grid on which an image is to be read: north up, over all of the image, its origin at whole multiples of the cell size.

    None if nothing is asked for, or if the image is there already: in that CRS and, where a cell size is asked for, on its lattice.
    An image that is only brought to another CRS keeps its resolution.

    place: where the image is now. Raises RasterError if it has no place or cannot be brought there, RecipeError for a bad CRS.
    """
    if options.crs is None and options.cell_size is None:
        return None
    if place is None:
        raise RasterError(
            f"{path} has no place on the ground, so it cannot be brought to [data] crs or cell_size. "
            "Give images with a CRS and a transform, or leave these two options out."
        )
    crs = parse_crs(options.crs) if options.crs is not None else place.crs
    if isinstance(place.ground, Affine) and same_crs(crs, place.crs):
        if options.cell_size is None or _on_lattice(place.ground, options.cell_size):
            return None
        return _aligned(path, crs, options.cell_size, _bounds(place))
    try:
        bounds, native = _suggested(place, crs)
        _check_whole(place, crs, native)
    except FAILURES as error:
        cause = " ".join(str(error.__cause__ or error).split())[:200]
        raise RasterError(f"{path} cannot be brought to {crs_name(crs)} ({cause}). Choose a CRS for its part of the world.") from error
    return _aligned(path, crs, options.cell_size or native, bounds)


@cache
def parse_crs(text: str) -> CRS:
    """The CRS that an option names. Raises RecipeError."""
    try:
        return CRS.from_user_input(text)
    except (CRSError, CPLE_BaseError, ValueError) as error:
        raise RecipeError(f"[data] crs = {text!r} is no coordinate reference system. Give one such as 'EPSG:32633'.") from error


def _on_lattice(ground: Affine, cell: float) -> bool:
    if ground.b or ground.d or ground.a <= 0 or ground.e >= 0:
        return False
    if any(abs(own / cell - 1) > SAME_CELL for own in (ground.a, -ground.e)):
        return False
    # by the file's own cell size: over thousands of cells from zero, the digits that a person types do not suffice
    steps = (ground.c / ground.a, ground.f / ground.e)
    return all(abs(step - round(step)) < ON_LATTICE_PX for step in steps)


def _bounds(place: Place) -> Bounds:
    xs, ys = zip(*place.corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _suggested(place: Place, crs: CRS) -> tuple[Bounds, float]:
    """The bounds of an image in another CRS, and the cell size with which it has as many pixels along its diagonal there as it has now."""
    height, width = place.shape
    where: dict[str, Any]
    if not isinstance(place.ground, Affine):
        where = {"gcps": list(place.ground)}
    elif place.ground.b or place.ground.d:
        # the bounds of a rotated image would be too large; its corners are control points that fit exactly
        pixels = ((0, 0), (width, 0), (width, height), (0, height))
        where = {"gcps": [control_point(*pixel, ground) for pixel, ground in zip(pixels, place.corners, strict=True)]}
    else:
        where = dict(zip(("left", "bottom", "right", "top"), _bounds(place), strict=True))
    transform, columns, rows = calculate_default_transform(place.crs, crs, width, height, **where)
    right, bottom = to_ground(transform, (columns, rows))
    return (transform.c, bottom, right, transform.f), transform.a


def _check_whole(place: Place, crs: CRS, cell: float) -> None:
    """Raise ValueError if an image would be torn apart, such as by the date line, for its cells then have to span the gap."""
    corners = place.central_pixel(crs)
    if corners is None:
        raise ValueError("its centre has no place there")
    (x0, y0), (x1, y1), (x2, y2) = corners
    own = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) ** 0.5
    if not own / MOST_DISTORTED < cell < own * MOST_DISTORTED:
        raise ValueError(f"it would be torn apart there: pixels of {own:.6g} would become cells of {cell:.6g}")


def _aligned(path: Path, crs: CRS, cell: float, bounds: Bounds) -> Grid:
    """The cells of the lattice that hold the bounds; a sliver of a thousandth of a cell is not worth a row."""
    left, top = math.floor(bounds[0] / cell + ON_LATTICE_PX), math.ceil(bounds[3] / cell - ON_LATTICE_PX)
    right, bottom = math.ceil(bounds[2] / cell - ON_LATTICE_PX), math.floor(bounds[1] / cell + ON_LATTICE_PX)
    extent = (bounds[2] - bounds[0], bounds[3] - bounds[1])
    size = f"{path} is {extent[0]:.6g} x {extent[1]:.6g} in the units of {crs_name(crs)}, a cell of {cell:.6g}"
    if cell > max(extent):
        raise RasterError(f"{size} is larger than that. Give [data] cell_size in these units.")
    if max(right - left, top - bottom) > LARGEST_SIDE_PX:
        raise RasterError(f"{size} makes more than {LARGEST_SIDE_PX} columns or rows. Give [data] cell_size in these units.")
    return Grid(shape=(max(1, top - bottom), max(1, right - left)), crs=crs, transform=Affine(cell, 0, left * cell, 0, -cell, top * cell))
