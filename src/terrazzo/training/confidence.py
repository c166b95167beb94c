"""How sure a trained network is of the validation part: what thresholds are chosen by."""

import torch

from terrazzo.evaluation.confidence import LEVELS, ConfidenceCounts
from terrazzo.labels.bits import to_bits
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
    counts = ConfidenceCounts.none(task.classes, overlapping=task.overlapping)
    shown = [Drawn(sample=sample) for sample in task.validation]
    for fed in feed(trainer.loader.batches(shown, None), runtime, task.preparation.scaling):
        logits = runtime.logits(network, fed.images)
        shares = logits.sigmoid() if task.overlapping else logits.softmax(1)
        # through int32: torch has no uint16 arithmetic on every device
        levels = (shares * (LEVELS - 1)).round_().to(torch.int32).cpu().numpy().astype("uint16").swapaxes(0, 1)
        predicted = to_bits(levels > LEVELS // 2 - 1) if task.overlapping else levels.argmax(axis=0).astype("uint8")
        counts.add(fed.batch.labels, predicted, levels)
        advance(len(fed.target))
    return counts
