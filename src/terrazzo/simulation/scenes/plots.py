"""The things of a scene, plot by plot: numbered, and with outlines in pixels.

A plot is a square of the scene that owns the things whose middle lies in it; plots at the scene's edge also own what lies beyond. What is
on a plot depends on the land alone, so any part of a scene can be drawn by itself, and scenes of any size are never held whole.

    +-------+-------+    what a window shows: the things of
    |       |   +---|-+  the plots that it meets, and of those
    |   0   |   | 1 | |  that are nearer than REACH_M
    |       |   +---|-+
    +-------+-------+
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from threading import Lock
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.simulation.scenes import buildings as houses
from terrazzo.simulation.scenes import roads as ways
from terrazzo.simulation.scenes import water as waters
from terrazzo.simulation.scenes.buildings import Buildings, buildings_in
from terrazzo.simulation.scenes.details import ground, traffic
from terrazzo.simulation.scenes.land import Box, Land, Points
from terrazzo.simulation.scenes.outlines import Outlines
from terrazzo.simulation.scenes.roads import Roads, mended, planned
from terrazzo.simulation.scenes.trees import Trees, trees_in
from terrazzo.simulation.scenes.water import Water, water_in

T = TypeVar("T", Water, Roads, Buildings, Trees)
PLOT_M = 1024.0
REACH_M = 130.0
"""From the middle of a thing to the end of all that belongs to it, shadows too."""
CLASSES = ("background", "building", "road", "water", "tree")
BACKGROUND, BUILDING, ROAD, WATER, TREE = range(5)
ORDER = (WATER, ROAD, BUILDING, TREE)
"""Which class is painted over which: the last one is on top."""


@dataclass(frozen=True, kw_only=True)
class Patches:
    """Outlines of a material that is no class of its own."""

    outlines: Outlines
    material: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """What one plot owns."""

    water: Water
    roads: Roads
    buildings: Buildings
    trees: Trees
    outlines: Mapping[int, Outlines]
    """By class, in the order of the tables."""
    under: Patches
    """Ground that is not bare: banks, pavements, yards and drives."""
    over: Patches
    """On roads: lines and cars."""

    def table(self, label: int) -> Water | Roads | Buildings | Trees:
        """The things of a class."""
        tables: dict[int, Water | Roads | Buildings | Trees] = {
            WATER: self.water,
            ROAD: self.roads,
            BUILDING: self.buildings,
            TREE: self.trees,
        }
        return tables[label]


class Plots:
    """All plots of a scene; those used last are kept."""

    def __init__(self, land: Land, shape: Shape, cell_size_m: float) -> None:
        self.land = land
        self.shape = shape
        self.cell_size_m = cell_size_m
        self.rows, self.columns = (max(1, round(side * cell_size_m / PLOT_M)) for side in shape)
        # two rows of plots are enough to draw a scene from top to bottom
        self._kept = lru_cache(maxsize=2 * self.columns + 2)(self._grow)
        self._growing = Lock()
        self._first: dict[int, NDArray[np.int64]] | None = None

    @property
    def first(self) -> Mapping[int, NDArray[np.int64]]:
        """By class, the number of each plot's first thing, (rows, columns) of plots.

        Numbers run from 1 through all classes in painting order, and within a class plot by plot.
        """
        return self.survey() if self._first is None else self._first

    def survey(self, visit: Callable[[Plot], None] | None = None) -> Mapping[int, NDArray[np.int64]]:
        """Visit all plots, row by row, and so find the first numbers."""
        counts = np.zeros((len(ORDER), self.rows, self.columns), np.int64)
        for row, column in product(range(self.rows), range(self.columns)):
            plot = self.at(row, column)
            counts[:, row, column] = [len(plot.table(label)) for label in ORDER]
            if visit is not None:
                visit(plot)
        self._first = dict(zip(ORDER, 1 + np.cumsum(counts).reshape(counts.shape) - counts, strict=True))
        return self._first

    def at(self, row: int, column: int) -> Plot:
        """One plot; may be called from several threads."""
        with self._growing:
            return self._kept(row, column)

    def near(self, window: Window) -> list[tuple[int, int]]:
        """Row and column of the plots whose things a window may show."""
        reach, size = REACH_M / self.cell_size_m, PLOT_M / self.cell_size_m
        rows = _span(window.row_off - reach, window.row_end + reach, size, self.rows)
        columns = _span(window.col_off - reach, window.col_end + reach, size, self.columns)
        return list(product(rows, columns))

    def _box(self, row: int, column: int) -> Box:
        """The ground whose things a plot owns."""
        height, width = (side * self.cell_size_m for side in self.shape)
        return Box(
            left=column * PLOT_M if column else -REACH_M,
            top=row * PLOT_M if row else -REACH_M,
            right=(column + 1) * PLOT_M if column + 1 < self.columns else width + REACH_M,
            bottom=(row + 1) * PLOT_M if row + 1 < self.rows else height + REACH_M,
        )

    def _grow(self, row: int, column: int) -> Plot:
        """Draw what is on a plot: each kind with as much of its surroundings as it depends on."""
        land, box = self.land, self._box(row, column)
        around = box.grown(houses.REACH_M + houses.CLEAR_M)
        far = around.grown(ways.REACH_M)
        streets = planned(land, far.grown(ways.REACH_M + 2 * waters.REACH_M))
        water = water_in(land, far.grown(ways.REACH_M + waters.REACH_M), streets)
        roads = mended(streets.part(far.holds(streets.owner)), shapely.polygons(water.rings), land)
        obstacles = np.concatenate([shapely.polygons(water.banks), roads.polygons()])
        buildings = buildings_in(land, box.grown(houses.REACH_M), roads, obstacles)
        footprints = shapely.buffer([shapely.Polygon(ring) for ring in buildings.outlines()], 0.8, join_style="mitre")
        trees = trees_in(land, box, np.concatenate([obstacles, footprints]))
        return self._owned(box, water, roads, buildings, trees)

    def _owned(self, box: Box, water: Water, roads: Roads, buildings: Buildings, trees: Trees) -> Plot:
        """The plot with those things that it owns and that may be seen in the scene."""
        water, lakes = self._shown(box, water, list(water.rings))
        roads, streets = self._shown(box, roads, [shapely.get_coordinates(surface.exterior)[:-1] for surface in roads.polygons()])
        buildings, footprints = self._shown(box, buildings, buildings.outlines())
        trees, crowns = self._shown(box, trees, list(trees.outlines()))
        return Plot(
            water=water,
            roads=roads,
            buildings=buildings,
            trees=trees,
            outlines={WATER: lakes, ROAD: streets, BUILDING: footprints, TREE: crowns},
            under=self._patches(ground(self.land, water, roads, buildings)),
            over=self._patches(traffic(self.land, roads)),
        )

    def _shown(self, box: Box, table: T, rings: list[Points]) -> tuple[T, Outlines]:
        """Of things with these outlines in metres those that are owned by the box and may be seen, and their outlines in pixels."""
        outlines = Outlines.of(rings, self.cell_size_m)
        shown = box.holds(table.owner) & outlines.meet(whole(self.shape))
        return table.part(shown), outlines.part(shown)

    def _patches(self, patches: Sequence[tuple[Points, int]]) -> Patches:
        return Patches(
            outlines=Outlines.of([ring for ring, _ in patches], self.cell_size_m),
            material=np.array([material for _, material in patches], np.uint8),
        )


def _span(low: float, high: float, size: float, count: int) -> range:
    """Numbers of the plots from one place to another."""
    return range(min(max(0, int(low // size)), count - 1), min(max(0, int(high // size)), count - 1) + 1)
