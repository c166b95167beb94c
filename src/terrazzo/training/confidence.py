"""How sure a trained network is of the validation part: what thresholds are chosen by."""

import torch

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.progress import Advance
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.training.feed import feed
from terrazzo.training.fit import Trainer


@torch.inference_mode()
def validation_confidence(trainer: Trainer, advance: Advance) -> ConfidenceCounts:
    """The probabilities that the network gives the validation windows, each by itself, beside the truth.

    advance: is told each window.
    """
    task, runtime, network = trainer.task, trainer.runtime, trainer.network.eval()
    counts = ConfidenceCounts.none(task.classes)
    shown = [Drawn(sample=sample) for sample in task.validation]
    for fed in feed(trainer.loader.batches(shown, None), runtime, task.preparation.scaling):
        shares = runtime.logits(network, fed.images).softmax(1)
        # through int32: torch has no uint16 arithmetic on every device
        levels = (shares * (LEVELS - 1)).round_().to(torch.int32).cpu().numpy().astype("uint16").swapaxes(0, 1)
        counts.add(fed.batch.labels, levels.argmax(axis=0).astype("uint8"), levels)
        advance(len(fed.target))
    return counts
