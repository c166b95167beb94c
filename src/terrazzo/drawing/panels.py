"""Pictures side by side: a sample as image, truth, prediction and errors."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from terrazzo.drawing.rgb import Picture, colorize, error_kinds, error_rgb, to_rgb
from terrazzo.labels.colors import Color

PANEL_TITLES = ("Image", "Truth", "Prediction", "Errors")
LARGEST_PX = 640
"""Longer sides are reduced by a whole factor."""
SMALLEST_PX = 192
"""Shorter pictures are enlarged by a whole factor, pixels staying squares."""
GAP_PX = 8


@dataclass(frozen=True, kw_only=True)
class SampleView:
    """What is shown of one sample; all arrays are of one (height, width)."""

    values: NDArray[Any]
    """(bands, height, width), as in the file."""
    valid: NDArray[np.bool_]
    """(height, width)."""
    truth: NDArray[np.uint8]
    """Class indices, 255 where left out."""
    predicted: NDArray[np.uint8]
    """Class indices, 255 where not predicted."""


def sample_panel(view: SampleView, colors: Sequence[Color]) -> bytes:
    """Image, truth, prediction and errors side by side as PNG, with transparent gaps.

    A large sample is reduced: the image by means, classes by every n-th pixel, errors so that none disappears.
    Raises UsageError if a class has no colour.
    """
    step = max(1, math.ceil(max(view.truth.shape) / LARGEST_PX))
    picture = _reduced(to_rgb(view.values, view.valid), step)
    kinds = _pooled(error_kinds(view.truth, view.predicted), step)
    classes = [colorize(indices[::step, ::step], colors) for indices in (view.truth, view.predicted)]
    return png_bytes(_beside([picture, *classes, error_rgb(kinds, picture)]))


def png_bytes(picture: NDArray[np.uint8]) -> bytes:
    """A picture (height, width, 3 or 4) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _beside(pictures: Sequence[Picture]) -> NDArray[np.uint8]:
    """Pictures of one size in a row, enlarged where small, (height, width, 4)."""
    height, width = pictures[0].shape[:2]
    zoom = max(1, SMALLEST_PX // max(height, width))
    row = np.zeros((height * zoom, len(pictures) * (width * zoom + GAP_PX) - GAP_PX, 4), np.uint8)
    for number, picture in enumerate(pictures):
        left = number * (width * zoom + GAP_PX)
        cell = row[:, left : left + width * zoom]
        cell[..., :3], cell[..., 3] = picture.repeat(zoom, axis=0).repeat(zoom, axis=1), 255
    return row


def _reduced(picture: Picture, step: int) -> Picture:
    """Means of step x step pixels; as many rows and columns as [::step, ::step] has."""
    if step == 1:
        return picture
    height, width = (math.ceil(side / step) for side in picture.shape[:2])
    below, right = height * step - picture.shape[0], width * step - picture.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    reduced: Picture = padded.reshape(height, step, width, step, 3).mean(axis=(1, 3)).astype(np.uint8)
    return reduced


def _pooled(kinds: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """The largest kind of error of step x step pixels; 255 only where nothing else is."""
    if step == 1:
        return kinds
    # 255 becomes the smallest while pooling; the wrap-around of uint8 does both ways
    shifted = kinds + np.uint8(1)
    rows, columns = (np.arange(0, side, step) for side in kinds.shape)
    pooled = np.maximum.reduceat(np.maximum.reduceat(shifted, rows, axis=0), columns, axis=1)
    result: NDArray[np.uint8] = pooled - np.uint8(1)
    return result
