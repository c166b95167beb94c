"""The learning rate of every step."""

import math

from terrazzo.training.options import TrainingOptions


def rate(step: int, steps: int, options: TrainingOptions) -> float:
    """Learning rate of a step, 0 <= step < steps: linear warm-up, then cosine decay to final_rate, or constant."""
    warmup = round(options.warmup * steps)
    if step < warmup:
        return options.learning_rate * (step + 1) / (warmup + 1)
    if options.schedule == "constant":
        return options.learning_rate
    progress = (step - warmup) / max(steps - warmup - 1, 1)
    share = options.final_rate + (1 - options.final_rate) * (1 + math.cos(math.pi * progress)) / 2
    return options.learning_rate * share
