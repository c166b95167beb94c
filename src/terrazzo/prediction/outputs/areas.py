"""How much of a class map each class is: pixels, their share, and square metres where the grid gives them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.bits import members
from terrazzo.labels.carried import carried_legend, open_map
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.prediction.vectorize.ground import pixel_areas
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window

Number = TypeVar("Number", np.int64, np.float64)

BAND_PX = 2**22
"""Pixels that are looked at at once."""


@dataclass(frozen=True, kw_only=True)
class ClassArea:
    """One class of a map."""

    value: int
    name: str
    pixels: int
    share: float
    """Of the pixels that have a class, or where classes overlap, of those that are mapped, 0 to 1; 0 where none is."""
    area_m2: float | None
    """On the ellipsoid for degrees, in the plane of a projected CRS; None without a place on the ground."""


def class_areas(class_map: Path) -> list[ClassArea]:
    """The area of each class of a map, those that are not in it too; of a map without a legend, of each value in it.

    Raises RasterError if the map is broken.
    """
    with open_map(class_map) as raster:
        legend = carried_legend(raster)
        squares = pixel_areas(raster.grid)
        overlapping = legend if legend is not None and legend.overlapping else None
        pixels, areas = np.zeros(IGNORE + 1, np.int64), np.zeros(IGNORE + 1)
        for top, values in _bands(raster, overlapping):
            pixels += np.bincount(values.ravel(), minlength=IGNORE + 1)
            if squares is not None:
                areas += _square_metres(values, squares[top : top + len(values)])
    total = int(pixels[:IGNORE].sum())
    names = {int(value): str(value) for value in np.flatnonzero(pixels[:IGNORE])}
    if overlapping is not None:
        pixels, areas = _of_classes(pixels, overlapping), _of_classes(areas, overlapping)
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


def _of_classes(sums: NDArray[Number], legend: Legend) -> NDArray[Number]:
    """(256,) by class value, of classes that overlap. sums: (256,) by their sets."""
    found = np.zeros_like(sums)
    found[list(legend.values)] = members(len(legend.classes)) @ sums[: len(legend.sets.classes)]
    return found


def _bands(raster: Raster, overlapping: Legend | None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The first row and the class values of some rows; of classes that overlap their bit sets."""
    height, width = raster.shape
    rows = max(1, BAND_PX // width)
    for top in range(0, height, rows):
        pixels = raster.read(Window(col_off=0, row_off=top, width=width, height=min(rows, height - top)))
        shown = pixels.values[0] if overlapping is None else overlapping.plain().encode(pixels.values, pixels.valid)
        values: NDArray[np.uint8] = np.where(pixels.valid, shown, IGNORE).astype(np.uint8)
        yield top, values


def _square_metres(values: NDArray[np.uint8], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(256,): square metres of each value. squares: (rows,), of a pixel of each row."""
    areas = np.zeros(IGNORE + 1)
    for value in np.unique(values).tolist():
        areas[value] = np.count_nonzero(values == value, axis=1) @ squares
    return areas
