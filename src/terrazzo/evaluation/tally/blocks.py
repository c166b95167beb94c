"""The confusion of one scene, by blocks: what is drawn anew for intervals where scenes are too few."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.rasters.window import Shape

BLOCKS_A_SIDE = 10
"""Along the longer side of a scene: enough for intervals, and large enough to be little alike."""
SMALLEST_BLOCK_PX = 128


class BlockTally:
    """Counts a scene from top to bottom, each block of a regular grid by itself; few blocks, whatever its size."""

    def __init__(self, classes: int, shape: Shape) -> None:
        """shape: (height, width) of the scene in pixels."""
        self.side = max(SMALLEST_BLOCK_PX, -(-max(shape) // BLOCKS_A_SIDE))
        self._classes = classes
        self._blocks: dict[tuple[int, int], Confusion] = {}

    def add(self, rows: Rows) -> None:
        """Count the next rows. Raises LabelError or UsageError as Confusion.add does."""
        width = rows.truth.shape[1]
        top = rows.row_off
        while top < rows.row_end:
            end = min(rows.row_end, (top // self.side + 1) * self.side)
            part = slice(top - rows.row_off, end - rows.row_off)
            for left in range(0, width, self.side):
                place = top // self.side, left // self.side
                columns = slice(left, left + self.side)
                self._at(place).add(rows.truth[part, columns], rows.predicted[part, columns])
            top = end

    def finish(self) -> tuple[Confusion, NDArray[np.int64]]:
        """The confusion of the scene; and the counts of each block that holds a pixel, (blocks, classes, classes)."""
        total = Confusion(self._classes)
        for block in self._blocks.values():
            total = total + block
        held = [block.counts for block in self._blocks.values() if block.pixels]
        return total, np.array(held, np.int64).reshape(-1, self._classes, self._classes)

    def _at(self, place: tuple[int, int]) -> Confusion:
        if place not in self._blocks:
            self._blocks[place] = Confusion(self._classes)
        return self._blocks[place]
