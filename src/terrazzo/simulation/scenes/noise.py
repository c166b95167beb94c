"""Smooth noise, at points and over pixels: a function of the place alone, so parts of a scene fit together exactly."""

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes.dice import Dice

STRETCH = 1.6
"""Along rows and columns each: mixtures of many draws would hardly differ from their mean."""


def smooth_at(dice: Dice, name: str, x: NDArray[np.float64], y: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Noise from 0 to 1 at points, smooth over `spacing`, in the units of x and y."""
    column, row = np.floor(x / spacing), np.floor(y / spacing)
    across, down = _eased(x / spacing - column), _eased(y / spacing - row)
    column, row = column.astype(np.int64), row.astype(np.int64)
    top = dice.uniform(name, column, row) * (1 - across) + dice.uniform(name, column + 1, row) * across
    bottom = dice.uniform(name, column, row + 1) * (1 - across) + dice.uniform(name, column + 1, row + 1) * across
    noise: NDArray[np.float64] = top * (1 - down) + bottom * down
    return noise


def smooth_over(dice: Dice, name: str, window: Window, spacing_px: int) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 0.7 over the pixels of a window, (height, width), smooth over `spacing_px` pixels."""
    rows, down = _taps(window.row_off, window.height, spacing_px)
    columns, across = _taps(window.col_off, window.width, spacing_px)
    knots = np.arange(columns[0], columns[-1] + 4), np.arange(rows[0], rows[-1] + 4)
    lattice = (2 * dice.uniform(name, knots[0][None, :], knots[1][:, None]) - 1).astype(np.float32)
    rows, columns = rows - rows[0], columns - columns[0]
    lined = sum((down[tap][:, None] * lattice[rows + tap] for tap in range(1, 4)), down[0][:, None] * lattice[rows])
    noise: NDArray[np.float32] = across[0] * lined[:, columns]
    for tap in range(1, 4):
        noise += across[tap] * lined[:, columns + tap]
    return noise


def grain(dice: Dice, name: str, window: Window, layers: int) -> NDArray[np.float32]:
    """Normal noise (layers, height, width) of mean 0 and deviation 1, each pixel for itself."""
    rows = np.arange(window.row_off, window.row_end, dtype=np.int64)[:, None]
    columns = np.arange(window.col_off, window.col_end, dtype=np.int64)[None, :]
    table = _normal_table()
    noise = np.empty((layers, *window.shape), np.float32)
    for first in range(0, layers, 4):
        # 64 bits are four words of 16
        words = dice.bits(name, first, rows, columns).view(np.uint16).reshape(*window.shape, 4)
        for layer in range(first, min(first + 4, layers)):
            noise[layer] = table[words[..., layer - first]]
    return noise


def _taps(start: int, count: int, spacing: int) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]]:
    """For each pixel the first of four knots, and their weights: a cubic B-spline."""
    at = np.arange(start, start + count)
    first = at // spacing
    t = ((at % spacing).astype(np.float32) + np.float32(0.5)) / np.float32(spacing)
    weights = [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]
    return first, [(STRETCH * weight).astype(np.float32) for weight in weights]


@cache
def _normal_table() -> NDArray[np.float32]:
    """The normal deviate of each 16-bit word."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf((word + 0.5) / 65536) for word in range(32768, 65536)], np.float32)
    return np.concatenate([-upper[::-1], upper])


def _eased(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return t * t * (3 - 2 * t)
