"""The device's half makes the chips of the CPU: exactly where pixels only change places, else up to interpolation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.augment.device import augment_batch
from terrazzo.samples.augment.draw import Augmentation, draw_augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.chip import to_chip, to_labels
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.scaling import Scaling, measure

EVERYTHING = AugmentOptions(
    probability=1,
    rotate_deg=180,
    zoom=0.3,
    shift=0.2,
    shear_deg=10,
    crop_pad=0.1,
    brightness=0.5,
    band_shift=0.3,
    contrast=0.4,
    gamma=0.3,
    blur_px=1.5,
)


def batch_of(size: tuple[int, int], bands: int, dtype: Any, count: int = 6) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Smooth images, and labels in blotches with an ignored corner."""
    rng = np.random.default_rng(bands)
    y, x = np.indices(size)
    phases = rng.uniform(0, 6, (count, bands, 1, 1))
    images = (100 + 60 * np.sin(x / 9 + phases) + 30 * np.cos(y / 7 + phases)).astype(dtype)
    labels = ((x // 20 + y // 16) % 3).astype(np.uint8)
    labels[:8, :8] = IGNORE
    return images, np.repeat(labels[np.newaxis], count, axis=0)


def scaling_of(images: NDArray[Any], method: Any = "standard") -> Scaling:
    block = Pixels(values=images[0], valid=np.ones(images.shape[2:], np.bool_), holes=None)
    return measure([(block, block.valid)], method, block.valid.size)


def both(
    images: NDArray[Any],
    labels: NDArray[np.uint8],
    holes: NDArray[np.bool_] | None,
    augmentations: Sequence[Augmentation],
    scaling: Scaling,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    size = (images.shape[2], images.shape[3])
    blocks = [
        Pixels(values=image, valid=np.ones(size, np.bool_), holes=holes[number] if holes is not None else None)
        for number, image in enumerate(images)
    ]
    chips = np.stack([to_chip(block, scaling, size, each) for block, each in zip(blocks, augmentations, strict=True)])
    moved = np.stack([to_labels(label, size, each) for label, each in zip(labels, augmentations, strict=True)])
    missing = torch.from_numpy(holes) if holes is not None else None
    on_device, their_labels = augment_batch(torch.from_numpy(images), torch.from_numpy(labels), missing, augmentations, scaling)
    assert on_device.dtype == torch.float32
    assert their_labels.dtype == torch.uint8
    return chips, moved, on_device.numpy(), their_labels.numpy()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_mirrors_and_quarter_turns_are_exact(dtype: Any) -> None:
    images, labels = batch_of((32, 32), 3, dtype, count=16)
    moves = [Placement(quarter_turns=turns, mirror_x=x, mirror_y=y) for turns in range(4) for x in (False, True) for y in (False, True)]
    chips, moved, on_device, their_labels = both(images, labels, None, [Augmentation(placement=move) for move in moves], scaling_of(images))
    assert np.array_equal(moved, their_labels)
    assert np.allclose(chips, on_device, atol=1e-5)


@pytest.mark.parametrize("fill", ["reflect", "ignore"])
@pytest.mark.parametrize(("dtype", "bands", "size"), [(np.uint8, 3, (96, 96)), (np.uint16, 8, (65, 130)), (np.float32, 1, (96, 64))])
@pytest.mark.parametrize("method", ["standard", "asinh"])
def test_a_warped_batch_is_that_of_the_cpu(dtype: Any, bands: int, size: tuple[int, int], fill: Any, method: Any) -> None:
    images, labels = batch_of(size, bands, dtype)
    rng = np.random.default_rng(1)
    options = EVERYTHING.model_copy(update={"fill": fill})
    augmentations = [draw_augmentation(options, rng, size, bands) for _ in images]
    chips, moved, on_device, their_labels = both(images, labels, None, augmentations, scaling_of(images, method))
    assert np.mean(moved == their_labels) > 0.995
    assert set(np.unique(their_labels)) <= {0, 1, 2, IGNORE}
    assert np.abs(chips - on_device).mean() < 0.02
    assert np.abs(chips - on_device).max() < 0.3


def test_holes_are_those_of_the_cpu() -> None:
    images, labels = batch_of((64, 64), 2, np.float32)
    holes = np.zeros(images.shape, np.bool_)
    holes[:, 0, 20:30, 15:40], holes[2, 1, :5] = True, True
    images[holes] = np.nan
    augmentations = [
        draw_augmentation(EVERYTHING.model_copy(update={"blur_px": 0}), np.random.default_rng(number), (64, 64), 2) for number in range(6)
    ]
    chips, _, on_device, _ = both(images, labels, holes, augmentations, scaling_of(np.nan_to_num(images, nan=100)))
    assert np.isfinite(on_device).all()
    assert np.mean(np.abs(chips - on_device) < 0.02) > 0.995


def test_noise_is_as_strong_and_of_its_seed() -> None:
    images, labels = batch_of((64, 64), 2, np.uint8, count=2)
    scaling = scaling_of(images)
    noisy = Augmentation(shading=Shading(noise=0.5, noise_seed=4))
    _, _, plain, _ = both(images, labels, None, [Augmentation()] * 2, scaling)
    (first, again) = (both(images, labels, None, [noisy, noisy], scaling)[2] for _ in range(2))
    assert np.array_equal(first, again)
    assert (first - plain).std() == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_the_smallest_windows(size: tuple[int, int]) -> None:
    images, labels = batch_of(size, 3, np.uint8)
    augmentations = [draw_augmentation(EVERYTHING, np.random.default_rng(number), size, 3) for number in range(6)]
    _, _, on_device, their_labels = both(images, labels, None, augmentations, scaling_of(batch_of((9, 9), 3, np.uint8)[0]))
    assert np.isfinite(on_device).all()
    assert their_labels.shape == labels.shape


def test_what_was_given_is_not_written_to() -> None:
    images, labels = batch_of((16, 16), 2, np.float32)
    before = images.copy(), labels.copy()
    augmentations = [draw_augmentation(EVERYTHING, np.random.default_rng(number), (16, 16), 2) for number in range(6)]
    augment_batch(torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(images > 120), augmentations, scaling_of(images))
    assert np.array_equal(images, before[0])
    assert np.array_equal(labels, before[1])
