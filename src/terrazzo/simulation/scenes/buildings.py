"""Buildings along roads: houses, some of them angled, rows of houses wall to wall, blocks and halls; none touches another's group."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.simulation.scenes.land import Box, Land, Points
from terrazzo.simulation.scenes.materials import Material
from terrazzo.simulation.scenes.roads import Roads
from terrazzo.simulation.scenes.table import Table

CLEAR_M = 70.0
"""How far around a box all candidates must be known, to tell which of those in it stay."""
REACH_M = 40.0
"""From the middle of a building to its furthest corner."""
SLOTS = 9
"""Places along one side of a stretch of road, at most."""
CORNER_M = 9.0
"""Kept free at either end of a stretch."""
GAP_M = 1.5
"""Kept free between groups, and between them and roads or water."""


class Lot(IntEnum):
    """What stands along one side of a stretch of road."""

    HOUSES = 0
    ROWS = 1
    BLOCKS = 2
    HALLS = 3
    FARMS = 4


# by lot: houses, rows, blocks, halls, farms
_LENGTH_M = np.array([[9.5, 5.6, 24.0, 26.0, 12.0], [15.0, 7.6, 42.0, 48.0, 26.0]])
"""Least and most along the road; of one building of a row."""
_DEPTH_M = np.array([[8.0, 8.5, 11.0, 16.0, 9.0], [11.0, 10.5, 14.0, 28.0, 13.0]])
_HEIGHT_M = np.array([6.0, 7.5, 13.0, 8.0, 6.5])
_GAP_M = np.array([4.5, 3.0, 9.0, 10.0, 14.0])
"""Between neighbours, about."""
_SETBACK_M = np.array([6.0, 3.5, 6.0, 9.0, 16.0])
"""Between a front and the road, about."""
_TILT_RAD = np.array([0.06, 0.0, 0.06, 0.06, 0.36])
"""How far a group may be turned against its road."""


class Roof(IntEnum):
    FLAT = 0
    GABLE = 1
    HIP = 2


@dataclass(frozen=True, kw_only=True)
class Buildings(Table):
    """An entry of each array for each building; a building is a rectangle, or two that make an L.

    In the frame of a building x is along its ridge. A row of houses is several buildings, of one group, that share walls.
    """

    middle: Points
    """(n, 2) of the main rectangle."""
    along: Points
    """(n, 2) unit vector of its own x."""
    half: Points
    """(n, 2) half its length and width."""
    wing: NDArray[np.float64]
    """(n, 4) middle (x, y) and half length and width of a second rectangle, all in its own frame; 0 where there is none."""
    roof: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    """Material of the roof."""
    tone: NDArray[np.float64]
    """Brightness of the roof, about 1."""
    age: NDArray[np.float64]
    """0 new to 1: how far the cover is on the way to how it is at its oldest."""
    height_m: NDArray[np.float64]
    front_m: NDArray[np.float64]
    """From its front to the road."""
    lot: NDArray[np.int64]
    owner: Points
    """(n, 2) the place by which it, and all of its group, belongs to a box."""

    def to_scene(self, own: Points) -> Points:
        """From the frames of buildings, (n, points, 2), to that of the scene."""
        across = np.stack([-self.along[:, 1], self.along[:, 0]], -1)
        placed: Points = self.middle[:, None] + own[..., :1] * self.along[:, None] + own[..., 1:] * across[:, None]
        return placed

    @property
    def angled(self) -> NDArray[np.bool_]:
        """Which have a wing."""
        return self.wing[:, 2] > 0

    def outlines(self) -> list[Points]:
        """The corners of each, 4 or 6."""
        plain = self.to_scene(corners(self.half))
        # the wing goes on from the upper side of the main rectangle, flush with one of its ends
        angled = self.part(self.angled)
        bent = iter(angled.to_scene(_bent(angled.half, angled.wing)))
        return [next(bent) if is_bent else ring for ring, is_bent in zip(plain, self.angled, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Groups(Table):
    """Candidates: what stands or falls together."""

    key: NDArray[np.int64]
    """(n, 5) of the stretch, side and slot."""
    lot: NDArray[np.int64]
    middle: Points
    along: Points
    """(n, 2) unit vectors along the road, so that across them the road is in front, at negative y."""
    half: Points
    """(n, 2) of all of it."""
    units: NDArray[np.int64]
    """Buildings in it."""
    angled: NDArray[np.bool_]
    front_m: NDArray[np.float64]

    def polygons(self, wider_m: float) -> NDArray[np.object_]:
        across = np.stack([-self.along[:, 1], self.along[:, 0]], -1)
        own = corners(self.half + wider_m)
        polygons: NDArray[np.object_] = shapely.polygons(
            self.middle[:, None] + own[..., :1] * self.along[:, None] + own[..., 1:] * across[:, None]
        )
        return polygons


def buildings_in(land: Land, box: Box, roads: Roads, obstacles: NDArray[np.object_]) -> Buildings:
    """All buildings whose group's middle is in the box.

    roads and obstacles (polygons of roads and water): all that lie within CLEAR_M of the box and the reach of a stretch.
    """
    groups = _candidates(land, roads)
    groups = groups.part(box.grown(CLEAR_M).holds(groups.middle))
    if len(groups.lot) and len(obstacles):
        hit = shapely.STRtree(obstacles).query(groups.polygons(GAP_M), predicate="intersects")[0]
        groups = groups.part(~np.isin(np.arange(len(groups.lot)), hit))
    groups = groups.part(_foremost(land, groups))
    return _raised(land, groups.part(box.holds(groups.middle)))


def _candidates(land: Land, roads: Roads) -> _Groups:
    """What could stand along both sides of all stretches."""
    stretch, side, slot = (part.ravel() for part in np.meshgrid(np.arange(len(roads)), np.array([-1, 1]), np.arange(SLOTS), indexing="ij"))
    key = np.column_stack([roads.key[stretch], side, slot])
    town = roads.town[stretch]
    lot = _lots(land, key, town)
    units, half = _sizes(land, key, lot)
    share, fits = _slots(land, key, lot, half, roads.length_m[stretch])
    point, way = roads.at(share, stretch)
    out = side[:, None] * np.stack([-way[:, 1], way[:, 0]], -1)
    front_m = _SETBACK_M[lot] * (0.6 + 0.8 * land.dice.uniform("setback", *key.T[:4]))
    tilt = land.dice.between(-1, 1, "tilt", *key.T) * _TILT_RAD[lot]
    cos, sin = np.cos(tilt), np.sin(tilt)
    along = side[:, None] * np.stack([way[:, 0] * cos - way[:, 1] * sin, way[:, 0] * sin + way[:, 1] * cos], -1)
    groups = _Groups(
        key=key,
        lot=lot,
        middle=point + out * (roads.width_m[stretch] / 2 + front_m + half[:, 1])[:, None],
        along=along,
        half=half,
        units=units,
        angled=np.isin(lot, [Lot.HOUSES, Lot.FARMS, Lot.BLOCKS]) & (land.dice.uniform("angled", *key.T) < 0.38),
        front_m=front_m,
    )
    taken = land.dice.uniform("lot", *key.T) < np.where(lot == Lot.FARMS, 0.4, 0.65 + 0.4 * town)
    return groups.part(fits & taken)


def _lots(land: Land, key: NDArray[np.int64], town: NDArray[np.float64]) -> NDArray[np.int64]:
    """What kind of buildings stands along a side."""
    draw = land.dice.uniform("kind of lot", *key.T[:4])
    in_town = np.select([draw < 0.4, draw < 0.7, draw < 0.87], [Lot.HOUSES, Lot.ROWS, Lot.BLOCKS], Lot.HALLS)
    outside = np.select([draw < 0.75, draw < 0.85], [Lot.HOUSES, Lot.HALLS], Lot.ROWS)
    lots: NDArray[np.int64] = np.where(town < 0.25, Lot.FARMS, np.where(town < 0.55, outside, in_town)).astype(np.int64)
    return lots


def _sizes(land: Land, key: NDArray[np.int64], lot: NDArray[np.int64]) -> tuple[NDArray[np.int64], Points]:
    """Buildings in each group, and half its length along the road and half its depth."""
    units = np.where(lot == Lot.ROWS, 3 + (5 * land.dice.uniform("units", *key.T)).astype(np.int64), 1)
    length, depth = (
        limits[0][lot] + (limits[1] - limits[0])[lot] * land.dice.uniform(name, *key.T)
        for name, limits in (("length", _LENGTH_M), ("depth", _DEPTH_M))
    )
    return units, np.stack([length * units / 2, depth / 2], -1)


def _slots(
    land: Land, key: NDArray[np.int64], lot: NDArray[np.int64], half: Points, length_m: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Where along its stretch the middle of each slot is, as a share, and whether there is room for it.

    The slots of one side have the pitch that its longest group needs, so they never run into each other.
    """
    wanted = 2 * half[:, 0] + _GAP_M[lot] * (0.6 + land.dice.uniform("gap", *key.T))
    pitch = np.repeat(wanted.reshape(-1, SLOTS).max(axis=1), SLOTS)
    room = np.minimum(np.floor((length_m - 2 * CORNER_M) / pitch), SLOTS)
    start = (length_m - room * pitch) / 2
    return (start + (key[:, 4] + 0.5) * pitch) / length_m, key[:, 4] < room


def _foremost(land: Land, groups: _Groups) -> NDArray[np.bool_]:
    """Which groups stay: those that meet none of higher rank. So whether one stays depends on its neighbours alone, not on theirs."""
    stays = np.ones(len(groups.lot), np.bool_)
    if len(stays) > 1:
        rank = land.dice.uniform("rank", *groups.key.T)
        polygons = groups.polygons(GAP_M)
        one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
        stays[one[rank[one] < rank[other]]] = False
    return stays


def _raised(land: Land, groups: _Groups) -> Buildings:
    """The buildings of groups: the units of rows side by side, wings on those with an angle."""
    group = np.repeat(np.arange(len(groups.lot)), groups.units)
    unit = np.arange(len(group)) - np.repeat(np.cumsum(groups.units) - groups.units, groups.units)
    key = np.column_stack([groups.key[group], unit])
    half = groups.half[group] / np.stack([groups.units[group], np.ones(len(group))], -1)
    offset = (unit - (groups.units[group] - 1) / 2) * 2 * half[:, 0]
    lot, angled = groups.lot[group], groups.angled[group]
    wing = np.where(angled[:, None], _wings(land, key, half), 0.0)
    # with its wing, a building keeps to the rectangle of its group
    shrunk = np.where(angled, half[:, 1] - wing[:, 3], half[:, 1])
    along = groups.along[group]
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    middle = groups.middle[group] + offset[:, None] * along - (half[:, 1] - shrunk)[:, None] * across
    wing[:, 1] = np.where(angled, shrunk + wing[:, 3], 0.0)
    roof, cover = _covers(land, key, lot)
    return Buildings(
        middle=middle,
        along=along,
        half=np.stack([half[:, 0], shrunk], -1),
        wing=wing,
        roof=roof,
        cover=cover,
        tone=np.exp(0.14 * _bell(land, "tone", key)),
        age=land.dice.uniform("age", *key.T),
        height_m=_HEIGHT_M[lot] * (0.8 + 0.5 * land.dice.uniform("height", *key.T[:5])),
        front_m=groups.front_m[group],
        lot=lot,
        owner=groups.middle[group],
    )


def _wings(land: Land, key: NDArray[np.int64], half: Points) -> NDArray[np.float64]:
    """Wings in the frames of buildings; their y is set when the main rectangle has made room."""
    length = half[:, 0] * land.dice.between(0.35, 0.6, "wing length", *key.T)
    depth = half[:, 1] * land.dice.between(0.3, 0.5, "wing depth", *key.T)
    end = np.where(land.dice.uniform("wing end", *key.T) < 0.5, -1, 1)
    return np.stack([end * (half[:, 0] - length), np.zeros(len(key)), length, depth], -1)


def _covers(land: Land, key: NDArray[np.int64], lot: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Shape and material of roofs: tiles and slate on pitched ones, gravel, membranes and metal on flat ones."""
    dice = land.dice
    shape, draw = dice.uniform("roof", *key.T[:5]), dice.uniform("cover", *key.T)
    pitched = np.select([shape < 0.62, shape < 0.88], [Roof.GABLE, Roof.HIP], Roof.FLAT)
    blocks = np.where(shape < 0.45, Roof.HIP, Roof.FLAT)
    halls = np.where(shape < 0.25, Roof.GABLE, Roof.FLAT)
    roof = np.select(
        [lot == Lot.BLOCKS, lot == Lot.HALLS], [blocks, halls], np.where((lot == Lot.ROWS) & (shape >= 0.62), Roof.GABLE, pitched)
    )
    tiles = np.select([draw < 0.3, draw < 0.58, draw < 0.82], [Material.RED_TILE, Material.BROWN_TILE, Material.SLATE], Material.GREY_ROOF)
    flats = np.select(
        [draw < 0.3, draw < 0.52, draw < 0.68, draw < 0.88],
        [Material.GRAVEL, Material.GREY_ROOF, Material.WHITE_ROOF, Material.METAL],
        Material.GREEN_ROOF,
    )
    return roof.astype(np.uint8), np.where(roof == Roof.FLAT, flats, tiles).astype(np.uint8)


def _bell(land: Land, name: str, key: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draws around 0 with deviation 1, bounded: the sum of three even ones."""
    draws = np.stack([land.dice.uniform(name, turn, *key.T) for turn in range(3)])
    bell: NDArray[np.float64] = 2 * draws.sum(axis=0) - 3
    return bell


def corners(half: Points) -> Points:
    """Corners (n, 4, 2) of rectangles about their middles."""
    four: Points = half[:, None] * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return four


def _bent(half: Points, wing: NDArray[np.float64]) -> Points:
    """Corners (n, 6, 2) of a rectangle with another one on its upper side, at one end."""
    x, y = half[:, 0], half[:, 1]
    left, right = wing[:, 0] - wing[:, 2], wing[:, 0] + wing[:, 2]
    top = y + 2 * wing[:, 3]
    at_right = wing[:, 0] > 0
    right_end = [(-x, -y), (x, -y), (x, top), (left, top), (left, y), (-x, y)]
    left_end = [(-x, -y), (x, -y), (x, y), (right, y), (right, top), (-x, top)]
    return np.stack(
        [np.stack([np.where(at_right, a[side], b[side]) for side in (0, 1)], -1) for a, b in zip(right_end, left_end, strict=True)], 1
    )
