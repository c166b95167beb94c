"""The skeleton of a mask: its pixels, how they are linked, how wide the mask is there, and which branches are none.

Pixels are linked that share a side. Pixels that share a corner are linked unless a third one shares a side with both, so that lines have
no small triangles where they turn or meet.
"""

import math

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.prediction.vectorize.thinning import Mask, thinned

PASSES = 2
"""Branches that are left without their own branches may be none themselves."""

Widths = NDArray[np.float32]
"""(height, width), in pixels."""


def reach_px(widest_px: int, spur_px: float | None) -> int:
    """How many rows and columns away a pixel may be that matters for `skeleton` and its widths."""
    spur = widest_px if spur_px is None else math.ceil(spur_px)
    return 2 * _rounds(widest_px) + widest_px // 2 + 4 + PASSES * (spur + 2)


def skeleton(mask: Mask, widths: Widths, widest_px: int, spur_px: float | None) -> Mask:
    """The pixels of the centre lines of a mask, where it is no wider than widest_px.

    Lines that end freely go if they are shorter than the mask is wide anywhere along them, or than spur_px. widths: of the mask.
    """
    wide = widths > widest_px
    lines = thinned(mask, wide, _rounds(widest_px)) & ~wide
    for _ in range(PASSES):
        lines = _pruned(lines, widths, spur_px)
    return lines


def widths_of(mask: Mask) -> Widths:
    """Twice the distance to the edge of the mask, seen from its pixels or the corners between them, whichever is farther.

    So bands of an odd and of an even number of rows or columns are as wide as they are; 0 beyond the mask.
    """
    padded = np.pad(mask, 1)
    # the edge is half a pixel nearer than the middle of the pixel behind it; in place, for these are the largest arrays that there are
    widths = _distances(padded)[1:-1, 1:-1]
    widths -= 0.5
    corners = _distances(padded[:-1, :-1] & padded[:-1, 1:] & padded[1:, :-1] & padded[1:, 1:])
    for beside in (corners[:-1, :-1], corners[:-1, 1:], corners[1:, :-1], corners[1:, 1:]):
        np.maximum(widths, beside, out=widths)
    widths *= 2
    widths[~mask] = 0
    return widths


def links_of(lines: Mask) -> NDArray[np.int64]:
    """(links, 2, 2): column and row of every two pixels that are linked, the upper or left one first."""
    sides = [
        (lines[:, :-1] & lines[:, 1:], (0, 0), (1, 0)),
        (lines[:-1] & lines[1:], (0, 0), (0, 1)),
        (lines[:-1, :-1] & lines[1:, 1:] & ~(lines[:-1, 1:] | lines[1:, :-1]), (0, 0), (1, 1)),
        (lines[:-1, 1:] & lines[1:, :-1] & ~(lines[:-1, :-1] | lines[1:, 1:]), (1, 0), (0, 1)),
    ]
    return np.concatenate([np.argwhere(linked)[:, np.newaxis, ::-1] + np.array([one, other]) for linked, one, other in sides])


def _rounds(widest_px: int) -> int:
    # layers of slanting bands are thinner than a pixel
    return math.ceil(widest_px / math.sqrt(2)) + 2


def _distances(inside: Mask) -> Widths:
    found = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)


def _pruned(lines: Mask, widths: Widths, spur_px: float | None) -> Mask:
    links = links_of(lines)
    if not len(links):
        return lines
    degree = np.zeros(lines.shape, np.uint8)
    np.add.at(degree, (links[..., 1], links[..., 0]), 1)
    branches = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(shapely.linestrings(links.astype(np.float64)))))
    places, owner = shapely.get_coordinates(branches, return_index=True)
    columns, rows = places.astype(np.int64).T
    last = np.append(np.flatnonzero(np.diff(owner)), len(owner) - 1)
    first = np.append(0, last[:-1] + 1)
    free = (degree[rows[first], columns[first]] == 1) | (degree[rows[last], columns[last]] == 1)
    needed = np.maximum.reduceat(widths[rows, columns], first) if spur_px is None else spur_px
    spurs = free & (shapely.length(branches) < needed)
    gone = spurs[owner] & (degree[rows, columns] < 3)
    kept = lines.copy()
    kept[rows[gone], columns[gone]] = False
    return kept
