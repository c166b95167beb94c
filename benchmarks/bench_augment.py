"""Augmented samples of 512 x 512 x 3 bytes and their mask on one core, against albumentations.

Both mirror, turn by any angle, zoom, shift, and change brightness and contrast of every sample. Ours ends with what the network
takes: float32, scaled, bands first. albumentations is timed up to the same, and up to its own bytes, neither scaled nor bands first.

Run: python benchmarks/bench_augment.py [rounds]
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray
from timing import in_turn

from terrazzo.rasters.raster import Pixels
from terrazzo.samples.augment.draw import draw_augmentation
from terrazzo.samples.chip import to_chip, to_labels
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.scaling import measure

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

SIDE = 512
SAMPLES = 40
"""Samples of a round."""
OPTIONS = AugmentOptions(quarter_turns=False, rotate_deg=180, zoom=0.2, shift=0.1, brightness=0.2, contrast=0.2)

Bytes = NDArray[np.uint8]


def sample() -> tuple[Bytes, Bytes]:
    """A smooth image (3, height, width) and its mask."""
    rng = np.random.default_rng(0)
    image = np.stack([cv2.resize(rng.integers(0, 256, (32, 32), np.uint8), (SIDE, SIDE)) for _ in range(3)]).astype(np.uint8)
    return image, (image[0] > 128).astype(np.uint8)


def ours(image: Bytes, mask: Bytes) -> Callable[[], None]:
    pixels = Pixels(values=image, valid=np.ones(mask.shape, np.bool_), holes=None)
    scaling, size = measure([(pixels, pixels.valid)], "standard", mask.size), (SIDE, SIDE)
    images, masks = np.empty((1, 3, *size), np.float32), np.empty((1, *size), np.uint8)
    numbers = count()

    def round_of_samples() -> None:
        for _ in range(SAMPLES):
            augmentation = draw_augmentation(OPTIONS, np.random.default_rng((0, 0, next(numbers))), size, 3)
            to_chip(pixels, scaling, size, augmentation, into=images[0])
            to_labels(mask, size, augmentation, into=masks[0])

    return round_of_samples


def albumentations(image: Bytes, mask: Bytes, *, scaled: bool) -> Callable[[], None]:
    # imported here, after it is told not to ask the network for news
    peer = importlib.import_module("albumentations")
    steps = [
        peer.HorizontalFlip(p=0.5),
        peer.VerticalFlip(p=0.5),
        peer.Affine(rotate=(-180, 180), scale=(1 / 1.2, 1.2), translate_percent=(-0.1, 0.1), border_mode=cv2.BORDER_REFLECT_101, p=1),
        peer.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.2, p=1),
    ]
    pipeline = peer.Compose([*steps, peer.Normalize()] if scaled else steps)
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))

    def round_of_samples() -> None:
        for _ in range(SAMPLES):
            made = pipeline(image=pixels, mask=mask)
            if scaled:
                np.ascontiguousarray(made["image"].transpose(2, 0, 1))

    return round_of_samples


def main(repeats: int) -> None:
    if importlib.util.find_spec("albumentations") is None:
        print("albumentations is not installed here: nothing to compare with.")
        return
    cv2.setNumThreads(1)
    image, mask = sample()
    print(f"{SAMPLES} samples, {repeats} rounds: ours, albumentations, ratio (spread)")
    for name, scaled in (("to the network's input", True), ("to bytes", False)):
        found = in_turn(ours(image, mask), albumentations(image, mask, scaled=scaled), repeats)
        print(f"{name:24s} {found}   {SAMPLES / found.first_s:5.0f} samples/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
