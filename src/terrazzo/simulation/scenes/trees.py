"""Trees: woods, trees of gardens and along roads; crowns overlap."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.simulation.scenes.land import Box, Land, Points, lattice
from terrazzo.simulation.scenes.table import Table

SPACING_M = 4.8
"""Of the lattice that trees stand about."""
LARGEST_M = 4.8
"""Radius of a crown."""
CORNERS = 14


@dataclass(frozen=True, kw_only=True)
class Trees(Table):
    """An entry of each array for each tree."""

    middle: Points
    """(n, 2)."""
    radius_m: NDArray[np.float64]
    lobes: NDArray[np.float64]
    """(n, CORNERS) distance of each corner of the crown from its middle, in radii."""
    tone: NDArray[np.float64]
    """Brightness of the leaves, about 1."""
    turned: NDArray[np.float64]
    """0: green; 1: leaves have turned."""

    @property
    def owner(self) -> Points:
        """(n, 2) the place by which each belongs to a box."""
        return self.middle

    @property
    def height_m(self) -> NDArray[np.float64]:
        return 2.0 + 1.9 * self.radius_m

    def outlines(self) -> Points:
        """The corners of crowns, (n, CORNERS, 2)."""
        angle = np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
        way = np.stack([np.cos(angle), np.sin(angle)], -1)
        outlines: Points = self.middle[:, None] + (self.radius_m[:, None] * self.lobes)[..., None] * way
        return outlines


def trees_in(land: Land, box: Box, obstacles: NDArray[np.object_]) -> Trees:
    """All trees whose middle is in the box. obstacles: polygons of roads, water and buildings around it; no tree stands in one."""
    dice = land.dice
    keys = lattice(box, SPACING_M)
    middle = np.stack([(key + dice.uniform(name, *keys)) * SPACING_M for key, name in zip(keys, ("tree x", "tree y"), strict=True)], -1)
    wooded, built = land.wooded_at(middle), land.built_at(middle)
    grows = dice.uniform("tree", *keys) < 0.9 * wooded + 0.015 + 0.07 * built * (1 - wooded)
    there = box.holds(middle) & grows
    middle, wooded, keys = middle[there], wooded[there], (keys[0][there], keys[1][there])
    if len(middle) and len(obstacles):
        standing = np.ones(len(middle), np.bool_)
        standing[shapely.STRtree(obstacles).query(shapely.points(middle), predicate="intersects")[0]] = False
        middle, wooded, keys = middle[standing], wooded[standing], (keys[0][standing], keys[1][standing])
    corner = np.arange(CORNERS)[None, :]
    radius = 1.3 + dice.uniform("crown", *keys) * (2.1 + 1.3 * wooded) + 0.5 * wooded
    return Trees(
        middle=middle,
        radius_m=radius,
        lobes=dice.between(0.84, 1.12, "lobe", keys[0][:, None], keys[1][:, None], corner),
        tone=dice.between(0.75, 1.3, "leaves", *keys),
        turned=np.clip(land.season + dice.between(-0.45, 0.45, "autumn", *keys), 0, 1),
    )
