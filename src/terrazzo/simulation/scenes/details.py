"""What lies about: pavements, yards, drives, lines on roads, cars. None of it is a class, all of it looks like one."""

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.simulation.scenes.buildings import Buildings, Lot, corners
from terrazzo.simulation.scenes.land import Land, Points
from terrazzo.simulation.scenes.materials import Material
from terrazzo.simulation.scenes.roads import Roads
from terrazzo.simulation.scenes.water import Water

PARKING = 7
"""Places along one lane of a stretch of road, and in a yard."""
DASHES = 14
DASH_M = (1.6, 0.12)
"""Half the length and width of a dash of the line in the middle of a road."""
CAR_M = (2.2, 0.9)
"""Half the length and width of a car."""
CAR_PAINTS = np.array(
    [Material.PAINT, Material.PAINT, Material.METAL, Material.DARK_PAINT, Material.DARK_PAINT, Material.RED_PAINT], np.uint8
)


Patch = tuple[Points, int]
"""An outline in metres, (corners, 2), and its material."""


def ground(land: Land, water: Water, roads: Roads, buildings: Buildings) -> list[Patch]:
    """What lies under all classes: banks, pavements, yards and drives."""
    banks = [(ring, int(Material.SOIL)) for ring in water.banks]
    streets = roads.part(roads.town > 0.4)
    pavements = [
        (shapely.get_coordinates(polygon.exterior)[:-1], int(material))
        for polygon, material in zip(streets.polygons(wider_m=1.7), np.where(streets.main, Material.CONCRETE, Material.YARD), strict=True)
    ]
    return [*banks, *yards(land, buildings), *pavements]


def yards(land: Land, buildings: Buildings) -> list[Patch]:
    """Paved ground around halls and blocks, and drives from houses to the road."""
    chance = land.dice.uniform("yard", *_places(buildings).T)
    paved = np.isin(buildings.lot, [Lot.HALLS, Lot.BLOCKS]) & (chance < 0.75)
    about = buildings.part(paved)
    depth = np.stack([np.full(len(about), 5.0), np.full(len(about), 4.0)], -1)
    wide = about.to_scene(corners(about.half + depth))
    paving = np.where(chance[paved] < 0.3, Material.ASPHALT, Material.YARD)
    drives = np.isin(buildings.lot, [Lot.HOUSES, Lot.FARMS]) & (chance < 0.7)
    houses = buildings.part(drives)
    half = np.stack([np.full(len(houses), 1.6), houses.front_m / 2 + 1.0], -1)
    at = np.stack([houses.half[:, 0] * (2 * chance[drives] / 0.7 - 1) * 0.7, -houses.half[:, 1] - houses.front_m / 2], -1)
    ways = houses.to_scene(at[:, None] + corners(half))
    track = np.where(chance[drives] < 0.25, Material.GRAVEL, Material.YARD)
    return [*zip(wide, paving.tolist(), strict=True), *zip(ways, track.tolist(), strict=True)]


def traffic(land: Land, roads: Roads) -> list[Patch]:
    """Lines in the middle of main roads, and cars on all that have a surface."""
    return [*_lines(land, roads.part(roads.main)), *_cars(land, roads.part(roads.surface != Material.DIRT))]


def _lines(land: Land, roads: Roads) -> list[Patch]:
    stretch, dash = (part.ravel() for part in np.meshgrid(np.arange(len(roads)), np.arange(DASHES), indexing="ij"))
    painted = land.dice.uniform("lines", *roads.key[stretch].T) < 0.7
    stretch, dash = stretch[painted], dash[painted]
    middle, way = roads.at((dash + 0.5) / DASHES, stretch)
    return [(ring, int(Material.PAINT)) for ring in _laid(middle, way, np.broadcast_to(np.array(DASH_M), middle.shape))]


def _cars(land: Land, roads: Roads) -> list[Patch]:
    dice = land.dice
    stretch, lane, place = (
        part.ravel() for part in np.meshgrid(np.arange(len(roads)), np.array([-1, 1]), np.arange(PARKING), indexing="ij")
    )
    key = np.column_stack([roads.key[stretch], lane, place])
    there = dice.uniform("car", *key.T) < 0.03 + 0.2 * roads.town[stretch]
    stretch, lane, place, key = stretch[there], lane[there], place[there], key[there]
    middle, way = roads.at((place + dice.between(0.2, 0.8, "car at", *key.T)) / PARKING, stretch)
    across = np.stack([-way[:, 1], way[:, 0]], -1)
    middle = middle + across * (lane * np.maximum(roads.width_m[stretch] / 2 - 1.4, 0.8))[:, None]
    paint = CAR_PAINTS[(dice.uniform("paint", *key.T) * len(CAR_PAINTS)).astype(np.int64)]
    return list(zip(_laid(middle, way, np.broadcast_to(np.array(CAR_M), middle.shape)), paint.tolist(), strict=True))


def _laid(middle: Points, way: Points, half: Points) -> Points:
    """Corners (n, 4, 2) of rectangles along unit vectors."""
    own = corners(half)
    across = np.stack([-way[:, 1], way[:, 0]], -1)
    rings: Points = middle[:, None] + own[..., :1] * way[:, None] + own[..., 1:] * across[:, None]
    return rings


def _places(buildings: Buildings) -> NDArray[np.int64]:
    """Whole centimetres of the middles: keys that tell buildings apart."""
    return np.rint(buildings.middle * 100).astype(np.int64)
