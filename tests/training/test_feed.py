"""Batches become tensors in the layout and type that the network takes."""

import numpy as np
import pytest
import torch

from terrazzo.models.network import Runtime
from terrazzo.rasters.window import Window
from terrazzo.samples.augment.draw import AS_IS, Augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.loader.batch import Batch
from terrazzo.samples.loader.stored import StoredBatch
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling
from terrazzo.training.feed import feed, room_for

CPU = Runtime(device=torch.device("cpu"), precision="float32")
STATISTICS = BandStatistics(mean=3, sd=1, median=3, spread=1, low=0, high=9)
SCALING = Scaling(bands=(BandScaling.of("standard", STATISTICS),) * 3)


def batch(number: int, size: int = 2) -> Batch:
    rng = np.random.default_rng(number)
    window = Window(col_off=0, row_off=0, width=6, height=5)
    images = room_for(CPU)((size, 3, 5, 6), np.dtype(np.float32))
    labels = room_for(CPU)((size, 5, 6), np.dtype(np.uint8))
    images[...], labels[...] = rng.random(images.shape), rng.integers(0, 256, labels.shape)
    return Batch(windows=(Sample(id=number, scene="a", window=window),) * size, images=images, labels=labels)


def test_what_is_fed_is_the_batch() -> None:
    batches = [batch(number) for number in range(3)]
    for made, fed in zip(batches, feed(iter(batches), CPU, SCALING), strict=True):
        assert fed.batch is made
        assert np.array_equal(fed.images.numpy(), made.images)
        assert fed.images.is_contiguous(memory_format=torch.channels_last)
        assert fed.target.dtype == torch.int64
        assert np.array_equal(fed.target.numpy(), made.labels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_to_cuda_it_goes_ahead_and_arrives_whole() -> None:
    cuda = Runtime(device=torch.device("cuda"), precision="float32")
    assert torch.from_numpy(room_for(cuda)((2, 3), np.dtype(np.float32))).is_pinned()
    batches = [batch(number) for number in range(5)]
    for made, fed in zip(batches, feed(iter(batches), cuda, SCALING), strict=True):
        assert fed.batch is made
        assert np.array_equal(fed.images.cpu().numpy(), made.images)
        assert np.array_equal(fed.target.cpu().numpy(), made.labels)


def test_what_is_stored_is_augmented_and_scaled_where_it_is_learned_from() -> None:
    made = batch(1)
    values = (100 * made.images).astype(np.uint8)
    holes = np.zeros(values.shape, np.bool_)
    holes[:, :, 0, 0] = True
    mirrored = Augmentation(placement=Placement(mirror_x=True))
    stored = StoredBatch(windows=made.windows, values=values, holes=holes, labels=made.labels, augmentations=(AS_IS, mirrored))
    (fed,) = feed(iter([stored]), CPU, SCALING)
    assert fed.batch is stored
    expected = np.where(holes, np.float32(0), values.astype(np.float32) - 3)
    expected[1], labels = expected[1, :, :, ::-1], made.labels.copy()
    labels[1] = labels[1, :, ::-1]
    assert np.allclose(fed.images.numpy(), expected, atol=1e-5)
    assert np.array_equal(fed.target.numpy(), labels)
