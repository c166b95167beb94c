"""Rows of a map beside the truth: what every part that counts is fed with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.bits import plane_of

ONE = np.uint16(65535)
"""A probability of 1."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Whole rows of one scene."""

    row_off: int
    """The first of them, from the scene's top."""
    truth: NDArray[np.uint8]
    """Class indices, or bit sets of classes that overlap, (rows, width), 255 left out."""
    predicted: NDArray[np.uint8]
    """The same of the map, 255 where nothing is predicted."""
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

    def alone(self, number: int) -> "Rows":
        """Of classes that overlap, one as class 1 and the rest of the ground as class 0."""
        shares = self.probabilities
        return Rows(
            row_off=self.row_off,
            truth=plane_of(self.truth, number),
            predicted=plane_of(self.predicted, number),
            probabilities=None if shares is None else np.stack([ONE - shares[number], shares[number]]),
        )
