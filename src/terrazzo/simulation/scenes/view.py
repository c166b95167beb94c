"""What a window of a scene shows: the things in it, which pixel is of which, and where shadows fall."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes.buildings import Buildings, corners
from terrazzo.simulation.scenes.land import Land, Points
from terrazzo.simulation.scenes.plots import BUILDING, ORDER, ROAD, TREE, WATER, Patches, Plot, Plots
from terrazzo.simulation.scenes.roads import Roads
from terrazzo.simulation.scenes.trees import Trees
from terrazzo.simulation.scenes.water import Water

SHADOW_M = 40.0
"""How far a shadow reaches from the outline of its thing, at most."""
NOTHING = 255
"""Where no patch lies."""
_SHIFT = 8
_FRACTIONS = 1 << _SHIFT
"""Corners of what is painted for its looks alone lie on fractions of a pixel of this."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The things in a window. Things are numbered from 1 in painting order, by class and then by plot; 0 is nothing."""

    window: Window
    land: Land
    cell_size_m: float
    water: Water
    roads: Roads
    buildings: Buildings
    trees: Trees
    first: Mapping[int, int]
    """The number of the first thing of each class."""
    labels: NDArray[np.uint8]
    """(things + 1,) the class of each, 0 for nothing."""
    numbers: NDArray[np.uint32]
    """(things + 1,) the number of each in the scene, 0 for nothing."""
    owners: NDArray[np.uint32]
    """(height, width) which thing is on top."""
    under: NDArray[np.uint8]
    """(height, width) material of what lies on the bare ground, or NOTHING."""
    over: NDArray[np.uint8]
    """(height, width) material of what lies on roads, or NOTHING."""
    shadow: NDArray[np.bool_]
    """(height, width) where a shadow falls on the ground."""


def look(plots: Plots, window: Window) -> View:
    """Look at a window, which may reach beyond the scene."""
    places = plots.near(window)
    here = [plots.at(*place) for place in places]
    tables: dict[int, list[Any]] = {}
    rings: list[Points] = []
    labels, numbers, start = [0], [0], {}
    for label in ORDER:
        start[label] = len(labels)
        tables[label] = []
        for place, plot in zip(places, here, strict=True):
            outlines = plot.outlines[label]
            seen = outlines.meet(window)
            tables[label].append(plot.table(label).part(seen))
            rings += outlines.part(seen)
            numbers += (plots.first[label][place] + np.flatnonzero(seen)).tolist()
            labels += [label] * int(seen.sum())
    return View(
        window=window,
        land=plots.land,
        cell_size_m=plots.cell_size_m,
        water=Water.joined(tables[WATER]),
        roads=Roads.joined(tables[ROAD]),
        buildings=Buildings.joined(tables[BUILDING]),
        trees=Trees.joined(tables[TREE]),
        first=start,
        labels=np.array(labels, np.uint8),
        numbers=np.array(numbers, np.uint32),
        owners=_owners(rings, window),
        under=_patched([plot.under for plot in here], window),
        over=_patched([plot.over for plot in here], window),
        shadow=_shadows(here, plots, window),
    )


def _owners(rings: list[Points], window: Window) -> NDArray[np.uint32]:
    """The last ring, numbered from 1, that each pixel's centre lies in."""
    if not rings:
        return np.zeros(window.shape, np.uint32)
    corner = np.array((window.col_off, window.row_off))
    shapes = (({"type": "Polygon", "coordinates": [(ring - corner).tolist()]}, number) for number, ring in enumerate(rings, 1))
    owners: NDArray[np.uint32] = rasterize(shapes, out_shape=window.shape, dtype="uint32")
    return owners


def _patched(patches: list[Patches], window: Window) -> NDArray[np.uint8]:
    """The material of the last patch on each pixel."""
    rings: list[Points] = []
    materials: list[int] = []
    for part in patches:
        seen = part.outlines.meet(window)
        rings += part.outlines.part(seen)
        materials += part.material[seen].tolist()
    return _painted(rings, materials, window)


def _painted(rings: list[Points], colors: list[int], window: Window) -> NDArray[np.uint8]:
    """Rings filled with their colours, for looks: a pixel that is only touched may be filled too.

    All rings lie on the canvas, which is larger than the window: what is cut off at a border would not be drawn quite the same.
    """
    if not rings:
        return np.full(window.shape, NOTHING, np.uint8)
    corner = np.array((window.col_off, window.row_off))
    moved = [ring - corner for ring in rings]
    low = np.minimum(np.floor(np.min([ring.min(axis=0) for ring in moved], axis=0)).astype(np.int64) - 2, 0)
    high = np.maximum(np.ceil(np.max([ring.max(axis=0) for ring in moved], axis=0)).astype(np.int64) + 3, window.shape[::-1])
    canvas = np.full((int(high[1] - low[1]), int(high[0] - low[0])), NOTHING, np.uint8)
    for ring, color in zip(moved, colors, strict=True):
        points = np.rint((ring - low - 0.5) * _FRACTIONS).astype(np.int32)
        cv2.fillPoly(canvas, [points], (color,), shift=_SHIFT)
    return canvas[-low[1] : -low[1] + window.height, -low[0] : -low[0] + window.width]


def _shadows(here: list[Plot], plots: Plots, window: Window) -> NDArray[np.bool_]:
    """Where buildings and trees keep off the sun: outlines swept along the way of the shadow."""
    by_px = SHADOW_M / plots.cell_size_m
    sun = np.array(plots.land.shadow) / plots.cell_size_m
    rings: list[Points] = []
    for plot in here:
        buildings = plot.buildings.part(plot.outlines[BUILDING].meet(window, by_px))
        rings += _swept(_rectangles(buildings) / plots.cell_size_m, buildings, sun)
        trees = plot.outlines[TREE].meet(window, by_px)
        for crown, height_m in zip(plot.outlines[TREE].part(trees), plot.trees.height_m[trees].tolist(), strict=True):
            rings += [crown + sun * height_m * share for share in (0.35, 0.75)]
    shadow: NDArray[np.bool_] = _painted(rings, [1] * len(rings), window) == 1
    return shadow


def _rectangles(buildings: Buildings) -> Points:
    """Main rectangles and wings, (n, 2, 4, 2) in metres; the wing of a plain building is a point."""
    wings = corners(buildings.wing[:, 2:]) + buildings.wing[:, None, :2]
    return np.stack([buildings.to_scene(corners(buildings.half)), buildings.to_scene(wings)], axis=1)


def _swept(rectangles: Points, buildings: Buildings, sun: NDArray[np.float64]) -> list[Points]:
    """The ground that rectangles, (n, 2, 4, 2) in pixels, sweep while they are moved along their shadows."""
    swept: list[Points] = []
    for parts, height_m, angled in zip(rectangles, buildings.height_m.tolist(), buildings.angled.tolist(), strict=True):
        for part in parts[: 1 + angled]:
            there = part + sun * height_m
            swept += [there, *(np.stack([part[at - 1], part[at], there[at], there[at - 1]]) for at in range(4))]
    return swept
