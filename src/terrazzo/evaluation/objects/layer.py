"""Where objects are found, missed and invented: a table with a row an object."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.evaluation.objects.rows import ROW, STATUSES
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window
from terrazzo.samples.footprints import SceneWindows, footprints

BOX = ("col_off", "row_off", "width", "height")


@dataclass(frozen=True, kw_only=True)
class SceneObjects:
    """The objects of one scene, and its place on the ground."""

    scene: str
    grid: Grid
    rows: NDArray[np.void]
    """(n,) of type ROW."""


def object_table(scenes: Sequence[SceneObjects]) -> geopandas.GeoDataFrame:
    """A row an object, scene by scene: its status, size, IoU, and where it is.

    pixels: its size. column, row: its centroid, 0.5 in the middle of the first pixel. col_off, row_off, width, height: its bounding box,
    which is the geometry, as `footprints` has it. Where a scene has a place, also x, y, and area, in the scene's own CRS and its units.
    """
    scenes = [scene for scene in scenes if len(scene.rows)]
    rows = np.concatenate([np.zeros(0, ROW), *(scene.rows for scene in scenes)])
    geometry, crs, codes = footprints([SceneWindows(grid=scene.grid, windows=_boxes(scene.rows)) for scene in scenes])
    places = np.concatenate([np.zeros((0, 3)), *(_on_ground(scene) for scene in scenes)])
    table = pd.DataFrame(
        {
            "scene": np.repeat(np.array([scene.scene for scene in scenes], object), [len(scene.rows) for scene in scenes]),
            "status": np.array(STATUSES, object)[rows["status"]],
            "iou": rows["iou"],
            **{name: rows[name] for name in ("pixels", "column", "row", *BOX)},
            **({} if crs is None else dict(zip(("x", "y", "area"), places.T, strict=True))),
        }
    )
    if codes is not None:
        table["crs"] = codes
    return geopandas.GeoDataFrame(table, geometry=geometry, crs=crs)


def _boxes(rows: NDArray[np.void]) -> list[Window]:
    boxes = zip(*(rows[name].tolist() for name in BOX), strict=True)
    return [Window(col_off=left, row_off=top, width=width, height=height) for left, top, width, height in boxes]


def _on_ground(scene: SceneObjects) -> NDArray[np.float64]:
    """(n, 3): x and y of the centroids, and the areas; NaN where the scene has no place."""
    columns, rows, transform = scene.rows["column"], scene.rows["row"], scene.grid.transform
    if not scene.grid.georeferenced or transform is None:
        return np.full((len(scene.rows), 3), np.nan)
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    return np.stack([x, y, scene.rows["pixels"] * abs(transform.determinant)], axis=1)
