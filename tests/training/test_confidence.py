"""The probabilities of the validation part, beside its truth."""

from collections.abc import Callable

import numpy as np
import torch

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.samples.chip import to_chip
from terrazzo.training.confidence import validation_confidence
from terrazzo.training.fit import Trainer


def test_every_validation_pixel_counts_once_a_window(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer()
    steps: list[float] = []
    found = validation_confidence(trainer, steps.append)
    preparation, expected = trainer.task.preparation, ConfidenceCounts.none(2)
    for sample in trainer.task.validation:
        chip = to_chip(preparation.store.image(sample.scene, sample.window), preparation.scaling, (16, 16))
        with torch.inference_mode():
            shares = trainer.network.eval()(torch.from_numpy(chip)[None])[0].softmax(0).numpy()
        levels = np.rint(shares * np.float32(LEVELS - 1)).astype(np.uint16)
        truth = preparation.store.labels(sample.scene, sample.window)
        expected.add(truth, levels.argmax(axis=0).astype(np.uint8), levels)
    assert sum(steps) == len(trainer.task.validation)
    assert found.pixels == expected.pixels == 256 * len(trainer.task.validation)
    assert np.array_equal(found.classes.sum(axis=2), expected.classes.sum(axis=2))
    # a batch of another size may differ in the last digit
    assert np.abs(found.classes.cumsum(axis=2) - expected.classes.cumsum(axis=2)).max() <= 2
