"""Arrays to pictures: images stretched to the eye, classes in the colours of their legend, errors.

All pictures are uint8 (height, width, 3). Pixels that have nothing to show are hatched in greys.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.labels.colors import Color
from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Shape

Picture = NDArray[np.uint8]

RIGHT, MISSED, FALSE_ALARM, MIXED_UP = range(4)
ERROR_COLORS: dict[int, Color] = {MISSED: (255, 77, 109), FALSE_ALARM: (39, 211, 245), MIXED_UP: (255, 255, 255)}
"""Red and cyan differ for every eye; white is for errors among the other classes."""
HATCH: tuple[Color, Color] = ((92, 96, 104), (120, 124, 132))
HATCH_PX = 4
SHOWN_PERCENT = (1.0, 99.0)
"""Percentiles of the valid pixels that become black and white."""
DECADES = 25.0
"""An image whose 99.8 % percentile lies this many robust deviations above the median is compressed before it is stretched."""
COMPRESSED_PERCENT = (1.0, 99.8)
FAINT = 0.32
"""Brightness of the image behind its errors."""


def to_rgb(values: NDArray[np.generic], valid: NDArray[np.bool_]) -> Picture:
    """Stretch an image to the eye: one or two bands grey (the first), three and more the first three as red, green, blue.

    Black and white are percentiles of the valid pixels, a band on its own, but 8-bit colours keep their balance. Values over
    decades, such as charges, are compressed (asinh) first.

    values: (bands, height, width), any number type. valid: (height, width); the others, and NaN and infinity, are hatched.
    """
    bands = values[:3] if len(values) >= 3 else values[:1]
    seen = valid & np.isfinite(bands).all(axis=0)
    if not seen.any():
        return hatch((int(valid.shape[0]), int(valid.shape[1])))
    together = values.dtype == np.uint8
    limits = _limits(bands[:, seen].astype(np.float64)) if together else None
    stretched = np.stack([_stretch(band, seen, limits) for band in bands], axis=-1)
    picture: Picture = np.broadcast_to(stretched, (*valid.shape, 3)).copy()
    return hatched(picture, ~seen)


def colorize(indices: NDArray[np.uint8], colors: Sequence[Color]) -> Picture:
    """Class indices (height, width) in the colours of the legend; 255 is hatched.

    Raises UsageError if an index has no colour.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    outside = np.unique(indices[(indices >= len(colors)) & (indices != IGNORE)])
    if outside.size:
        raise UsageError(f"class index {int(outside[0])} has no colour; the legend has {len(colors)} classes.")
    return hatched(table[indices], indices == IGNORE)


def error_kinds(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is wrong where: RIGHT, MISSED, FALSE_ALARM, MIXED_UP or 255 where truth or prediction are 255.

    Missed: another class than the first became the first. False alarm: the first became another. Mixed up: the rest.
    """
    kinds = np.full(truth.shape, MIXED_UP, np.uint8)
    kinds[predicted == 0] = MISSED
    kinds[truth == 0] = FALSE_ALARM
    kinds[truth == predicted] = RIGHT
    kinds[(truth == IGNORE) | (predicted == IGNORE)] = IGNORE
    return kinds


def error_rgb(kinds: NDArray[np.uint8], picture: Picture) -> Picture:
    """Errors in strong colours over the faint grey image. kinds: of `error_kinds`. picture: (height, width, 3)."""
    grey = picture.astype(np.float32).mean(axis=-1, keepdims=True) * FAINT + 12
    shown: Picture = np.repeat(grey.astype(np.uint8), 3, axis=-1)
    for kind, color in ERROR_COLORS.items():
        shown[kinds == kind] = color
    return hatched(shown, kinds == IGNORE)


def hatch(shape: Shape) -> Picture:
    """Diagonal stripes of two greys, (height, width, 3)."""
    diagonal = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) // HATCH_PX % 2
    stripes: Picture = np.array(HATCH, np.uint8)[diagonal]
    return stripes


def hatched(picture: Picture, where: NDArray[np.bool_]) -> Picture:
    """The picture with stripes where the mask (height, width) is True."""
    if not where.any():
        return picture
    return np.where(where[:, :, None], hatch((picture.shape[0], picture.shape[1])), picture)


def _stretch(band: NDArray[np.generic], seen: NDArray[np.bool_], limits: tuple[float, float] | None) -> Picture:
    """One band (height, width) to 0 ... 255; a constant band is mid grey."""
    values = np.where(seen, band, 0).astype(np.float64)
    shown = values[seen]
    center, spread = _center(shown)
    if limits is None and spread and np.percentile(shown, COMPRESSED_PERCENT[1]) - center > DECADES * spread:
        values = np.arcsinh((values - center) / spread)
        low, high = (float(value) for value in np.percentile(values[seen], COMPRESSED_PERCENT))
    else:
        low, high = limits or _limits(shown)
    if high <= low:
        return np.full(band.shape, 128, np.uint8)
    return (np.clip((values - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Percentiles to show; the full range where they coincide, as in an image that is nearly all background."""
    low, high = (float(value) for value in np.percentile(values, SHOWN_PERCENT))
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def _center(values: NDArray[np.float64]) -> tuple[float, float]:
    """Median and robust standard deviation."""
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median)))
