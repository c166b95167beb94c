"""The picture of a window: materials, light, air and sensor, from what a view shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes import shading
from terrazzo.simulation.scenes.land import Land
from terrazzo.simulation.scenes.materials import Material, reflectances, textures
from terrazzo.simulation.scenes.noise import grain, smooth_over
from terrazzo.simulation.scenes.plots import BUILDING, ROAD, TREE
from terrazzo.simulation.scenes.surface import patchwork
from terrazzo.simulation.scenes.view import NOTHING, View

HALO_PX = 2
"""What the blur needs around a window."""
SKYLIGHT = {"coastal": 0.52, "blue": 0.50, "green": 0.44, "yellow": 0.42, "red": 0.40, "pan": 0.43}
"""Share of the light that reaches shadows; in other bands it is 0.33."""
AIRLIGHT = {"coastal": 0.30, "blue": 0.27, "green": 0.22, "yellow": 0.20, "red": 0.18, "pan": 0.21}
"""Reflectance of the air between ground and sensor; in other bands it is 0.10."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How hard a world is on the eye."""

    blur: float
    """Share of a pixel's light that comes from its neighbours on either side of a row or column."""
    noise: float
    """Deviation of the sensor's noise, in reflectance."""
    haze: tuple[float, float]
    """Least and most share of the light that comes from the air."""
    spread: float
    """How much roofs differ in brightness from their like."""
    covers: Mapping[Material, Material] = field(default_factory=dict)
    """Materials of roofs and roads that are made of another one instead."""
    ground: Mapping[Material, Material] = field(default_factory=dict)
    """Likewise of the ground."""


def picture(view: View, look: Look, bands: tuple[str, ...]) -> NDArray[np.float32]:
    """Reflectance (bands, height, width) of a view without its halo."""
    surface = _surface(view, look)
    light = _light(view.land, view.window)
    lit = np.where(view.shadow & ~np.isin(view.labels[view.owners], [BUILDING, TREE]), np.float32(0), np.float32(1))
    lit = _blurred(lit, 0.25)
    noise = grain(view.land.dice, "noise", view.window, len(bands))
    inside = slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX)
    shown = np.empty((len(bands), view.window.height - 2 * HALO_PX, view.window.width - 2 * HALO_PX), np.float32)
    for at, band in enumerate(bands):
        dark = np.float32(SKYLIGHT.get(band, 0.33))
        ground = surface.reflected(band) * (light * (dark + (1 - dark) * lit))
        seen = ground * np.float32(1 - view.land.haze) + np.float32(view.land.haze * AIRLIGHT.get(band, 0.10))
        shown[at] = (_blurred(seen, look.blur) + noise[at] * np.float32(look.noise))[inside]
    return shown


@dataclass(frozen=True, kw_only=True)
class _Surface:
    """What pixels are made of; all (height, width)."""

    material: NDArray[np.uint8]
    mix: NDArray[np.float32]
    """0: as the material mostly is; 1: at its driest, oldest or brightest."""
    tone: NDArray[np.float32]
    """Brightness, about 1."""

    def reflected(self, band: str) -> NDArray[np.float32]:
        first, second = reflectances(band)
        new = first[self.material]
        mixed: NDArray[np.float32] = (new + (second[self.material] - new) * self.mix) * self.tone
        return mixed


def _surface(view: View, look: Look) -> _Surface:
    """Materials, their age and tone: the ground, what lies on it, and the things over it."""
    dice, window, cell_size_m = view.land.dice, view.window, view.cell_size_m
    bare, bare_tone = patchwork(view.land, window, cell_size_m)
    patched = _instead(look.ground)[np.where(view.under == NOTHING, bare, view.under)]
    label = view.labels[view.owners]
    covers, ages, tones = _things(view, look)
    material = np.where(label > 0, covers[view.owners], patched)
    material = np.where((view.over != NOTHING) & (label == ROAD), view.over, material)
    fine, coarse = textures()[:, material]
    rough = smooth_over(dice, "rough", window, max(1, round(1.0 / cell_size_m)))
    patchy = smooth_over(dice, "patchy", window, max(2, round(6.0 / cell_size_m)))
    wide = smooth_over(dice, "wide", window, max(4, round(40.0 / cell_size_m)))
    tone = np.where(label > 0, tones[view.owners], np.where(view.under == NOTHING, bare_tone, np.float32(1)))
    tone = tone * (1 + fine * rough * 2 + coarse * (patchy + wide))
    dry = np.float32(0.75 * view.land.season) + 0.3 * wide + 0.2 * patchy
    mix = np.where(label > 0, ages[view.owners] + 0.25 * patchy, dry)
    _shade(view, tone, label)
    return _Surface(material=material, mix=np.clip(mix, 0, 1), tone=np.maximum(tone, np.float32(0.05)))


def _things(view: View, look: Look) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Material, age and tone of each thing, by its number; the first entry is of nothing."""
    roads, houses = view.roads, view.buildings
    age = view.land.dice.uniform("road age", *roads.key.T[:1], np.where(roads.key[:, 0] == 0, roads.key[:, 2], roads.key[:, 1]))
    covers = [np.full(len(view.water), Material.WATER), roads.surface, houses.cover, np.full(len(view.trees), Material.LEAVES)]
    ages = [view.water.turbid, age, houses.age, view.trees.turned]
    tones = [np.ones(len(view.water)), np.ones(len(roads)), houses.tone**look.spread, view.trees.tone]
    zero = np.zeros(1)
    return (
        _instead(look.covers)[np.concatenate([zero, *covers]).astype(np.uint8)],
        np.concatenate([zero, *ages]).astype(np.float32),
        np.concatenate([zero, *tones]).astype(np.float32),
    )


def _instead(others: Mapping[Material, Material]) -> NDArray[np.uint8]:
    """For each material the one that is used; 255 is none and stays."""
    table = np.arange(256, dtype=np.uint8)
    for material, other in others.items():
        table[material] = other
    return table


def _shade(view: View, tone: NDArray[np.float32], label: NDArray[np.uint8]) -> None:
    """Multiply the tone of roofs and crowns by the light that they catch."""
    for kind in (BUILDING, TREE):
        rows, columns = np.nonzero(label == kind)
        at = view.owners[rows, columns].astype(np.int64) - view.first[kind]
        x = (columns + (view.window.col_off + 0.5)) * view.cell_size_m
        y = (rows + (view.window.row_off + 0.5)) * view.cell_size_m
        places = np.stack([x, y], -1)
        if kind == BUILDING:
            tone[rows, columns] *= shading.roofs(view.buildings.part(at), places, view.land).astype(np.float32)
        else:
            tone[rows, columns] *= shading.crowns(view.trees.part(at), places, view.land).astype(np.float32)


def _light(land: Land, window: Window) -> NDArray[np.float32]:
    """Light of sun and sky (height, width), about 1: it changes slowly over a scene."""
    return 1 + np.float32(0.07) * smooth_over(land.dice, "light", window, 512)


def _blurred(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Each pixel mixed with its neighbours along rows and columns; the outermost stay."""
    if share == 0:
        return values
    side, own = np.float32(share), np.float32(1 - 2 * share)
    blurred = values.copy()
    blurred[1:-1] = values[:-2] * side + values[1:-1] * own + values[2:] * side
    rows = blurred.copy()
    blurred[:, 1:-1] = rows[:, :-2] * side + rows[:, 1:-1] * own + rows[:, 2:] * side
    return blurred
