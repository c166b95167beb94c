"""Losses over valid pixels: ignored pixels have no part in them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from terrazzo.labels.legend import IGNORE

Loss = Callable[[Tensor, Tensor], Tensor]
"""(batch, classes, height, width) float32 logits and (batch, height, width) int64 indices, 255 ignored, to a scalar."""

SMOOTH = 1.0
"""Added to both sides of the Dice ratio, in pixels: an empty class predicted empty scores 1."""


def build_loss(names: Sequence[str], class_weights: Sequence[float] | None, device: torch.device) -> Loss:
    """The sum of the named losses; class_weights: one a class, 0 or more, or None for equal weights."""
    weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32, device=device)
    parts: dict[str, Loss] = {
        "ce": lambda logits, target: cross_entropy(logits, target, weights),
        "dice": lambda logits, target: dice(logits, target, weights),
    }
    chosen = [parts[name] for name in names]
    return lambda logits, target: torch.stack([part(logits, target) for part in chosen]).sum()


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """Mean weighted cross-entropy over valid pixels; 0 where none is valid."""
    summed = functional.cross_entropy(logits, target, weights, ignore_index=IGNORE, reduction="sum")
    valid = target != IGNORE
    total = weights[target[valid]].sum() if weights is not None else valid.sum()
    return summed / total.clamp(min=1e-6)


def dice(logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """1 - weighted mean over classes of Dice = (2 sum(y p) + 1) / (sum(y) + sum(p) + 1), sums over the valid pixels of the batch.

    Source: Milletari, Navab, Ahmadi, "V-Net", 2016, with plain sums and a smoothing of one pixel.
    """
    classes = logits.shape[1]
    valid = (target != IGNORE).unsqueeze(1)
    probabilities = logits.softmax(1) * valid
    truth = functional.one_hot(target.where(valid.squeeze(1), 0), classes).permute(0, 3, 1, 2) * valid
    both = (probabilities * truth).sum((0, 2, 3))
    either = probabilities.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    scores = (2 * both + SMOOTH) / (either + SMOOTH)
    return 1 - (scores.mean() if weights is None else (scores * weights).sum() / weights.sum())


def balanced_weights(pixels: Sequence[int], power: float = 1.0) -> list[float]:
    """w_c = (1 / p_c)^power / sum((1 / p)^power) * K from the pixel counts of the training part.

    power: 1 balances the classes, 0.5 goes half the way. K counts the classes that are present; an absent class keeps its place
    and weighs 0.
    """
    total = sum(pixels)
    inverse = [(total / count) ** power if count else 0.0 for count in pixels]
    present = sum(1 for count in pixels if count)
    return [value / sum(inverse) * present for value in inverse]
