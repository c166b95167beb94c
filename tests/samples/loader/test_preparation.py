"""From a sample to a chip: a function of (seed, epoch, position, sample)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.rows import Sample

Prepare = Callable[..., Preparation]
STILL = AugmentOptions(hflip=False, vflip=False, quarter_turns=False)


def taken_from(image: NDArray[np.float32], width: int = 56) -> tuple[int, int]:
    """Where the upper left pixel of an unturned chip was taken from, (column, row)."""
    row, column = divmod(int(image[0, 0, 0]), width)
    return column, row


@dataclass(frozen=True)
class Chip:
    sample: Sample
    image: NDArray[np.float32]
    labels: NDArray[np.uint8]


def shown(preparation: Preparation, sample: Sample, epoch: int | None, repeat: int = 0) -> Chip:
    image, labels = np.empty((2, *preparation.size), np.float32), np.empty(preparation.size, np.uint8)
    placed = preparation.chip(Drawn(sample=sample, repeat=repeat), epoch, image, labels)
    return Chip(placed, image, labels)


def test_plain_chips_are_the_scaled_pixels_and_their_labels(prepare: Prepare, samples: list[Sample]) -> None:
    preparation = prepare()
    sample = samples[-1]
    chip = shown(preparation, sample, None)
    image, labels = chip.image, chip.labels
    window = sample.window
    assert image.dtype == np.float32
    assert np.array_equal(image[0, 0], np.arange(16) + window.row_off * 56 + window.col_off)
    assert np.array_equal(labels[:-1], image[1, :-1])


def test_pixels_without_data_are_left_out(prepare: Prepare) -> None:
    preparation = prepare()
    labels = shown(preparation, Sample(id=0, scene="a", window=Window(col_off=40, row_off=24, width=16, height=16)), None).labels
    assert labels[-1, -1] == IGNORE
    assert np.count_nonzero(labels == IGNORE) == 1


def test_a_scene_smaller_than_the_window_is_padded_with_ignored_pixels(prepare: Prepare) -> None:
    preparation = prepare(shape=(5, 9))
    sample = Sample(id=0, scene="a", window=whole((5, 9)))
    chip = shown(preparation, sample, None)
    image, labels = chip.image, chip.labels
    assert image.shape == (2, 16, 16)
    assert np.isfinite(image).all()
    assert (labels[5:] == IGNORE).all()
    assert (labels[:, 9:] == IGNORE).all()
    assert np.count_nonzero(labels != IGNORE) == 5 * 9 - 2


@pytest.mark.parametrize(
    "options",
    [AugmentOptions(probability=1), AugmentOptions(probability=1, rotate_deg=30, zoom=0.3, shift=0.2, shear_deg=10), STILL],
    ids=["exact", "warped", "still"],
)
def test_image_and_labels_are_moved_and_jittered_together(prepare: Prepare, samples: list[Sample], options: AugmentOptions) -> None:
    """The second band is the label: wherever it is not blended of several classes, it is the label still."""
    preparation = prepare(augment=options, rule="jitter")
    for sample in samples:
        chip = shown(preparation, sample, 3)
        image, labels = chip.image, chip.labels
        clear = np.isin(image[1], [0, 3]) & (labels != IGNORE)
        assert clear.sum() > 100
        assert np.array_equal(labels[clear], image[1][clear])


def test_a_chip_is_a_function_of_seed_epoch_sample_and_repeat(prepare: Prepare, samples: list[Sample]) -> None:
    preparation = prepare(augment=AugmentOptions(probability=1, rotate_deg=20, noise=0.1), rule="jitter")
    first, second = samples[5:7]
    once, again = shown(preparation, first, 2), shown(preparation, first, 2)
    assert np.array_equal(once.image, again.image)
    assert np.array_equal(once.labels, again.labels)
    assert once.sample == again.sample
    for other in (
        shown(preparation, first, 3),
        shown(preparation, first, 2, repeat=1),
        shown(preparation, second, 2),
        shown(replace(preparation, seed=8), first, 2),
    ):
        assert not np.array_equal(once.image, other.image)


def test_a_chip_says_which_window_it_shows(prepare: Prepare, samples: list[Sample]) -> None:
    preparation = prepare(rule="jitter")
    placed = [shown(preparation, samples[4], epoch) for epoch in range(20)]
    assert {chip.sample.id for chip in placed} == {4}
    assert len({chip.sample.window for chip in placed}) > 10
    assert all(taken_from(chip.image) == (chip.sample.window.col_off, chip.sample.window.row_off) for chip in placed)
    assert shown(preparation, samples[4], None).sample == samples[4]


def test_without_jitter_windows_stay(prepare: Prepare, samples: list[Sample]) -> None:
    preparation = prepare()
    for sample in samples:
        assert taken_from(shown(preparation, sample, 1).image) == (sample.window.col_off, sample.window.row_off)


def test_golden_chip(prepare: Prepare) -> None:
    """The draws of (seed 7, epoch 1, sample 2): if they change, runs of old recipes can no longer be repeated."""
    preparation = prepare(augment=AugmentOptions(probability=1), rule="jitter")
    sample = Sample(id=2, scene="a", window=Window(col_off=20, row_off=12, width=16, height=16))
    image = shown(preparation, sample, 1).image
    assert [int(value) for value in image[0, [0, 0, -1, -1], [0, -1, 0, -1]]] == [1705, 865, 1720, 880]
