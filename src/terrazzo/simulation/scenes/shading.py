"""How roofs and crowns catch the light, as a factor of their brightness."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.simulation.scenes.buildings import Buildings, Roof
from terrazzo.simulation.scenes.land import Land, Points
from terrazzo.simulation.scenes.trees import Trees

Values = NDArray[np.float64]
CONTRAST = 0.42
"""How much brighter or darker than level a slope is that faces the sun, or turns away from it."""
PARAPET_M = 0.7
"""Width of the bright edge of a flat roof."""


def roofs(buildings: Buildings, places: Points, land: Land) -> Values:
    """Brightness of roofs at places in metres, (n,). buildings: the one of each place, n of them."""
    offset, along = places - buildings.middle, buildings.along
    own = np.stack([offset[:, 0] * along[:, 0] + offset[:, 1] * along[:, 1], offset[:, 1] * along[:, 0] - offset[:, 0] * along[:, 1]], -1)
    falls = _falls(own, buildings)
    # the way that a slope falls, in the frame of the scene
    x, y = falls[:, 0] * along[:, 0] - falls[:, 1] * along[:, 1], falls[:, 0] * along[:, 1] + falls[:, 1] * along[:, 0]
    light = _to_sun(land)
    edge = (buildings.half - np.abs(own)).min(axis=1)
    parapet = np.where((edge >= 0) & (edge < PARAPET_M), 1.22, 1.0)
    return np.where(buildings.roof == Roof.FLAT, parapet, 1 + CONTRAST * (x * light[0] + y * light[1]))


def _falls(own: Points, buildings: Buildings) -> Points:
    """Which way a pitched roof falls, (n, 2), in the frame of its building.

    The ridge of the main rectangle runs along its longer side, that of a wing towards it; where they meet, the higher one is seen. A
    hipped roof falls to its ends, too.
    """
    hip = buildings.roof == Roof.HIP
    rise = buildings.half - np.abs(own)
    ridge_x = buildings.half[:, 0] >= buildings.half[:, 1]
    to_y = np.where(hip, rise[:, 1] <= rise[:, 0], ridge_x)
    height = np.where(rise.min(axis=1) < 0, -1.0, np.where(to_y, rise[:, 1], rise[:, 0]))
    wing = buildings.wing
    wing_rise = wing[:, 2] - np.abs(own[:, 0] - wing[:, 0])
    end_rise = wing[:, 1] + wing[:, 3] - own[:, 1]
    wing_height = np.where(hip, np.minimum(wing_rise, end_rise), wing_rise)
    in_wing = (wing[:, 2] > 0) & (own[:, 1] > 0) & (wing_height > np.maximum(height, 0))
    wing_to_y = in_wing & hip & (end_rise < wing_rise)
    falls_x = np.where(in_wing, np.where(wing_to_y, 0, np.sign(own[:, 0] - wing[:, 0])), np.where(to_y, 0, np.sign(own[:, 0])))
    falls_y = np.where(in_wing, np.where(wing_to_y, 1, 0), np.where(to_y, np.sign(own[:, 1]), 0))
    return np.stack([falls_x, falls_y], -1)


def crowns(trees: Trees, places: Points, land: Land) -> Values:
    """Brightness of crowns at places in metres, (n,): domes, bright towards the sun. trees: the one of each place, n of them."""
    offset = (places - trees.middle) / trees.radius_m[:, None]
    light = _to_sun(land)
    out = np.minimum(offset[:, 0] ** 2 + offset[:, 1] ** 2, 1.2)
    return 1.12 - 0.35 * out + 0.55 * (offset[:, 0] * light[0] + offset[:, 1] * light[1])


def _to_sun(land: Land) -> tuple[float, float]:
    """Unit vector on the ground towards the sun."""
    length = float(np.hypot(*land.shadow))
    return -land.shadow[0] / length, -land.shadow[1] / length
