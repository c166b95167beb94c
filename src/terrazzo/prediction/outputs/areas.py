"""How much of a class map each class is: pixels, their share, and square metres where the grid gives them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.carried import carried_legend
from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.vectorize.ground import pixel_areas
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window

BAND_PX = 2**22
"""Pixels that are looked at at once."""


@dataclass(frozen=True, kw_only=True)
class ClassArea:
    """One class of a map."""

    value: int
    name: str
    pixels: int
    share: float
    """Of the pixels that have a class, 0 to 1; 0 where none has."""
    area_m2: float | None
    """On the ellipsoid for degrees, in the plane of a projected CRS; None without a place on the ground."""


def class_areas(class_map: Path) -> list[ClassArea]:
    """The area of each class of a map, those that are not in it too; of a map without a legend, of each value in it.

    Raises RasterError if the map is broken.
    """
    with open_raster(class_map) as raster:
        legend = carried_legend(raster)
        squares = pixel_areas(raster.grid)
        pixels, areas = np.zeros(IGNORE + 1, np.int64), np.zeros(IGNORE + 1)
        for top, values in _bands(raster):
            pixels += np.bincount(values.ravel(), minlength=IGNORE + 1)
            if squares is not None:
                areas += _square_metres(values, squares[top : top + len(values)])
    total = int(pixels[:IGNORE].sum())
    names = {int(value): str(value) for value in np.flatnonzero(pixels[:IGNORE])}
    if legend is not None:
        names = {entry.value: entry.name for entry in legend.shown}
    return [
        ClassArea(
            value=value,
            name=name,
            pixels=int(pixels[value]),
            share=int(pixels[value]) / total if total else 0.0,
            area_m2=None if squares is None else float(areas[value]),
        )
        for value, name in names.items()
    ]


def _bands(raster: Raster) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    height, width = raster.shape
    rows = max(1, BAND_PX // width)
    for top in range(0, height, rows):
        pixels = raster.read(Window(col_off=0, row_off=top, width=width, height=min(rows, height - top)))
        values: NDArray[np.uint8] = np.where(pixels.valid, pixels.values[0], IGNORE).astype(np.uint8)
        yield top, values


def _square_metres(values: NDArray[np.uint8], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(256,): square metres of each value. squares: (rows,), of a pixel of each row."""
    areas = np.zeros(IGNORE + 1)
    for value in np.unique(values).tolist():
        areas[value] = np.count_nonzero(values == value, axis=1) @ squares
    return areas
