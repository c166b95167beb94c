"""What training windows hold, as far as it decides how often each is drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.table import Samples


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Counts of n windows, in the order of the table."""

    pixels: NDArray[np.int64]
    """(n, classes) pixels of each class, or of each set of classes that overlap; the first is the background, or no class."""
    objects: NDArray[np.int64]
    """(n,) objects."""

    @classmethod
    def of(cls, samples: Samples) -> "Contents":
        return cls(pixels=samples.set_pixels(), objects=samples.frame["objects"].to_numpy(np.int64))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def filled(self) -> NDArray[np.bool_]:
        """(n,) whether a window holds any class but the background."""
        filled: NDArray[np.bool_] = np.any(self.pixels[:, 1:], axis=1)
        return filled
