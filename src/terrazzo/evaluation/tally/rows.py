"""Rows of a map beside the truth: what every part that counts is fed with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Whole rows of one scene."""

    row_off: int
    """The first of them, from the scene's top."""
    truth: NDArray[np.uint8]
    """Class indices (rows, width), 255 left out."""
    predicted: NDArray[np.uint8]
    """Class indices (rows, width), 255 where nothing is predicted."""
    probabilities: NDArray[np.uint16] | None = None
    """(classes, rows, width), 65535 = 1, where they are known."""
    instances: NDArray[np.uint32] | None = None
    """(rows, width), the numbers of the truth's objects, 0 elsewhere; where the labels tell objects apart."""

    predicted_instances: NDArray[np.uint32] | None = None
    """(rows, width), the same of the map's objects, where it tells them apart."""

    @property
    def row_end(self) -> int:
        """The first row below them."""
        return self.row_off + len(self.truth)
