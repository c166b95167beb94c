"""By which ranges a trained network may be rounded to eight bits, and whether its maps stand that."""

import copy
import logging
from collections.abc import Sequence

import torch

from terrazzo.evaluation.confusion import Confusion
from terrazzo.models.int8 import Range, measured_ranges, rounded
from terrazzo.models.network import LEAST_AGREEMENT, Runtime
from terrazzo.progress import Advance
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.rows import Sample
from terrazzo.training.feed import feed
from terrazzo.training.fit import Trainer, likely_classes
from terrazzo.training.metrics import validation_row

logger = logging.getLogger(__name__)
MOST_WINDOWS = 16
"""From which ranges are measured, and as many on which the maps are compared."""
LARGEST_LOSS = 0.002
"""Of mean IoU."""


@torch.inference_mode()
def int8_ranges(trainer: Trainer, learned: Sequence[Sample], advance: Advance) -> dict[str, Range]:
    """Ranges of the convolutions that may be rounded, by their names; none if the maps of the validation part would suffer.

    They do if the class of fewer than 99.5 % of the pixels is that of float32, or if mean IoU is lower by more than 0.002.
    learned: the training part, from which the ranges are measured; where there is no validation part, it is judged too.
    advance: is told each window.
    """
    task = trainer.task
    # fake quantisation is not there on every device
    device = trainer.runtime.device if trainer.runtime.device.type == "cuda" else torch.device("cpu")
    runtime = Runtime(device=device, precision="float32")
    network = runtime.place(copy.deepcopy(trainer.network)).eval()

    def shown(samples: Sequence[Sample]) -> list[Drawn]:
        count = min(MOST_WINDOWS, len(samples))
        return [Drawn(sample=samples[number * len(samples) // count]) for number in range(count)]

    with measured_ranges(network) as ranges:
        for fed in feed(trainer.loader.batches(shown(learned), None), runtime, task.preparation.scaling):
            runtime.logits(network, fed.images)
            advance(len(fed.target))
    if not ranges:
        return {}
    coarse = rounded(network, ranges)
    confusions = [Confusion(2**task.classes if task.overlapping else task.classes) for _ in range(2)]
    same = pixels = 0
    for fed in feed(trainer.loader.batches(shown(task.validation or learned), None), runtime, task.preparation.scaling):
        exact, found = (likely_classes(runtime.logits(each, fed.images), overlapping=task.overlapping) for each in (network, coarse))
        same, pixels = same + int((exact == found).sum()), pixels + exact.numel()
        for confusion, predicted in zip(confusions, (exact, found), strict=True):
            confusion.add(fed.batch.labels, predicted.cpu().numpy())
        advance(len(fed.target))
    before, after = (validation_row(0.0, confusion, overlapping=task.overlapping)["mean_iou"] for confusion in confusions)
    lost = (before or 0.0) - (after or 0.0)
    logger.debug("In int8 %.2f%% of the pixels keep their class, mean IoU falls by %.4f.", 100 * same / pixels, lost)
    return ranges if same >= LEAST_AGREEMENT * pixels and lost <= LARGEST_LOSS else {}
