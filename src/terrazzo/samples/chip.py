"""A chip as the network sees it: full size even at a raster's edge, augmented where asked, scaled. Training and prediction share it.

Pixels are moved in the type in which they are stored and only then become float32, scaled and shaded in one step.
"""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.raster import Pixels
from terrazzo.rasters.window import Shape
from terrazzo.samples.augment.carry import Carried, carry
from terrazzo.samples.augment.draw import AS_IS, Augmentation
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.augment.tone import Tone
from terrazzo.samples.augment.warp import move_labels
from terrazzo.samples.scaling import Scaling

T = TypeVar("T", bound=np.generic)
Image = NDArray[np.float32]
"""(bands, height, width), scaled."""
Labels = NDArray[np.uint8]
"""(height, width), class indices, 255 ignored."""
NO_MEAN = np.zeros(1)


def to_chip(pixels: Pixels, scaling: Scaling, size: Shape, augmentation: Augmentation = AS_IS, into: Image | None = None) -> Image:
    """(bands, *size) float32: scaled pixels, mirrored at the lower and right edge where they are smaller than size, then augmented.

    Holes become the band's mean, and what is stored in them reaches no pixel beside them. `carry` says how each type is moved.

    into: where to write, such as a place in a batch; default: a new array.
    Raises DataError if the number of bands differs from the scaling's.
    """
    scaling.check(len(pixels.values))
    chip = np.empty((len(scaling.bands), *size), np.float32) if into is None else into
    holes = _mirrored(pixels.holes, size) if pixels.holes is not None else None
    offsets = [band.offset for band in scaling.bands]
    with np.errstate(invalid="ignore", over="ignore"):
        carried = carry(_mirrored(pixels.values, size), holes, offsets, augmentation.placement)
        for band, tone in enumerate(Tone.of_bands(scaling, augmentation.shading)):
            tone.put(carried.planes[band], carried.origins[band], chip[band])
    _soften(chip, carried, augmentation.shading, scaling)
    _fill(chip, carried, scaling)
    return chip


def as_stored(pixels: Pixels, size: Shape) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """(bands, *size) values as they are stored, and where they are missing: what `to_chip` moves, for a device that moves it."""
    return _mirrored(pixels.values, size), _mirrored(pixels.holes, size) if pixels.holes is not None else None


def to_labels(labels: Labels, size: Shape, augmentation: Augmentation = AS_IS, into: Labels | None = None) -> Labels:
    """(*size) class indices that belong to the chip of the same augmentation; 255 beyond what was given.

    labels: (height, width), at most size. into: where to write; default: a new array.
    """
    chip = np.empty(size, np.uint8) if into is None else into
    if labels.shape != size:
        padded = np.full(size, IGNORE, np.uint8)
        padded[: labels.shape[0], : labels.shape[1]] = labels
        labels = padded
    chip[:] = move_labels(labels, augmentation.placement, augmentation.fill)
    return chip


def _mirrored(bands: NDArray[T], size: Shape) -> NDArray[T]:
    """(bands, *size), mirrored below and to the right, as often as it takes."""
    height, width = bands.shape[1:]
    if (height, width) == size:
        return bands
    return np.pad(bands, ((0, 0), (0, size[0] - height), (0, size[1] - width)), mode="symmetric")


def _soften(chip: Image, carried: Carried, shading: Shading, scaling: Scaling) -> None:
    """Blur and noise."""
    if shading.blur_px:
        _fill(chip, carried, scaling)
        for number in range(len(chip)):
            cv2.GaussianBlur(chip[number], (0, 0), shading.blur_px, dst=chip[number])
    if shading.noise:
        # ten times as fast as numpy's; OpenCV keeps a generator a thread, so that other threads draw nothing from it
        cv2.setRNGSeed(shading.noise_seed)
        drawn = np.empty(chip.shape[1:], np.float32)
        for plane, band in zip(chip, scaling.bands, strict=True):
            cv2.randn(drawn, NO_MEAN, np.array(shading.noise * band.unit))
            np.add(plane, drawn, out=plane)


def _fill(chip: Image, carried: Carried, scaling: Scaling) -> None:
    """Put the mean of each band into its holes."""
    for plane, band, hole in zip(chip, scaling.bands, carried.holes or (), strict=False):
        plane[hole] = band.fill
