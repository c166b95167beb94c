"""Thinning: areas become lines one pixel wide that are connected as the areas were.

Source: Z. Guo and R. W. Hall, Parallel thinning with two-subiteration algorithms, Communications of the ACM 32 (1989), their first one.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""(height, width)."""


def thinned(mask: Mask, fixed: Mask, rounds: int) -> Mask:
    """Peel a mask from all sides, a layer a round, but for what is fixed; pixels beyond the mask count as empty.

    What becomes of a pixel depends on those up to 2 * rounds rows and columns away, and on no others.
    """
    _, width = mask.shape
    stride = width + 2
    cells = np.pad(mask, 1).view(np.uint8)
    rim = np.flatnonzero(cells > cv2.erode(cells, np.ones((3, 3), np.uint8)))
    cells, held = cells.ravel(), np.pad(fixed, 1).ravel()
    steps = np.array([-stride, 1 - stride, 1, stride + 1, stride, stride - 1, -1, -stride - 1])
    # a pixel is looked at again once something near it has gone since it was looked at in the same half of a round
    earlier, near = rim, rim
    for half in range(2 * rounds):
        seen = np.union1d(earlier, near)
        seen = seen[cells[seen] > 0]
        around = np.zeros(len(seen), np.uint8)
        for bit, step in enumerate(steps.tolist()):
            around |= cells[seen + step] << bit
        gone = seen[_GOES[half % 2][around] & ~held[seen]]
        cells[gone] = 0
        earlier, near = near, np.unique(gone[:, np.newaxis] + steps)
        if not len(earlier) and not len(near):
            break
    return np.asarray(cells.reshape(-1, stride)[1:-1, 1:-1].view(np.bool_))


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
