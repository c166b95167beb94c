"""Bit sets: the classes of a pixel that may be of several. Bit k is set where it is of class k; 0 is no class, 255 is left out.

    class 1 tree    0 0 1 1
    class 0 roof    0 1 1 0
    bit set         0 1 3 2

A bit set is one byte as a class index is, so that whatever moves classes by the nearest pixel moves it too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.colors import Color

MOST_CLASSES = 7
"""With an eighth, 255 would be the set of all of them."""
LEFT_OUT = 255
NO_CLASS = "no class"
NO_CLASS_COLOR: Color = (0, 0, 0)

Bits = NDArray[np.uint8]


def to_bits(planes: NDArray[np.bool_], left_out: NDArray[np.bool_] | None = None) -> Bits:
    """(height, width) of planes (classes, height, width), True where a pixel is of the class. left_out: (height, width), 255 there."""
    bits = np.zeros(planes.shape[1:], np.uint8)
    for number, plane in enumerate(planes):
        bits |= plane.view(np.uint8) << np.uint8(number)
    if left_out is not None:
        bits[left_out] = LEFT_OUT
    return bits


def plane_of(bits: Bits, number: int) -> Bits:
    """1 where a pixel is of the class, 0 where it is not, 255 where it is left out; of the shape of `bits`."""
    plane = (bits >> np.uint8(number)) & np.uint8(1)
    plane[bits == LEFT_OUT] = LEFT_OUT
    return plane


def to_planes(bits: Bits, classes: int) -> NDArray[np.uint8]:
    """(classes, height, width) of `plane_of`."""
    return np.stack([plane_of(bits, number) for number in range(classes)])


def members(classes: int) -> NDArray[np.bool_]:
    """(classes, 2**classes) whether each set holds each class."""
    held: NDArray[np.bool_] = (np.arange(2**classes) >> np.arange(classes)[:, np.newaxis]) & 1 == 1
    return held


def class_pixels(bits: Bits, classes: int) -> NDArray[np.int64]:
    """(classes,) pixels of each class."""
    of_sets = np.bincount(bits.ravel(), minlength=LEFT_OUT + 1)[: 2**classes]
    return members(classes) @ of_sets


def set_names(names: Sequence[str]) -> list[str]:
    """(2**classes) what each set is called."""
    held = members(len(names)).T
    return [" + ".join(name for name, inside in zip(names, row, strict=True) if inside) or NO_CLASS for row in held]


def mixed(colors: tuple[Color, ...]) -> list[Color]:
    """(2**classes) a colour a set: the mean of those of its classes, black for none."""
    table = np.array(colors, np.float64)
    shown = [table[held].mean(axis=0) if held.any() else np.array(NO_CLASS_COLOR) for held in members(len(colors)).T]
    return [(int(red), int(green), int(blue)) for red, green, blue in np.rint(shown)]
