"""What is right and wrong at each pixel, as the classes of a raster of its own."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.colors import Color
from terrazzo.labels.legend import IGNORE, Legend, LegendClass

RIGHT_FIRST, RIGHT_OTHER, FALSE_ALARM, MISSED, MIXED_UP = range(5)
COLORS: dict[int, Color] = {
    RIGHT_FIRST: (52, 58, 66),
    RIGHT_OTHER: (0, 158, 115),
    FALSE_ALARM: (39, 211, 245),
    MISSED: (255, 77, 109),
    MIXED_UP: (255, 255, 255),
}


def error_codes(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """0 right and of the first class, 1 right and of another, 2 false alarm, 3 missed, 4 one other class for another; 255 not judged.

    With two classes these are true negatives, true positives, false positives and false negatives.
    truth, predicted: class indices of one shape, 255 left out.
    """
    codes = np.where(truth == predicted, np.uint8(RIGHT_OTHER), np.uint8(MIXED_UP))
    codes[predicted == 0] = MISSED
    codes[truth == 0] = FALSE_ALARM
    codes[(truth == 0) & (predicted == 0)] = RIGHT_FIRST
    codes[(truth == IGNORE) | (predicted == IGNORE)] = IGNORE
    return codes


def error_legend(legend: Legend) -> Legend:
    """The legend of an error raster of maps with this legend."""
    first = legend.names[0]
    other = legend.names[1] if len(legend.names) == 2 else "another class"
    names = {
        RIGHT_FIRST: f"right: {first}",
        RIGHT_OTHER: f"right: {other}",
        FALSE_ALARM: f"false alarm: {other} where {first} is",
        MISSED: f"missed: {first} where {other} is",
    }
    if len(legend.names) > 2:
        names[MIXED_UP] = "mixed up: one of the other classes for another"
    return Legend(classes=tuple(LegendClass(value=code, name=name, color=COLORS[code]) for code, name in names.items()))
