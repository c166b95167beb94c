"""Points of an image that are found again in other crops of it, with keys of what is around them.

A point is where a smoothed image stands out most from its surroundings; it does not matter where the crop begins. A key is 32 answers to
"is it brighter here than there?", asked around the point; recompression and another brightness change few of them. Source: points as in
Lowe (2004), keys as in BRIEF (Calonder et al. 2010), looked up by parts as in locality-sensitive hashing (Indyk and Motwani 1998).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.samples.audit.gray import Gray, GrayImage
from terrazzo.samples.draw.choose import ranks

RADIUS = 24
"""Pixels around a point that its keys look at."""
KEYS = 4
BITS = 32
SMOOTH_PX = 2.0
SURROUND_PX = 11
"""Side of the square that a point is compared with."""
APART_PX = 9
"""Side of the square in which a point stands out most."""
CONTRAST = 1.0
"""Gray levels by which a point stands out at least; below, recompression moves points."""
CELL_PX = 96
"""Side of the squares over which points are spread."""
PER_CELL = 8
PER_IMAGE = 512
"""Points of an image that is too small to have so many at PER_CELL a cell."""
STRIP_ROWS = 1024
BEYOND = RADIUS + SURROUND_PX + APART_PX

_PAIRS = np.clip(np.rint(np.random.default_rng(20).normal(0, RADIUS / 2, (KEYS * BITS, 4))), -RADIUS, RADIUS).astype(np.int64)
"""(answers, 4) row and column of here, row and column of there, from the point."""


@dataclass(frozen=True, kw_only=True)
class Keypoints:
    """n points of one image."""

    shape: Shape
    """(height, width) of the image."""
    places: NDArray[np.int32]
    """(n, 2) x and y in pixels."""
    keys: NDArray[np.uint32]
    """(n, KEYS)."""

    def __len__(self) -> int:
        return len(self.places)


def find_keypoints(image: GrayImage, most: int) -> Keypoints:
    """The points of an image, spread over it, in each cell of CELL_PX squared the most salient ones.

    most: points that there may be, about; small images have PER_IMAGE, larger ones PER_CELL a cell.
    """
    height, width = image.shape
    cells = -(-height // CELL_PX) * -(-width // CELL_PX)
    per_cell = max(1, min(max(PER_CELL, PER_IMAGE // cells), most // cells))
    parts = [_in_strip(gray, top, image.shape[0], per_cell) for top, gray in image.strips(STRIP_ROWS, BEYOND)]
    places, keys = (np.concatenate(side) for side in zip(*parts, strict=True))
    return Keypoints(shape=image.shape, places=places, keys=keys)


def _in_strip(gray: Gray, top: int, height: int, per_cell: int) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Places and keys of the points of a strip that lie in its own rows, not in those beyond."""
    smooth = cv2.GaussianBlur(gray.values.astype(np.float32), (0, 0), SMOOTH_PX)
    salience = np.abs(smooth - cv2.blur(smooth, (SURROUND_PX, SURROUND_PX)))
    usable = _usable(gray, top, height)
    peak = (cv2.dilate(salience, np.ones((APART_PX, APART_PX), np.uint8)) == salience) & (salience > CONTRAST) & usable
    rows, columns = np.nonzero(peak)
    rows, columns = _spread(rows, columns, salience[rows, columns], per_cell)
    here = smooth[rows[:, None] + _PAIRS[:, 0], columns[:, None] + _PAIRS[:, 1]]
    there = smooth[rows[:, None] + _PAIRS[:, 2], columns[:, None] + _PAIRS[:, 3]]
    keys = np.packbits(here > there, axis=1).view(np.uint32)
    return np.stack([columns, rows + top], axis=1).astype(np.int32), keys.reshape(-1, KEYS)


def _usable(gray: Gray, top: int, height: int) -> NDArray[np.bool_]:
    """Where a point has all that its keys look at, in the rows that are the strip's own."""
    usable = np.zeros(gray.values.shape, np.bool_)
    first = RADIUS if top == 0 else BEYOND
    last = RADIUS if top + len(usable) == height else BEYOND
    usable[first : len(usable) - last, RADIUS:-RADIUS] = True
    if not gray.valid.all():
        around = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
        usable &= cv2.erode(gray.valid.astype(np.uint8), around) > 0
    return usable


def _spread(
    rows: NDArray[np.int64], columns: NDArray[np.int64], salience: NDArray[np.float32], per_cell: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The most salient points of each cell."""
    cells = (rows // CELL_PX) * (int(columns.max(initial=0)) // CELL_PX + 1) + columns // CELL_PX
    order = np.lexsort((-salience, cells))
    kept = np.sort(order[ranks(cells[order]) < per_cell])
    return rows[kept], columns[kept]
