"""What every kind of labels gives: a class mask for a window of an image, and its objects where they are known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.place import Place
from terrazzo.rasters.window import Shape, Window


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """The image that labels are wanted for."""

    name: str
    """What tells it from the other images of its set, '/'-joined, without extension."""
    path: Path
    grid: Grid
    place: Place | None = None
    """Where the file's own pixels lie, before any resampling, if it is to be resampled."""
    own_grid: Grid | None = None
    """The grid of the file's own pixels, where the image is read at another size."""


class Labels(Protocol):
    """The labels of one image, read window by window, from several threads if need be."""

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        ...

    @property
    def has_instances(self) -> bool:
        """Whether objects are told apart, though they touch."""
        ...

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, or outside the image."""
        ...

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width), the same in all windows of the image; 0 where there is none.

        Raises LabelError if has_instances is False.
        """
        ...

    def close(self) -> None: ...
