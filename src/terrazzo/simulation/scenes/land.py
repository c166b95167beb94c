"""The land of a scene: what holds for all of it, in metres from its top left corner, x to the right, y down."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.simulation.scenes.dice import Dice
from terrazzo.simulation.scenes.noise import smooth_at

Points = NDArray[np.float64]
"""(..., 2) x and y in metres."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle of ground, in metres; left and top are of it, right and bottom are not."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float) -> "Box":
        return Box(left=self.left - by, top=self.top - by, right=self.right + by, bottom=self.bottom + by)

    def holds(self, points: Points) -> NDArray[np.bool_]:
        """Which points lie in it."""
        x, y = points[..., 0], points[..., 1]
        inside: NDArray[np.bool_] = (x >= self.left) & (x < self.right) & (y >= self.top) & (y < self.bottom)
        return inside

    @property
    def corners(self) -> Points:
        return np.array([(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)])


@dataclass(frozen=True, kw_only=True)
class Land:
    """Facts of one scene's land."""

    dice: Dice
    turn_rad: float
    """Of the network of roads, and of the fields with it."""
    river_rad: float
    """The way that rivers run."""
    built: float
    """How built-up it is on average, 0 to 1."""
    shadow: tuple[float, float]
    """Where the shadow of a thing of one metre ends, (x, y) in metres."""
    season: float
    """0: all is green; 1: grass is dry and leaves have turned."""
    haze: float
    """Share of the light that comes from the air."""

    def built_at(self, points: Points) -> NDArray[np.float64]:
        """How built-up the land is at points, 0 to 1."""
        wave = smooth_at(self.dice, "built", points[..., 0], points[..., 1], 450.0)
        return np.clip(self.built + 1.3 * (wave - 0.5), 0, 1)

    def wooded_at(self, points: Points) -> NDArray[np.float64]:
        """How wooded the land is at points, from 0 to 1."""
        x, y = points[..., 0], points[..., 1]
        wave = 0.65 * smooth_at(self.dice, "woods", x, y, 130.0) + 0.35 * smooth_at(self.dice, "glades", x, y, 35.0)
        return np.clip(3.2 * (wave - 0.45 - 0.12 * self.built_at(points)), 0, 1)

    def turned(self, points: Points) -> Points:
        """From the frame of roads and fields to that of the scene."""
        return turned(points, self.turn_rad)

    def straight(self, points: Points) -> Points:
        """From the frame of the scene to that of roads and fields."""
        return turned(points, -self.turn_rad)


def draw_land(dice: Dice, haze: tuple[float, float]) -> Land:
    """Draw what holds for a whole scene. haze: its least and most."""
    sun_rad, height_rad = dice.one(0, 2 * math.pi, "sun"), math.radians(dice.one(35, 60, "sun height"))
    length = 1 / math.tan(height_rad)
    return Land(
        dice=dice,
        turn_rad=dice.one(0, math.pi / 2, "turn"),
        river_rad=dice.one(0, math.pi, "river"),
        built=dice.one(0.3, 0.9, "built-up"),
        shadow=(length * math.cos(sun_rad), length * math.sin(sun_rad)),
        season=dice.one(0, 1, "season") ** 1.5,
        haze=dice.one(*haze, "haze"),
    )


def turned(points: Points, angle_rad: float) -> Points:
    """Points turned about the origin."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def lattice(box: Box, spacing: float, turn_rad: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of all cells of a turned lattice that the box may touch, row by row."""
    corners = turned(box.corners, -turn_rad)
    (left, top), (right, bottom) = np.floor(corners.min(axis=0) / spacing), np.floor(corners.max(axis=0) / spacing)
    columns, rows = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    return columns.ravel().astype(np.int64), rows.ravel().astype(np.int64)
