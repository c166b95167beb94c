"""Thinning: areas become lines one pixel wide that are connected as the areas were.

Source: Z. Guo and R. W. Hall, Parallel thinning with two-subiteration algorithms, Communications of the ACM 32 (1989), their first one.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""(height, width)."""

Cells = NDArray[np.uint8]
"""(pixels,): 0 or 1."""
Places = NDArray[np.intp]
"""Numbers of pixels, row after row."""


def thinned(mask: Mask, fixed: Mask, rounds: int) -> Mask:
    """Peel a mask from all sides, a layer a round, but for what is fixed; pixels beyond the mask count as empty.

    What becomes of a pixel depends on those up to 2 * rounds rows and columns away, and on no others.
    """
    _, width = mask.shape
    stride = width + 2
    cells = np.pad(mask, 1).view(np.uint8)
    rim = np.flatnonzero(cells > cv2.erode(cells, np.ones((3, 3), np.uint8)))
    cells, held = cells.ravel(), np.pad(fixed, 1).ravel()
    steps = (-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1)
    taken = np.zeros_like(cells)
    # a pixel is looked at again once something near it has gone since it was looked at in the same half of a round
    earlier, near = rim[:0], rim
    for half in range(2 * rounds):
        seen = _distinct([near, earlier], cells, taken)
        if not len(seen):
            break
        around = np.zeros(len(seen), np.uint8)
        for bit, step in enumerate(steps):
            around |= cells[seen + step] << bit
        gone = seen[_GOES[half % 2][around] & ~held[seen]]
        cells[gone] = 0
        earlier, near = near, _distinct([gone + step for step in steps], cells, taken)
    return np.asarray(cells.reshape(-1, stride)[1:-1, 1:-1].view(np.bool_))


def _distinct(groups: Sequence[Places], cells: Cells, taken: Cells) -> Places:
    """The pixels of all groups that are not empty, each once; in a group none is twice. taken: zeros, and again at the end."""
    found = []
    for group in groups:
        new = group[cells[group] > taken[group]]
        taken[new] = 1
        found.append(new)
    all_found = np.concatenate(found)
    taken[all_found] = 0
    return all_found


def _goes(*, second: bool) -> NDArray[np.bool_]:
    """(256,): whether a pixel goes in a half of a round, by its neighbours, a bit each: clockwise from the one above."""
    n, ne, e, se, s, sw, w, nw = (np.arange(256) >> bit & 1 == 1 for bit in range(8))
    pieces = sum((~side & (corner | following)).astype(int) for side, corner, following in ((n, ne, e), (e, se, s), (s, sw, w), (w, nw, n)))
    pairs = [
        sum((one | other).astype(int) for one, other in each)
        for each in (((nw, n), (ne, e), (se, s), (sw, w)), ((n, ne), (e, se), (s, sw), (w, nw)))
    ]
    fewest = np.minimum(*pairs)
    stays = (s | sw | ~nw) & w if second else (n | ne | ~se) & e
    return np.asarray((pieces == 1) & (fewest >= 2) & (fewest <= 3) & ~stays)


_GOES = _goes(second=False), _goes(second=True)
