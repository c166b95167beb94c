"""What a model says, laid over the image: classes in the legend's colours, probabilities on a scale of colours.

All pictures are uint8 (height, width, 3).
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.rgb import Picture
from terrazzo.labels.colors import Color
from terrazzo.labels.legend import IGNORE

THRESHOLD = 0.5
OPACITY = 0.6


def overlay_classes(
    picture: Picture, indices: NDArray[np.uint8], colors: Sequence[Color], opacity: float = OPACITY, *, first: bool = False
) -> Picture:
    """Classes over an image, as if painted on glass; the first class, mostly the background, only where `first` asks for it.

    indices: (height, width) class indices, 255 shows the image. opacity: 0 is the image, 1 hides it.
    """
    table = np.zeros((IGNORE + 1, 3), np.uint8)
    table[: len(colors)] = colors
    shown = (indices != IGNORE) & ((indices > 0) | first)
    return _blended(picture, table[indices], shown, opacity)


def overlay_probabilities(
    picture: Picture, probability: NDArray[np.floating], threshold: float = THRESHOLD, opacity: float = OPACITY
) -> Picture:
    """A probability over an image: dark blue at the threshold to yellow at 1, nothing below it; `scale_bar` is its key.

    probability: (height, width), 0 to 1; NaN shows the image. threshold: the smallest that is shown, 0 <= threshold < 1.
    """
    known = np.nan_to_num(probability, nan=-1.0)
    shown = known >= max(threshold, 0.0)
    return _blended(picture, scale_colors(known, threshold), shown, opacity)


def scale_colors(probability: NDArray[np.floating], threshold: float = THRESHOLD) -> Picture:
    """The colour of each probability (height, width) on the scale from the threshold to 1; below, that of the threshold."""
    steps = np.clip((probability - threshold) / (1 - threshold) * 255, 0, 255).round().astype(np.uint8)
    colors: Picture = _scale()[steps]
    return colors


def scale_bar(height: int, width: int) -> Picture:
    """The scale as a picture: the threshold at the left, 1 at the right."""
    across = np.linspace(0, 1, width)
    return np.repeat(scale_colors(across[None], 0.0), height, axis=0)


def _blended(picture: Picture, above: Picture, shown: NDArray[np.bool_], opacity: float) -> Picture:
    mixed = cv2.addWeighted(picture, 1 - opacity, above, opacity, 0)
    return np.where(shown[:, :, None], mixed, picture).astype(np.uint8)


@cache
def _scale() -> Picture:
    """256 colours whose lightness rises all the way, for colour-blind eyes and grey prints too."""
    steps = np.arange(256, dtype=np.uint8)[None]
    return cv2.applyColorMap(steps, cv2.COLORMAP_PLASMA)[0, :, ::-1].copy().astype(np.uint8)
