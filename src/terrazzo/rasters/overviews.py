"""Overviews: a raster at half its size, and at half of that, until all of it fits into a block."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape

LARGEST_PX = 512
"""A raster with a longer side has overviews, and so has each of these."""

Reduction = Literal["mode", "mean"]
"""How four pixels become one: the value that most of them have, for codes such as classes, or their mean."""


def overview_shapes(shape: Shape) -> tuple[Shape, ...]:
    """(height, width) of the overviews of a raster, each half of the one before it, rounded up."""
    if max(shape) <= LARGEST_PX:
        return ()
    half = (-(-shape[0] // 2), -(-shape[1] // 2))
    return half, *overview_shapes(half)


def halved(block: NDArray[Any], reduction: Reduction, nodata: float | None) -> NDArray[Any]:
    """(bands, height, width) at half the size, rounded up; what is nodata counts only where all four pixels are.

    Of values that are equally many the mode is the first, row by row. Means of whole numbers are rounded, halves upwards.
    """
    quarters = _quarters(block)
    return _mode(quarters, nodata) if reduction == "mode" else _mean(quarters, nodata)


def _quarters(block: NDArray[Any]) -> list[NDArray[Any]]:
    """The first, second, third and last of each 2 x 2 pixels, those of the edge repeated beyond it."""
    _, height, width = block.shape
    even = np.pad(block, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge") if height % 2 or width % 2 else block
    return [np.ascontiguousarray(even[:, row::2, column::2]) for row in (0, 1) for column in (0, 1)]


def _mode(quarters: list[NDArray[Any]], nodata: float | None) -> NDArray[Any]:
    found = quarters[0]
    if nodata is not None:
        for value in quarters[1:]:
            found = np.where(_is(found, nodata), value, found)
    # of four, the first that has its like has the most, or as many as any other
    for place in (2, 1, 0):
        value = quarters[place]
        alike = np.logical_or.reduce([value == other for other in quarters[place + 1 :]])
        if nodata is not None:
            alike &= ~_is(value, nodata)
        found = np.where(alike, value, found)
    return found


def _mean(quarters: list[NDArray[Any]], nodata: float | None) -> NDArray[Any]:
    dtype = quarters[0].dtype
    if nodata is None and dtype.kind == "u" and dtype.itemsize < 8:
        wide = np.dtype(f"u{2 * dtype.itemsize}")
        return np.asarray(((sum(value.astype(wide) for value in quarters) + wide.type(2)) // wide.type(4)).astype(dtype))
    total, count = np.zeros(quarters[0].shape), np.zeros(quarters[0].shape, np.uint8)
    for value in quarters:
        known = ~_is(value, np.nan if nodata is None else nodata)
        total += np.where(known, value, 0)
        count += known
    means = total / np.maximum(count, 1)
    if dtype.kind in "iu":
        means = np.floor(means + 0.5)
    return np.where(count > 0, means, np.nan if nodata is None else nodata).astype(dtype)


def _is(values: NDArray[Any], nodata: float) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(values) if np.isnan(nodata) else values == nodata)
