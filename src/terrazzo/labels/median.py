"""The median filter of labels: each pixel takes the class that most pixels around it have."""

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.source import Labels
from terrazzo.rasters.window import Shape, Window


def majority(indices: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Give each pixel the class that is most frequent in the disk around it (dx² + dy² <= radius²); for two classes, the median.

    Pixels of 255 have no vote and stay, and there are no votes from beyond the border. Among equals, a pixel's own class wins, else
    the lowest. A radius of 0 or 1 changes nothing.

    indices: (height, width) class indices; the result is a new array. radius: in pixels.
    """
    return indices.copy() if radius <= 1 else most_frequent(indices, _disk(radius))


def most_frequent(indices: NDArray[np.uint8], kernel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give each pixel the class that is most frequent around it, as `majority` does.

    kernel: (side, side), an odd side, symmetric: 1 where a pixel around the middle has a vote, else 0.
    """
    if not indices.size:
        return indices.copy()
    winner, most, own = np.full(indices.shape, IGNORE, np.uint8), np.zeros(indices.shape, np.float32), np.zeros(indices.shape, np.float32)
    present = _present(indices)
    left = _all_votes(indices, kernel)
    for index in present:
        mine = indices == index
        if index == present[-1]:
            votes = left  # what the other classes leave
        else:
            votes = _votes(mine, kernel)
            left -= votes
        np.copyto(own, votes, where=mine)
        np.copyto(winner, index, where=votes > most)
        np.maximum(most, votes, out=most)
    np.copyto(winner, indices, where=(own == most) | (indices == IGNORE))
    return winner


class MedianLabels:
    """Labels that a median filter has gone over; windows agree with the whole. Objects stay as they are."""

    def __init__(self, labels: Labels, radius: int) -> None:
        self._labels = labels
        self._radius = radius

    @property
    def shape(self) -> Shape:
        return self._labels.shape

    @property
    def has_instances(self) -> bool:
        return self._labels.has_instances

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, or outside the image."""
        margin = self._radius if self._radius > 1 else 0
        around = Window(
            col_off=window.col_off - margin,
            row_off=window.row_off - margin,
            width=window.width + 2 * margin,
            height=window.height + 2 * margin,
        )
        rows, columns = window.inside(around)
        return np.ascontiguousarray(majority(self._labels.read(around), self._radius)[rows, columns])

    def instances(self, window: Window) -> NDArray[np.uint32]:
        return self._labels.instances(window)

    def close(self) -> None:
        self._labels.close()


def _disk(radius: int) -> NDArray[np.float32]:
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float32)


def _present(indices: NDArray[np.uint8]) -> list[int]:
    """The classes of an array, in order."""
    counts = np.bincount(indices.ravel(), minlength=IGNORE + 1)
    return [int(index) for index in np.flatnonzero(counts[:IGNORE])]


def _all_votes(indices: NDArray[np.uint8], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many pixels of any class the kernel around each pixel holds."""
    used = indices != IGNORE
    if not used.all() or min(indices.shape) <= len(kernel):
        return _votes(used, kernel)
    # only the distance to the border counts, so a small image has all the numbers
    small = _votes(np.ones(kernel.shape, np.bool_), kernel)
    radius = len(kernel) // 2
    near = [np.minimum(np.arange(side), radius) for side in indices.shape]
    return np.ascontiguousarray(small[np.ix_(*(steps + radius - steps[::-1] for steps in near))])


def _votes(mine: NDArray[np.bool_], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many pixels of a class the kernel around each pixel holds."""
    if kernel.all():
        return cv2.boxFilter(mine.view(np.uint8), cv2.CV_32F, kernel.shape, normalize=False, borderType=cv2.BORDER_CONSTANT)  # type: ignore[return-value]
    sums = cv2.filter2D(mine.view(np.uint8), cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)
    # large kernels go through a Fourier transform, which is whole only after rounding
    whole_sums: NDArray[np.float32] = np.rint(sums, out=sums)
    return whole_sums
