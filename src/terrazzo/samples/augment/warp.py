"""Moving pixels: exactly where they only change places, else by one affine warp, linear for images and nearest for labels.

Before the warp an image is mirrored at its edges, as far as the warp reaches:

    +----+          +------------+
    |    |    ->    |   +----+   |
    +----+          |   +----+   |
                    +------------+
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Shape
from terrazzo.samples.augment.draw import Fill
from terrazzo.samples.augment.geometry import Matrix, Placement

WARPED_TYPES = (np.uint8, np.uint16, np.float32)
"""OpenCV warps these rightly and fast."""
TOGETHER = 4
"""OpenCV warps more bands at once wrongly; and four faster than two or three, so that these are filled up."""

MOST_GROWTH = 6.0
"""A window that would be mirrored to more than this many times its pixels is not: memory and time would go to waste."""

Plane = NDArray[Any]
"""(height, width) of one of WARPED_TYPES."""


def move(planes: Sequence[Plane], placement: Placement) -> list[Plane]:
    """Move planes of one shape and type by a placement; what comes from outside is the window mirrored at its edge pixels.

    Interpolation is linear. The results may share memory with what was given.
    """
    if placement.exact:
        return [rearrange(plane, placement) for plane in planes]
    border = _Border.of(planes[0].shape, placement)
    moved: list[Plane] = []
    for first in range(0, len(planes), TOGETHER):
        moved += border.linear(planes[first : first + TOGETHER])
    return moved


def move_labels(labels: NDArray[np.uint8], placement: Placement, fill: Fill) -> NDArray[np.uint8]:
    """Move classes by nearest neighbour: none is invented. What comes from outside is mirrored, or 255."""
    if placement.exact:
        return rearrange(labels, placement)
    return _Border.of(labels.shape, placement).nearest(labels, mirrored=fill == "reflect")


def rearrange(plane: Plane, placement: Placement) -> Plane:
    """Mirror, then turn by quarters."""
    if placement.mirror_x or placement.mirror_y:
        plane = cv2.flip(plane, -1 if placement.mirror_x and placement.mirror_y else int(placement.mirror_x))
    turns = placement.quarter_turns % 4
    if turns:
        plane = cv2.rotate(plane, (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)[turns - 1])
    return plane


class _Border:
    """The affine map of a placement, and how far beyond the window it reaches.

    Mirroring before the warp costs less than OpenCV's mirroring pixel by pixel in it.
    """

    def __init__(self, shape: Shape, matrix: Matrix) -> None:
        height, width = shape
        corners = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]])
        x, y, _ = matrix @ corners
        # one pixel more on each side: linear interpolation looks at the next one
        self.left, self.top = (max(0, int(np.ceil(-side.min())) + 1) for side in (x, y))
        self.right, self.bottom = (max(0, int(np.ceil(side.max())) + 2 - length) for side, length in ((x, width), (y, height)))
        self.growth = (1 + (self.left + self.right) / width) * (1 + (self.top + self.bottom) / height)
        self.size = (width, height)
        self.matrix = matrix[:2]
        self.from_mirrored: Matrix = self.matrix + np.array([[0, 0, self.left], [0, 0, self.top]])

    @classmethod
    def of(cls, shape: tuple[int, ...], placement: Placement) -> "_Border":
        height, width = shape
        return cls((height, width), placement.matrix(height, width))

    def linear(self, planes: Sequence[Plane]) -> list[Plane]:
        if len(planes) == 1:
            return [self._warp(planes[0])]
        warped = self._warp(cv2.merge([*planes, *[planes[0]] * (TOGETHER - len(planes))]))
        return list(cv2.split(warped)[: len(planes)])

    def nearest(self, labels: NDArray[np.uint8], *, mirrored: bool) -> NDArray[np.uint8]:
        # one band by nearest neighbour: here OpenCV's own mirroring costs no more
        border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(labels, self.matrix, self.size, flags=flags, borderMode=border, borderValue=IGNORE)
        return moved.astype(np.uint8, copy=False)

    def _warp(self, image: Plane) -> Plane:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        if self.growth > MOST_GROWTH:
            return cv2.warpAffine(image, self.matrix, self.size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        mirrored = cv2.copyMakeBorder(image, self.top, self.bottom, self.left, self.right, cv2.BORDER_REFLECT_101)
        return cv2.warpAffine(mirrored, self.from_mirrored, self.size, flags=flags)
