"""Roads: a turned, bent lattice of streets, some of which are missing, with main roads that go on."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.simulation.scenes.land import Box, Land, Points, lattice
from terrazzo.simulation.scenes.materials import Material
from terrazzo.simulation.scenes.table import Table

SPACING_M = 92.0
"""Between neighbouring streets."""
JITTER = 0.2
"""How far a junction may lie from its place in the lattice, in spacings."""
REACH_M = 120.0
"""From the middle of a stretch of road to the end of all that belongs to it."""
STEPS = 13
"""Points of a centre line between two junctions."""


@dataclass(frozen=True, kw_only=True)
class Roads(Table):
    """Stretches of road from junction to junction; an entry of each array for each, main roads first."""

    key: NDArray[np.int64]
    """(n, 3) direction, column and row: tells it from all others."""
    lines: Points
    """(n, STEPS, 2) centre lines."""
    width_m: NDArray[np.float64]
    main: NDArray[np.bool_]
    town: NDArray[np.float64]
    """How built-up its surroundings are, 0 to 1."""
    surface: NDArray[np.uint8]
    """Its material."""

    def polygons(self, wider_m: float = 0.0) -> NDArray[np.object_]:
        """The surface of each as a polygon; `wider_m` on either side."""
        polygons: NDArray[np.object_] = shapely.buffer(shapely.linestrings(self.lines), self.width_m / 2 + wider_m, quad_segs=4)
        return polygons

    def at(self, t: NDArray[np.float64], stretch: NDArray[np.int64]) -> tuple[Points, Points]:
        """Points and unit directions (n, 2) at shares `t`, from 0 to 1, of the stretches with these numbers."""
        along = np.clip(t, 0, 1 - 1e-9) * (STEPS - 1)
        first = along.astype(np.int64)
        start, end = self.lines[stretch, first], self.lines[stretch, first + 1]
        point = start + (along - first)[:, None] * (end - start)
        way = self.lines[stretch, np.minimum(first + 2, STEPS - 1)] - self.lines[stretch, np.maximum(first - 1, 0)]
        return point, way / np.hypot(way[:, 0], way[:, 1])[:, None]

    @property
    def owner(self) -> Points:
        """(n, 2) the place by which each belongs to a box."""
        return self.lines[:, STEPS // 2]

    @property
    def length_m(self) -> NDArray[np.float64]:
        step = np.diff(self.lines, axis=1)
        length: NDArray[np.float64] = np.hypot(step[..., 0], step[..., 1]).sum(axis=1)
        return length


def planned(land: Land, box: Box) -> Roads:
    """All roads whose middle is in the box, before lakes take some away."""
    columns, rows = lattice(box.grown(SPACING_M), SPACING_M, land.turn_rad)
    both = [_stretches(land, np.full_like(columns, way), columns, rows) for way in (0, 1)]
    roads = Roads.joined(both)
    roads = roads.part(box.holds(roads.owner))
    dice = land.dice
    built = np.where(roads.main, 1.0, 0.3 + 0.65 * roads.town)
    return roads.part(dice.uniform("road", *roads.key.T) < built)


def _stretches(land: Land, way: NDArray[np.int64], columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Roads:
    """All stretches of one direction, 0 or 1, that start at junctions of the lattice."""
    dice = land.dice
    knots = [_junctions(land, columns + (way == 0) * step, rows + (way == 1) * step) for step in (-1, 0, 1, 2)]
    lines = land.turned(_spline(knots))
    line = np.where(way == 0, rows, columns)
    main = dice.uniform("main road", way, line) < 0.24
    town = land.built_at(lines[:, STEPS // 2])
    street = dice.between(5.0, 8.0, "street width", way, line)
    lane = dice.between(3.2, 4.6, "lane width", way, line)
    country = town < 0.25
    width_m = np.where(main, dice.between(8.5, 13.0, "main width", way, line), np.where(country, lane, street))
    return Roads(
        key=np.stack([way, columns, rows], axis=1),
        lines=lines,
        width_m=width_m,
        main=main,
        town=town,
        surface=_surfaces(land, way, line, main, country),
    )


def _surfaces(
    land: Land, way: NDArray[np.int64], line: NDArray[np.int64], main: NDArray[np.bool_], country: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """What roads are made of: lanes of earth or old asphalt, streets of asphalt of any age, some of concrete."""
    draw = land.dice.uniform("surface", way, line)
    lane = np.where(draw < 0.6, Material.DIRT, Material.OLD_ASPHALT)
    street = np.select([draw < 0.45, draw < 0.85], [Material.ASPHALT, Material.OLD_ASPHALT], Material.CONCRETE)
    return np.where(country & ~main, lane, street).astype(np.uint8)


def _junctions(land: Land, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Points:
    """Where junctions lie, in the straight frame."""
    across = land.dice.between(-JITTER, JITTER, "junction x", columns, rows)
    down = land.dice.between(-JITTER, JITTER, "junction y", columns, rows)
    return np.stack([(columns + 0.5 + across) * SPACING_M, (rows + 0.5 + down) * SPACING_M], axis=-1)


def _spline(knots: list[Points]) -> Points:
    """Catmull and Rom's curve between the second and the third of four knots, (n, STEPS, 2)."""
    t = np.linspace(0, 1, STEPS)[None, :, None]
    before, start, end, after = (knot[:, None, :] for knot in knots)
    curve: Points = 0.5 * (
        2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2 + (3 * (start - end) + after - before) * t**3
    )
    return curve


def mended(roads: Roads, water: NDArray[np.object_], land: Land) -> Roads:
    """Roads without those that would run into water; main roads cross it, and some streets, on bridges."""
    if len(water) == 0 or len(roads.lines) == 0:
        return roads
    wet = np.zeros(len(roads.lines), np.bool_)
    wet[shapely.STRtree(water).query(shapely.linestrings(roads.lines), predicate="intersects")[0]] = True
    bridge = roads.main | (land.dice.uniform("bridge", *roads.key.T) < 0.15)
    return roads.part(~wet | bridge)
