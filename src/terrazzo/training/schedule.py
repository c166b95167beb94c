"""The learning rate of every step."""

import math
from dataclasses import dataclass

from terrazzo.training.options import TrainingOptions

ONE_CYCLE_START = 1 / 25
"""Where one_cycle begins, as a share of the largest rate. Source: Smith, Topin, "Super-convergence", 2018, in the form of fast.ai."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When a step is taken."""

    step: int
    """From 0."""
    steps: int
    """Of the whole training, if nothing stops it early."""
    epoch: int
    """From 0."""
    drops: int
    """Plateaus so far."""


def rate(at: Moment, options: TrainingOptions) -> float:
    """Learning rate of a step: that of the schedule, after a linear warm-up; rampup and one_cycle warm up by themselves."""
    if options.schedule == "rampup":
        return _rampup(at.epoch, options)
    warmup = round(options.warmup * at.steps)
    if at.step < warmup:
        if options.schedule == "one_cycle":
            return options.largest_rate * _between(ONE_CYCLE_START, 1.0, at.step / warmup)
        return options.largest_rate * (at.step + 1) / (warmup + 1)
    return _after_warmup(at, warmup, options)


def _after_warmup(at: Moment, warmup: int, options: TrainingOptions) -> float:
    largest = options.largest_rate
    if options.schedule == "step":
        return largest * options.step_factor ** (at.epoch // options.step_epochs)
    if options.schedule == "plateau":
        return max(largest * options.plateau_factor**at.drops, min(options.min_lr, largest))
    if options.schedule == "constant":
        return largest
    return largest * _between(1.0, options.final_rate, (at.step - warmup) / max(at.steps - warmup - 1, 1))


def _rampup(epoch: int, options: TrainingOptions) -> float:
    """By epoch: a straight line from start_lr to max_lr, max_lr for a while, then an exponential decay towards min_lr."""
    top, low = options.max_lr, options.min_lr
    if epoch < options.rampup_epochs:
        return options.start_lr + (top - options.start_lr) / options.rampup_epochs * epoch
    after = epoch - options.rampup_epochs - options.sustain_epochs
    return top if after < 0 else (top - low) * options.exp_decay**after + low


def _between(start: float, end: float, progress: float) -> float:
    """On half a cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
