"""Labels at another size: each pixel takes the label of the image's own pixel under its centre; none is ever mixed."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.labels.source import Labels
from terrazzo.rasters.window import Shape, Window, whole

Positions = NDArray[np.int64]


class ResizedLabels:
    """Labels of an image that is read at another size."""

    def __init__(self, labels: Labels, shape: Shape) -> None:
        """labels: of the image's own pixels. shape: (height, width) at which they are wanted."""
        self._labels = labels
        self.shape = shape

    @property
    def has_instances(self) -> bool:
        return self._labels.has_instances

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, or outside the image."""
        out = np.full(window.shape, IGNORE, np.uint8)
        if (inner := window.intersection(whole(self.shape))) is not None:
            around, at = self._under(inner)
            out[inner.inside(window)] = self._labels.read(around)[at]
        return out

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width) of a window; 0 where there is none. An object smaller than a pixel may have none."""
        out = np.zeros(window.shape, np.uint32)
        if (inner := window.intersection(whole(self.shape))) is not None:
            around, at = self._under(inner)
            out[inner.inside(window)] = self._labels.instances(around)[at]
        return out

    def close(self) -> None:
        self._labels.close()

    def _under(self, window: Window) -> tuple[Window, tuple[Positions, Positions]]:
        """The image's own pixels that a window needs, and which of them lie under the centres of the window's."""
        (height, width), (rows, columns) = self._labels.shape, self.shape
        down = _nearest(np.arange(window.row_off, window.row_end), height, rows)
        right = _nearest(np.arange(window.col_off, window.col_end), width, columns)
        top, left = int(down[0]), int(right[0])
        around = Window(col_off=left, row_off=top, width=int(right[-1]) - left + 1, height=int(down[-1]) - top + 1)
        return around, (down[:, np.newaxis] - top, right - left)


def _nearest(places: Positions, own: int, wanted: int) -> Positions:
    """The pixels of `own` under the centres of pixels of `wanted` along a side; of two that meet there, the second."""
    return (2 * places + 1) * own // (2 * wanted)
