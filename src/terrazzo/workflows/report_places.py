"""What a report shows of places: maps of how good samples are, regions of suspicious labels, small pictures of the ground."""

import math
from collections.abc import Callable, Sequence

import geopandas
import numpy as np

from terrazzo.drawing.places import Place
from terrazzo.drawing.rgb import Picture, to_rgb
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.reporting.report import SceneMap, SuspectLine

MOST_SCENES = 12
"""Images that a report shows one by one."""
TRAINING_SCENES = 4
"""Of them, those without any held-out sample, where there are more of both."""
MOST_SUSPECTS = 8
LARGEST_PICTURE_PX = 2**26
"""Larger images are not read once more for a small picture."""
PICTURE_PX = 480
"""Longer side of small pictures, at most."""
BANDS_AT_ONCE = 64
"""Rows of a small picture that are made at once."""
GROUND_UNITS = 2000
"""Longer side of the ground of many images, in the units in which boxes are placed."""
SMALLEST_UNITS = 16
"""Boxes of a median side below this would be specks."""


def scene_maps(
    frame: geopandas.GeoDataFrame, shape: Callable[[str], Shape], picture: Callable[[str], Picture | None]
) -> tuple[list[SceneMap], int]:
    """The samples on one map of the ground where many images share it, else image by image, and how many images are left out.

    frame: rows with scores, some of them missing; windows in pixels of the images. shape: (height, width) of an image.
    """
    scenes = list(dict.fromkeys(frame["scene"]))
    together = ground_map(frame) if len(scenes) > 1 else None
    if together is not None:
        return [together], 0
    held_out = set(frame.loc[frame["split"].isin(["validation", "test"]), "scene"]) if "split" in frame else set(scenes)
    chosen = _chosen(scenes, held_out)
    return [_scene_map(frame[frame["scene"] == scene], scene, shape(scene), picture(scene)) for scene in chosen], len(scenes) - len(chosen)


def ground_map(frame: geopandas.GeoDataFrame) -> SceneMap | None:
    """All samples by their footprints; None where those have no CRS in common, or would be too small to see."""
    if frame.crs is None or "crs" in frame or not len(frame):
        return None
    left, bottom, right, top = frame.total_bounds
    unit = max(right - left, top - bottom) / GROUND_UNITS
    if not unit > 0:
        return None
    boxes = frame.geometry.bounds
    windows = [
        Window(
            col_off=round((box.minx - left) / unit),
            row_off=round((top - box.maxy) / unit),
            width=max(1, round((box.maxx - box.minx) / unit)),
            height=max(1, round((box.maxy - box.miny) / unit)),
        )
        for box in boxes.itertuples()
    ]
    if np.median([min(window.shape) for window in windows]) < SMALLEST_UNITS:
        return None
    shape = (max(1, round((top - bottom) / unit)), max(1, round((right - left) / unit)))
    return SceneMap(name=f"All images, {frame.crs.to_string()}, north is up", shape=shape, places=_places(frame, windows))


def small_picture(raster: Raster) -> Picture | None:
    """An image reduced to every n-th pixel; None for a very large one."""
    height, width = raster.shape
    if height * width > LARGEST_PICTURE_PX:
        return None
    step = math.ceil(max(height, width) / PICTURE_PX)
    values, valid = [], []
    for row in range(0, height, step * BANDS_AT_ONCE):
        rows = min(step * BANDS_AT_ONCE, height - row)
        pixels = raster.read(Window(col_off=0, row_off=row, width=width, height=rows))
        values.append(pixels.values[:3, ::step, ::step])
        valid.append(pixels.valid[::step, ::step])
    return to_rgb(np.concatenate(values, axis=1), np.concatenate(valid))


def suspect_lines(suspicious: geopandas.GeoDataFrame | None) -> tuple[Sequence[SuspectLine], int]:
    """The first suspicious regions as text, and how many are left out. suspicious: of `where.layers.suspicious_table`."""
    if suspicious is None or not len(suspicious):
        return (), 0
    lines = [
        SuspectLine(
            scene=str(row["scene"]),
            place=f"column {row['col_off']}, row {row['row_off']}, {row['width']} x {row['height']} pixels",
            label=str(row["label"]),
            predicted=str(row["predicted"]),
            pixels=int(row["pixels"]),
            confidence=float(row["confidence"]),
        )
        for row in suspicious.head(MOST_SUSPECTS).to_dict("records")
    ]
    return lines, len(suspicious) - len(lines)


def _chosen(scenes: Sequence[str], held_out: set[str]) -> list[str]:
    """Images to show: those with held-out samples first, and room for some of the training."""
    first, rest = [scene for scene in scenes if scene in held_out], [scene for scene in scenes if scene not in held_out]
    room = MOST_SCENES - min(len(rest), TRAINING_SCENES)
    return [*first[:room], *rest[: MOST_SCENES - min(len(first), room)]]


def _scene_map(frame: geopandas.GeoDataFrame, name: str, shape: Shape, picture: Picture | None) -> SceneMap:
    windows = [
        Window(col_off=row["col_off"], row_off=row["row_off"], width=row["width"], height=row["height"]) for row in frame.to_dict("records")
    ]
    return SceneMap(name=name, shape=shape, places=_places(frame, windows), picture=picture)


def _places(frame: geopandas.GeoDataFrame, windows: Sequence[Window]) -> list[Place]:
    parts = frame["split"] if "split" in frame else [None] * len(frame)
    return [
        Place(
            window=window,
            part=part if isinstance(part, str) else None,  # type: ignore[arg-type]  # the column holds nothing else
            name=f"{scene}, column {col_off}, row {row_off}",
            score=None if math.isnan(score) else float(score),
        )
        for window, part, scene, col_off, row_off, score in zip(
            windows, parts, frame["scene"], frame["col_off"], frame["row_off"], frame["mean_dice"], strict=True
        )
    ]
