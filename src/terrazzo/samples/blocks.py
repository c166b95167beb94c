"""Blocks: squares of ground that stay on one side of a split.

a canvas: one image, or all images that share ground       windows A and C lie in one block,
+---------+---------+---------+                            B in two: it goes with them if they are
|  A   +--|--+      |         |                            on the same side, else no part has it
|      |B |  |   C  |         |
+---------+---------+---------+
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.samples.overlaps import Positions, UnionFind
from terrazzo.samples.table import Samples

WANTED_BLOCKS = 10
SLACK = 1e-3
"""Pixels by which positions on the ground may be off from rounding."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Where each window lies on the pixels that it shares with the other windows of the same ground."""

    number: Positions
    """(windows,) which canvas, from 0."""
    edges: NDArray[np.float64]
    """(windows, 4) left, top, right, bottom in pixels of the canvas; all at least 0."""
    window: Shape
    """(height, width) of the windows that were asked for."""

    def units(self, block: Shape) -> Positions:
        """(windows, n) the blocks, numbered from 0, that each window touches; some are repeated to fill the row.

        Blocks begin at the canvas's origin; a rest too narrow for a window belongs to the block before it.
        block: (height, width) in pixels, at least a window.
        """
        first, last, across = self._ranges(block)
        rows, columns = last[:, 0] - first[:, 0], last[:, 1] - first[:, 1]
        base = np.concatenate([[0], np.cumsum(across.prod(1))])[self.number]
        touched = [
            base + np.minimum(first[:, 0] + down, last[:, 0]) * across[self.number, 1] + np.minimum(first[:, 1] + right, last[:, 1])
            for down in range(int(rows.max(initial=0)) + 1)
            for right in range(int(columns.max(initial=0)) + 1)
        ]
        units: Positions = np.unique(np.stack(touched, axis=1), return_inverse=True)[1].reshape(len(base), -1)
        return units

    def fullness(self, block: Shape) -> int:
        """How many blocks hold at least one whole window."""
        units = self.units(block)
        return len(np.unique(units[(units == units[:, :1]).all(1), 0]))

    def upper_count(self, block: Shape) -> int:
        """How many blocks there are, empty ones included; never fewer than `fullness`."""
        return int(self._blocks_across(block).prod(1).sum())

    @property
    def extents(self) -> NDArray[np.float64]:
        """(canvases, 2) height and width."""
        extents = np.zeros((int(self.number.max(initial=-1)) + 1, 2))
        np.maximum.at(extents, self.number, self.edges[:, [3, 2]])
        return extents

    def _blocks_across(self, block: Shape) -> Positions:
        """(canvases, 2) blocks down and across."""
        rest = np.maximum(self.extents - np.array(self.window), 0.0)
        across: Positions = np.floor((rest + SLACK) / np.array(block)).astype(np.int64) + 1
        return across

    def _ranges(self, block: Shape) -> tuple[Positions, Positions, Positions]:
        """(windows, 2) first and last block of each window, and (canvases, 2) the blocks down and across."""
        across = self._blocks_across(block)
        side = np.array(block, np.float64)
        last_block = across[self.number] - 1
        first = np.floor((self.edges[:, [1, 0]] + SLACK) / side).astype(np.int64)
        last = np.ceil((self.edges[:, [3, 2]] - SLACK) / side).astype(np.int64) - 1
        return np.clip(first, 0, last_block), np.clip(last, 0, last_block), across


def lay_out(samples: Samples) -> Canvas:
    """Place the windows on canvases: one for each image, its copies, and all images that share ground with it.

    A canvas of one image has that image's pixels; one of several has the ground in pixels of its median cell size.
    """
    frame = samples.frame
    images = pd.factorize(frame["image_digest"])[0]
    left, top = frame["col_off"].to_numpy(np.float64), frame["row_off"].to_numpy(np.float64)
    width, height = frame["width"].to_numpy(np.float64), frame["height"].to_numpy(np.float64)
    edges = np.stack([left, top, left + width, top + height], axis=1)
    if frame.crs is None:
        return Canvas(number=images, edges=edges, window=samples.size)
    bounds = shapely.bounds(frame.geometry.to_numpy())
    number = _shared(images, bounds)[images]
    several = pd.Series(images).groupby(number).transform("nunique").to_numpy() > 1
    for canvas in np.unique(number[several]):
        rows = (number == canvas) & np.isfinite(bounds[:, 0])
        edges[rows] = _in_pixels(bounds[rows], width[rows], height[rows])
    return Canvas(number=number, edges=edges, window=samples.size)


def default_block(canvas: Canvas, stride: Shape) -> Shape:
    """The largest block that leaves ten blocks with windows in them, at least a window; (height, width) in pixels.

    Its sides are multiples of the stride, so that without overlap no window lies across a border.

    stride: (down, across) from window to window.
    """
    steps = np.array(stride)
    smallest = -(-np.array(canvas.window) // steps)
    most = int(np.ceil(canvas.extents.max(initial=1.0) / steps.max()))
    for multiple in range(most, 0, -1):
        sides = np.maximum(np.round(multiple * steps.max() / steps).astype(np.int64), smallest) * steps
        block = (int(sides[0]), int(sides[1]))
        if canvas.upper_count(block) >= WANTED_BLOCKS and canvas.fullness(block) >= WANTED_BLOCKS:
            return block
    return int(smallest[0] * steps[0]), int(smallest[1] * steps[1])


def _shared(images: Positions, bounds: NDArray[np.float64]) -> Positions:
    """(images,) which images share ground, as far as their outlines tell."""
    by_image = pd.DataFrame(bounds).groupby(images)
    low, high = by_image.min().to_numpy(), by_image.max().to_numpy()
    # shrunk, so that neighbours that only touch stay apart; a canvas too many does no harm, the audit looks closer
    margin = 1e-6 * np.maximum(high[:, 2] - low[:, 0], high[:, 3] - low[:, 1])
    boxes = shapely.box(low[:, 0] + margin, low[:, 1] + margin, high[:, 2] - margin, high[:, 3] - margin)
    boxes[~np.isfinite(low[:, 0])] = None
    groups = UnionFind(len(boxes))
    groups.join(*shapely.STRtree(boxes).query(boxes, predicate="intersects"))
    return groups.labels()


def _in_pixels(bounds: NDArray[np.float64], width: NDArray[np.float64], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Left, top, right, bottom in median cells from the upper left corner of all bounds (left, bottom, right, top)."""
    cell_x, cell_y = np.median((bounds[:, 2] - bounds[:, 0]) / width), np.median((bounds[:, 3] - bounds[:, 1]) / height)
    left, top = bounds[:, 0].min(), bounds[:, 3].max()
    columns = (bounds[:, [0, 2]] - left) / cell_x
    rows = (top - bounds[:, [3, 1]]) / cell_y
    return np.stack([columns[:, 0], rows[:, 0], columns[:, 1], rows[:, 1]], axis=1)
