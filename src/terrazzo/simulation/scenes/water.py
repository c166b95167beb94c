"""Water: lakes with smooth shores, and rivers that wind."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.simulation.scenes.land import Box, Land, Points, lattice, turned
from terrazzo.simulation.scenes.noise import smooth_at
from terrazzo.simulation.scenes.roads import Roads
from terrazzo.simulation.scenes.table import Table

LAKE_SPACING_M = 190.0
RIVER_SPACING_M = 620.0
CHUNK_M = 96.0
"""Length of the pieces of a river."""
STEPS = 22
REACH_M = 110.0
"""From the middle of a piece of water to its end."""


@dataclass(frozen=True, kw_only=True)
class Water(Table):
    """Pieces of water, with their banks."""

    rings: Points
    """(n, 2 STEPS, 2) outlines."""
    banks: Points
    """(n, 2 STEPS, 2) outlines of water and bank together."""
    turbid: NDArray[np.float64]
    """(n,) 0 for clear water to 1."""
    owner: Points
    """(n, 2) the place by which it belongs to a box."""


def water_in(land: Land, box: Box, roads: Roads) -> Water:
    """All pieces of water whose middle is in the box. roads: those planned around them; lakes keep off main roads."""
    return Water.joined([_lakes(land, box, roads), _rivers(land, box)])


def _lakes(land: Land, box: Box, roads: Roads) -> Water:
    dice = land.dice
    keys = lattice(box, LAKE_SPACING_M)
    middle = np.stack(
        [(key + dice.uniform(name, *keys)) * LAKE_SPACING_M for key, name in zip(keys, ("lake x", "lake y"), strict=True)], -1
    )
    there = box.holds(middle) & (dice.uniform("lake", *keys) < 0.34 - 0.22 * land.built_at(middle))
    middle, keys = middle[there], (keys[0][there], keys[1][there])
    radius = 10 + 42 * dice.uniform("lake radius", *keys) ** 1.5
    angle = np.linspace(0, 2 * math.pi, 2 * STEPS, endpoint=False)
    shape = np.ones((len(middle), len(angle)))
    for waves, height in ((2, 0.27), (3, 0.15), (5, 0.07)):
        phase = dice.between(0, 2 * math.pi, "shore", waves, *keys)[:, None]
        shape += height * dice.uniform("bay", waves, *keys)[:, None] * np.cos(waves * angle + phase)
    way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    rings = middle[:, None] + (radius[:, None] * shape)[..., None] * way
    banks = middle[:, None] + (radius[:, None] * shape + 2.5)[..., None] * way
    dry = _clear_of_main_roads(banks, roads)
    return Water(rings=rings[dry], banks=banks[dry], turbid=dice.between(0, 0.7, "turbid", *keys)[dry], owner=middle[dry])


def _clear_of_main_roads(rings: Points, roads: Roads) -> NDArray[np.bool_]:
    clear = np.ones(len(rings), np.bool_)
    if roads.main.any() and len(rings):
        tree = shapely.STRtree(roads.part(roads.main).polygons(wider_m=3.0))
        clear[tree.query(shapely.polygons(rings), predicate="intersects")[0]] = False
    return clear


def _rivers(land: Land, box: Box) -> Water:
    """In a frame whose x is the way of the river, each bank is a function of x: outlines never cross themselves."""
    dice = land.dice
    # a piece may lie further from its river's straight than its lattice says
    columns, rows = _chunks(box.grown(RIVER_SPACING_M / 2), land.river_rad)
    flows = dice.uniform("river", rows) < 0.75
    columns, rows = columns[flows], rows[flows]
    x = columns[:, None] * CHUNK_M + np.linspace(0, CHUNK_M, STEPS)
    line = np.broadcast_to(rows[:, None] * 64.0, x.shape)
    winding = 150 * (smooth_at(dice, "winding", x, line, 330.0) - 0.5) + 34 * (smooth_at(dice, "bend", x, line, 95.0) - 0.5)
    middle = (rows[:, None] + 0.5 + dice.between(-0.25, 0.25, "river at", rows)[:, None]) * RIVER_SPACING_M + winding
    width = dice.between(7, 34, "river width", rows)[:, None] * (0.65 + 0.7 * smooth_at(dice, "width", x, line, 120.0))
    owner = turned(np.stack([x[:, STEPS // 2], middle[:, STEPS // 2]], -1), land.river_rad)
    here = box.holds(owner)
    rings, banks = (_strip(land, x[here], middle[here], width[here] / 2 + by) for by in (0.0, 2.5))
    return Water(rings=rings, banks=banks, turbid=dice.between(0.3, 1.0, "turbid river", rows)[here], owner=owner[here])


def _chunks(box: Box, turn_rad: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chunk and river numbers of all pieces that the box may touch."""
    corners = turned(box.corners, -turn_rad)
    low, high = corners.min(axis=0), corners.max(axis=0)
    columns = np.arange(math.floor(low[0] / CHUNK_M), math.floor(high[0] / CHUNK_M) + 1)
    rows = np.arange(math.floor(low[1] / RIVER_SPACING_M), math.floor(high[1] / RIVER_SPACING_M) + 1)
    across, down = np.meshgrid(columns, rows)
    return across.ravel().astype(np.int64), down.ravel().astype(np.int64)


def _strip(land: Land, x: NDArray[np.float64], middle: NDArray[np.float64], half: NDArray[np.float64]) -> Points:
    """Outlines of pieces of river: one bank there, the other one back."""
    there, back = np.stack([x, middle - half], -1), np.stack([x, middle + half], -1)[:, ::-1]
    return turned(np.concatenate([there, back], axis=1), land.river_rad)
