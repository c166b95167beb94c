"""The bare ground of a scene: a patchwork of meadows, fields, gardens and yards."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.simulation.scenes.land import Box, Land, lattice
from terrazzo.simulation.scenes.materials import Material

FIELD_M = 58.0
"""Side of a patch, about."""
ROWS_M = (2.2, 5.0)
"""Distance of the rows of a field."""


def patchwork(land: Land, window: Window, cell_size_m: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Material and tone, about 1, of the bare ground over the pixels of a window, both (height, width).

    Patches are the cells of points: each pixel is of the point that is nearest by the larger of its two distances, so that edges run
    along the roads.
    """
    x, y = _straight(land, window, cell_size_m)
    box = Box(
        left=window.col_off * cell_size_m,
        top=window.row_off * cell_size_m,
        right=window.col_end * cell_size_m,
        bottom=window.row_end * cell_size_m,
    )
    keys = lattice(box.grown(FIELD_M), FIELD_M, land.turn_rad)
    origin = int(keys[0].min()) - 2, int(keys[1].min()) - 2
    size = int(keys[1].max()) - origin[1] + 3, int(keys[0].max()) - origin[0] + 3
    columns, rows = np.meshgrid(np.arange(size[1]) + origin[0], np.arange(size[0]) + origin[1])
    seeds = [
        ((key + land.dice.between(0.1, 0.9, name, columns, rows)) * FIELD_M).astype(np.float32)
        for key, name in ((columns, "field x"), (rows, "field y"))
    ]
    nearest = _nearest(x, y, (seeds[0], seeds[1]), origin)
    material, tone = _kinds(land, columns, rows, seeds)
    return material.ravel().take(nearest, mode="clip"), tone.ravel().take(nearest, mode="clip") * _furrows(
        land, (columns, rows), material, nearest, x, y
    )


def _straight(land: Land, window: Window, cell_size_m: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where pixels lie in the frame of fields, in metres, x and y (height, width)."""
    across = (np.arange(window.col_off, window.col_end) + 0.5) * cell_size_m
    down = (np.arange(window.row_off, window.row_end) + 0.5) * cell_size_m
    cos, sin = np.cos(land.turn_rad), np.sin(land.turn_rad)
    x = (across * cos)[None, :] + (down * sin)[:, None]
    y = (across * -sin)[None, :] + (down * cos)[:, None]
    return x.astype(np.float32), y.astype(np.float32)


def _nearest(
    x: NDArray[np.float32], y: NDArray[np.float32], seeds: tuple[NDArray[np.float32], NDArray[np.float32]], origin: tuple[int, int]
) -> NDArray[np.int32]:
    """The place in the flattened seeds of the one nearest to each pixel."""
    width = seeds[0].shape[1]
    own = (np.floor(y / np.float32(FIELD_M)).astype(np.int32) - origin[1]) * width
    own += np.floor(x / np.float32(FIELD_M)).astype(np.int32) - origin[0]
    seed_x, seed_y = seeds[0].ravel(), seeds[1].ravel()
    nearest: NDArray[np.int32] = own
    least = np.maximum(np.abs(x - seed_x.take(own, mode="clip")), np.abs(y - seed_y.take(own, mode="clip")))
    for step in (-1 - width, -width, 1 - width, -1, 1, width - 1, width, width + 1):
        there = own + np.int32(step)
        distance = np.maximum(np.abs(x - seed_x.take(there, mode="clip")), np.abs(y - seed_y.take(there, mode="clip")))
        nearer = distance < least
        least = np.where(nearer, distance, least)
        nearest = np.where(nearer, there, nearest)
    return nearest


def _kinds(
    land: Land, columns: NDArray[np.int64], rows: NDArray[np.int64], seeds: list[NDArray[np.float32]]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Material and tone of each patch: fields in the country, gardens, lawns and yards in town."""
    draw = land.dice.uniform("field", columns, rows)
    places = land.turned(np.stack(seeds, axis=-1).astype(np.float64))
    town, woods = land.built_at(places), land.wooded_at(places)
    fields = np.select(
        [draw < 0.3, draw < 0.52, draw < 0.7, draw < 0.86], [Material.GRASS, Material.CROP, Material.RIPE, Material.SOIL], Material.GARDEN
    )
    lots = np.select(
        [draw < 0.42, draw < 0.7, draw < 0.86, draw < 0.94],
        [Material.GARDEN, Material.GRASS, Material.YARD, Material.SOIL],
        Material.GRAVEL,
    )
    tone = np.exp(land.dice.between(-0.28, 0.28, "field tone", columns, rows))
    open_ground = np.where(town > 0.45, lots, fields)
    return np.where(woods > 0.25, Material.GARDEN, open_ground).astype(np.uint8), tone.astype(np.float32)


def _furrows(
    land: Land,
    keys: tuple[NDArray[np.int64], NDArray[np.int64]],
    material: NDArray[np.uint8],
    nearest: NDArray[np.int32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Rows of crops and furrows of ploughs, as a factor of the brightness."""
    sown = np.isin(material, [Material.CROP, Material.RIPE, Material.SOIL])
    height = np.where(sown, land.dice.between(0.02, 0.12, "furrow", *keys), 0).astype(np.float32)
    pitch = land.dice.between(*ROWS_M, "furrow pitch", *keys).astype(np.float32)
    way = land.dice.uniform("furrow way", *keys) < 0.5
    along = np.where(way.ravel()[nearest], x, y)
    phase = along / pitch.ravel()[nearest]
    # a triangle wave: no sine, whose last bit depends on the place in the array
    wave = np.abs(phase - np.floor(phase) - np.float32(0.5)) * 4 - 1
    furrows: NDArray[np.float32] = 1 + height.ravel()[nearest] * wave
    return furrows
