"""Blocks: squares or bands of ground that stay on one side of a split.

a canvas: one image, or all images that share ground       windows A and C lie in one block,
+---------+---------+---------+                            B in two: it goes with them if they are
|  A   +--|--+      |         |                            on the same side, else no part has it,
|      |B |  |   C  |         |                            or each side its piece
+---------+---------+---------+
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.samples.overlaps import Positions, UnionFind
from terrazzo.samples.table import Samples

Along = Literal["x", "y"] | None
"""The axis along which bands of ground lie side by side; None: blocks are squares."""

WANTED_BLOCKS = 10
SLACK = 1e-3
"""Pixels by which positions on the ground may be off from rounding."""
ENDLESS = 2**40
"""Side of a block that is a band of ground, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Where each window lies on the pixels that it shares with the other windows of the same ground."""

    number: Positions
    """(windows,) which canvas, from 0."""
    edges: NDArray[np.float64]
    """(windows, 4) left, top, right, bottom in pixels of the canvas; all at least 0."""
    window: Shape
    """(height, width) of the windows that were asked for."""
    straight: NDArray[np.bool_]
    """(windows,) whether the window's own rows and columns run along the canvas, downwards and to the right."""

    def blocks(self, block: Shape) -> "Blocks":
        """Cut the canvases into blocks; a rest too narrow for a window belongs to the block before it.

        block: (height, width) in pixels, at least a window.
        """
        return Blocks(canvas=self, block=block)

    @cached_property
    def extents(self) -> NDArray[np.float64]:
        """(canvases, 2) height and width."""
        extents = np.zeros((int(self.number.max(initial=-1)) + 1, 2))
        np.maximum.at(extents, self.number, self.edges[:, [3, 2]])
        return extents


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of all canvases, in rows and columns from each canvas's origin."""

    canvas: Canvas
    block: Shape
    """(height, width) in pixels."""

    @cached_property
    def across(self) -> Positions:
        """(canvases, 2) blocks down and across."""
        rest = np.maximum(self.canvas.extents - np.array(self.canvas.window), 0.0)
        across: Positions = np.floor((rest + SLACK) / np.array(self.block)).astype(np.int64) + 1
        return across

    @cached_property
    def ranges(self) -> tuple[Positions, Positions]:
        """(windows, 2) row and column of the first block of each window, and of the last."""
        side = np.array(self.block, np.float64)
        last_block = self.across[self.canvas.number] - 1
        first = np.floor((self.canvas.edges[:, [1, 0]] + SLACK) / side).astype(np.int64)
        last = np.ceil((self.canvas.edges[:, [3, 2]] - SLACK) / side).astype(np.int64) - 1
        return np.clip(first, 0, last_block), np.clip(last, 0, last_block)

    @cached_property
    def units(self) -> Positions:
        """(windows, n) the blocks, numbered from 0, that each window touches; some are repeated to fill the row."""
        units: Positions = np.searchsorted(self._numbers, self._touched)
        return units

    def unit(self, window: int, row: int, column: int) -> int:
        """The number of a block that a window touches."""
        canvas = int(self.canvas.number[window])
        return int(np.searchsorted(self._numbers, self._bases[canvas] + row * self.across[canvas, 1] + column))

    @property
    def fullness(self) -> int:
        """How many blocks hold at least one whole window."""
        return len(np.unique(self._touched[(self._touched == self._touched[:, :1]).all(1), 0]))

    @property
    def upper_count(self) -> int:
        """How many blocks there are, empty ones included; never fewer than `fullness`."""
        return int(self.across.prod(1).sum())

    @cached_property
    def _bases(self) -> Positions:
        """(canvases + 1,) the number of each canvas's first block, empty ones counted."""
        return np.concatenate([[0], np.cumsum(self.across.prod(1))])

    @cached_property
    def _touched(self) -> Positions:
        """(windows, n) as `units`, but empty blocks have numbers too."""
        (first, last), across = self.ranges, self.across[self.canvas.number, 1]
        rows, columns = last[:, 0] - first[:, 0], last[:, 1] - first[:, 1]
        touched = [
            np.minimum(first[:, 0] + down, last[:, 0]) * across + np.minimum(first[:, 1] + right, last[:, 1])
            for down in range(int(rows.max(initial=0)) + 1)
            for right in range(int(columns.max(initial=0)) + 1)
        ]
        return np.stack(touched, axis=1) + self._bases[self.canvas.number][:, np.newaxis]

    @cached_property
    def _numbers(self) -> Positions:
        return np.unique(self._touched)


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
        return Canvas(number=images, edges=edges, window=samples.size, straight=np.ones(len(frame), np.bool_))
    bounds = shapely.bounds(frame.geometry.to_numpy())
    number = _shared(images, bounds)[images]
    several = pd.Series(images).groupby(number).transform("nunique").to_numpy() > 1
    placed = several & np.isfinite(bounds[:, 0])
    for _, rows in pd.Series(np.flatnonzero(placed)).groupby(number[placed]):
        edges[rows] = _in_pixels(bounds[rows], width[rows], height[rows])
    return Canvas(number=number, edges=edges, window=samples.size, straight=~placed | _straight(samples, bounds))


def default_block(canvas: Canvas, stride: Shape, along: Along = None) -> Shape:
    """The largest block that leaves ten blocks with windows in them, at least a window; (height, width) in pixels.

    Its sides are multiples of the stride, so that without overlap no window lies across a border.

    stride: (down, across) from window to window. along: for bands of ground that lie side by side along x or y.
    """
    steps = np.array(stride)
    smallest = -(-np.array(canvas.window) // steps)
    most = int(np.ceil(canvas.extents.max(initial=1.0) / steps.max()))
    for multiple in range(most, 0, -1):
        sides = np.maximum(np.round(multiple * steps.max() / steps).astype(np.int64), smallest) * steps
        blocks = canvas.blocks(band((int(sides[0]), int(sides[1])), along))
        if blocks.upper_count >= WANTED_BLOCKS and blocks.fullness >= WANTED_BLOCKS:
            return blocks.block
    return band((int(smallest[0] * steps[0]), int(smallest[1] * steps[1])), along)


def band(block: Shape, along: Along) -> Shape:
    """A block, or the band of ground of its width or height."""
    return block if along is None else (ENDLESS, block[1]) if along == "x" else (block[0], ENDLESS)


def _straight(samples: Samples, bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether footprints are upright rectangles that begin at their upper left corner. bounds: left, bottom, right, top."""
    geometry = samples.frame.geometry.to_numpy()
    first = shapely.get_point(shapely.get_exterior_ring(geometry), 0)
    width, height = bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]
    with np.errstate(invalid="ignore"):
        upright = np.abs(shapely.area(geometry) - width * height) <= 1e-6 * width * height
        corner = (np.abs(shapely.get_x(first) - bounds[:, 0]) <= 1e-6 * width) & (
            np.abs(shapely.get_y(first) - bounds[:, 3]) <= 1e-6 * height
        )
    return np.asarray(upright & corner)


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
