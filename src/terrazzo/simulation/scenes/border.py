"""The border without data that a turned acquisition leaves around a scene."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape, Window
from terrazzo.simulation.scenes.dice import Dice
from terrazzo.simulation.scenes.noise import smooth_at

KNOTS = 2048
"""Points that each side of the acquisition is drawn by."""
WAVES = ((0.08, 0.03), (0.02, 0.006))
"""Length and height of its unevenness, in sides of the scene."""
TRIED = 256
"""Places along either side of a scene that the share is measured at."""


@dataclass(frozen=True, kw_only=True)
class Border:
    """A turned rectangle with uneven sides: what lies in it has data."""

    shape: Shape
    """Of the scene, (height, width) in pixels."""
    turn_rad: float
    scale: float
    """Its size, in sizes of the scene."""
    sides: NDArray[np.float64]
    """(4, KNOTS) how far each side juts out, in sides of the scene, from one end to the other."""

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels of a window have data, (height, width)."""
        rows = (np.arange(window.row_off, window.row_end) + 0.5) / self.shape[0] - 0.5
        columns = (np.arange(window.col_off, window.col_end) + 0.5) / self.shape[1] - 0.5
        return self.covers(columns[None, :], rows[:, None])

    def covers(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which places have data: shares of the scene's sides from its middle, -0.5 to 0.5."""
        cos, sin = math.cos(self.turn_rad), math.sin(self.turn_rad)
        across, along = x * cos + y * sin, y * cos - x * sin
        margin = 0.5 * self.scale
        inside: NDArray[np.bool_] = (
            (across < margin + self._juts(0, along))
            & (-across < margin + self._juts(1, along))
            & (along < margin + self._juts(2, across))
            & (-along < margin + self._juts(3, across))
        )
        return inside

    def _juts(self, side: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far a side juts out at places along it, from -1 to 1."""
        knot = np.clip(((at + 1) * (KNOTS / 2)).astype(np.int64), 0, KNOTS - 1)
        juts: NDArray[np.float64] = self.sides[side][knot]
        return juts


def draw_border(dice: Dice, shape: Shape, share: float) -> Border:
    """Draw a border that leaves a share of the scene without data, to within a few thousandths. share: 0 to 0.6."""
    at = np.linspace(0, 2, KNOTS)
    sides = np.stack(
        [
            sum(
                (height * (2 * smooth_at(dice, f"side {side}", at, np.full_like(at, 7.0 * side), length) - 1) for length, height in WAVES),
                np.zeros(KNOTS),
            )
            for side in range(4)
        ]
    )
    turn_rad = math.radians(dice.one(7, 24, "acquisition")) * (1 if dice.one(0, 1, "acquisition way") < 0.5 else -1)
    places = (np.arange(TRIED) + 0.5) / TRIED - 0.5
    low, high = 0.2, 2.5
    for _ in range(24):
        scale = (low + high) / 2
        border = Border(shape=shape, turn_rad=turn_rad, scale=scale, sides=sides)
        if border.covers(places[None, :], places[:, None]).mean() < 1 - share:
            low = scale
        else:
            high = scale
    return Border(shape=shape, turn_rad=turn_rad, scale=high, sides=sides)
