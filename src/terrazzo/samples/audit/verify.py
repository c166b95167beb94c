"""Whether two images show the same ground where one is laid over the other: block by block, at full resolution."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.audit.gray import Gray

BLOCK_PX = 64
NARROW_PX = 24
"""Side of the blocks of the smallest overlap."""
WANTED_BLOCKS = 12
"""Blocks that an overlap is divided into at least, as far as NARROW_PX allows."""
MOST_BLOCKS = 24
"""Blocks that are compared, spread over the overlap."""
SLACK_PX = 6
"""Pixels by which a block may be off: two pictures of one place are never bent alike."""
SMOOTH_PX = 1.0
SURROUND_PX = 31
"""Side of the square whose mean is taken off, so that even slopes are no likeness."""
STRUCTURE = 1.0
"""Gray levels by which half the pixels of a block stand out at least if it is to say anything; open water and clear sky have less."""
OUTLIER = 4.0
"""Multiples of that by which a pixel counts at most: a star or a ship that lies on another one is no likeness."""
AGREES = 0.6
"""Correlation of a block that is the same ground; blocks of other ground stay below whatever their shift."""
DISTINCT = 0.1
"""By how much a block is more like its counterpart than like itself SLACK_PX aside; a straight edge or a round blob is not."""
PLAIN = 0.85
"""Likeness to itself SLACK_PX aside from which a block says nothing."""
BLOCKS = 3
"""Blocks that must agree."""
SHARE = 0.3
"""Share of the blocks with structure that must agree; the others may show water, or what has moved."""


Detail = NDArray[np.float32]
"""(height, width) what stands out from its surroundings, in gray levels."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How two overlapping parts compare."""

    structured: int
    """Blocks that have enough structure to be compared."""
    agreeing: int

    @property
    def same(self) -> bool:
        return self.agreeing >= BLOCKS and self.agreeing >= SHARE * self.structured


def overlap(a: Shape, b: Shape, shift: tuple[int, int]) -> Window | None:
    """The part of image a that image b covers, shifted by (x, y); in pixels of a. None if there is none."""
    moved = Window(col_off=shift[0], row_off=shift[1], width=b[1], height=b[0])
    return moved.intersection(whole(a))


def compare(a: Gray, b: Gray) -> Likeness:
    """Compare two parts of the same shape. Pixels without data count nowhere."""
    one, other = _detail(a), _detail(b)
    valid = a.valid & b.valid
    found = [scores for block in _blocks(one.shape) if (scores := _scores(one, other, valid, block)) is not None]
    return Likeness(structured=len(found), agreeing=sum(score >= max(AGREES, own + DISTINCT) for score, own in found))


def _detail(gray: Gray) -> Detail:
    """What stands out from its surroundings, without the noise of single pixels."""
    values = gray.values.astype(np.float32)
    detail: Detail = cv2.GaussianBlur(values, (0, 0), SMOOTH_PX) - cv2.blur(values, (SURROUND_PX, SURROUND_PX))
    return detail


def _blocks(shape: tuple[int, ...]) -> list[Window]:
    """Blocks side by side with room for the slack around; smaller ones in a small overlap, some of them in a large one."""
    height, width = (side - 2 * SLACK_PX for side in shape[:2])
    if min(height, width) < NARROW_PX:
        return []
    side = int(np.clip(np.sqrt(height * width / WANTED_BLOCKS), NARROW_PX, min(BLOCK_PX, height, width)))
    blocks = [
        Window(col_off=SLACK_PX + column, row_off=SLACK_PX + row, width=side, height=side)
        for row in range(0, height - side + 1, side)
        for column in range(0, width - side + 1, side)
    ]
    return [blocks[place] for place in np.unique(np.linspace(0, len(blocks) - 1, min(len(blocks), MOST_BLOCKS)).astype(int))]


def _scores(one: Detail, other: Detail, valid: NDArray[np.bool_], block: Window) -> tuple[float, float] | None:
    """The best correlation of a block within the slack, and that with itself at the end of the slack; None if it says nothing."""
    rows, columns = block.slices
    around = slice(rows.start - SLACK_PX, rows.stop + SLACK_PX), slice(columns.start - SLACK_PX, columns.stop + SLACK_PX)
    if not valid[around].all():
        return None
    mine, theirs = one[rows, columns], other[around]
    spread, their_spread = float(np.median(np.abs(mine))), float(np.median(np.abs(theirs)))
    if min(spread, their_spread) < STRUCTURE:
        return None
    mine = _tamed(mine, spread)
    own = cv2.matchTemplate(_tamed(one[around], spread), mine, cv2.TM_CCOEFF_NORMED)
    own[1:-1, 1:-1] = -1
    if (aside := float(own.max())) > PLAIN:
        return None
    return float(cv2.matchTemplate(_tamed(theirs, their_spread), mine, cv2.TM_CCOEFF_NORMED).max()), aside


def _tamed(detail: Detail, spread: float) -> Detail:
    return np.clip(detail, -OUTLIER * spread, OUTLIER * spread)
