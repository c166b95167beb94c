"""Footprints: where the windows of scenes lie on the ground."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window

WORLD = CRS.from_epsg(4326)


@dataclass(frozen=True, kw_only=True)
class SceneWindows:
    """Windows of one scene, and its place on the ground."""

    grid: Grid
    windows: Sequence[Window]


def footprints(scenes: Sequence[SceneWindows]) -> tuple[NDArray[np.object_], CRS | None, list[str | None] | None]:
    """The outlines of all windows, the CRS they are in, and the images' own CRS, one a window, where they have several.

    Outlines are in the images' CRS if all agree, else in EPSG:4326 (longitude, latitude); then those of images without a place on the
    ground are None. If no image has a place, they are in pixels, x = column, y = row.
    """
    known = [scene.grid.crs for scene in scenes if scene.grid.georeferenced]
    if not known:
        return _concatenated([_outlines(_on_ground(scene.windows, None)) for scene in scenes]), None, None
    if len(known) == len(scenes) and all(crs == known[0] for crs in known):
        return _concatenated([_outlines(_on_ground(scene.windows, scene.grid.transform)) for scene in scenes]), known[0], None
    codes = [_name(scene.grid) for scene in scenes for _ in scene.windows]
    return _concatenated([_worldwide(scene) for scene in scenes]), WORLD, codes


def _worldwide(scene: SceneWindows) -> NDArray[np.object_]:
    if scene.grid.crs is None or scene.grid.transform is None:
        return np.full(len(scene.windows), None, object)
    corners = _on_ground(scene.windows, scene.grid.transform)
    transformer = Transformer.from_crs(scene.grid.crs.to_wkt(), WORLD.to_wkt(), always_xy=True)
    longitude, latitude = transformer.transform(corners[..., 0], corners[..., 1])
    return _outlines(np.stack([longitude, latitude], axis=-1))


def _on_ground(windows: Sequence[Window], transform: Affine | None) -> NDArray[np.float64]:
    """(windows, 4, 2) corners as x and y on the ground; without a transform, in pixels."""
    corners = _corners(windows)
    if transform is None:
        return corners
    columns, rows = corners[..., 0], corners[..., 1]
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    return np.stack([x, y], axis=-1)


def _corners(windows: Sequence[Window]) -> NDArray[np.float64]:
    """(windows, 4, 2) corners as column and row, around the window."""
    edges = np.array([(window.col_off, window.row_off, window.col_end, window.row_end) for window in windows], np.float64).reshape(-1, 4)
    left, top, right, bottom = edges.T
    return np.stack([np.stack([left, right, right, left], axis=1), np.stack([top, top, bottom, bottom], axis=1)], axis=-1)


def _outlines(corners: NDArray[np.float64]) -> NDArray[np.object_]:
    outlines: NDArray[np.object_] = shapely.polygons(corners)
    return outlines


def _concatenated(parts: Sequence[NDArray[np.object_]]) -> NDArray[np.object_]:
    return np.concatenate(parts) if parts else np.empty(0, object)


def _name(grid: Grid) -> str | None:
    """A short name of a CRS, or its text where it has none."""
    if grid.crs is None or not grid.georeferenced:
        return None
    authority = grid.crs.to_authority()
    return ":".join(authority) if authority else str(grid.crs.to_wkt())
