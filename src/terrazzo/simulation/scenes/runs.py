"""The buildings of scenes as run lengths, a row each."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.rle import Runs
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.simulation.scenes.outlines import Outlines

WHOLE_PX = 1 << 24
"""Scenes of up to so many pixels are read at once."""


def building_runs(buildings: Iterable[tuple[int, Outlines]], instances: Raster) -> Iterator[Runs]:
    """The runs of each building that any pixel is of, in the order of their numbers.

    buildings: outlines of groups of them, each with the number of its first. instances: the object numbers of the scene. A large
    scene is read around buildings only.
    """
    height, width = instances.shape
    everything = instances.read(whole(instances.shape)).values[0] if height * width <= WHOLE_PX else None
    for first, outlines in buildings:
        for number, (left, top, right, bottom) in enumerate(outlines.bounds.tolist(), first):
            col_off, row_off = math.floor(left), math.floor(top)
            box = Window(col_off=col_off, row_off=row_off, width=math.ceil(right) - col_off, height=math.ceil(bottom) - row_off)
            around = box.intersection(whole(instances.shape))
            if around is None:
                continue
            numbers = instances.read(around).values[0] if everything is None else everything[around.slices]
            if (numbers == number).any():
                yield runs_in(numbers == number, around, instances.shape)


def runs_in(mask: NDArray[np.bool_], window: Window, shape: Shape) -> Runs:
    """The runs, in an image of (height, width), of the pixels of a window that are True; at least one."""
    columns, rows = np.nonzero(mask.T)
    positions = (columns + window.col_off) * shape[0] + rows + window.row_off
    breaks = np.flatnonzero(np.diff(positions) != 1)
    return Runs(starts=positions[np.concatenate([[0], breaks + 1])], ends=positions[np.append(breaks, len(positions) - 1)] + 1)
