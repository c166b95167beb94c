"""Losses of overlap: ratios of sums over many pixels, so that rare classes count as much as common ones."""

import torch
from torch import Tensor

from terrazzo.training.losses.pixels import Over, Seen, mean_of_classes

EPSILON = 1e-6
"""Keeps powers of 0 and ratios of nothing away from infinite slopes."""


def dice(pixels: Seen, weights: Tensor | None, *, over: Over = "batch", smooth: float = 1.0, squared: bool = False) -> Tensor:
    """1 - weighted mean over classes of Dice = (2 sum(y p) + smooth) / (sum(y) + sum(p) + smooth), with p squared below if asked.

    over: sums over the batch, or over each image and the mean of these. smooth: in pixels; an absent class predicted absent scores 1.
    Source: Milletari, Navab, Ahmadi, "V-Net", 2016, who square.
    """
    sums = pixels.sums(over, squared=squared)
    return 1 - mean_of_classes(_ratio(2 * sums.both, sums.truth + sums.predicted, smooth), weights)


def jaccard(pixels: Seen, weights: Tensor | None, *, over: Over = "batch", smooth: float = 1.0) -> Tensor:
    """1 - weighted mean over classes of (sum(y p) + smooth) / (sum(y) + sum(p) - sum(y p) + smooth)."""
    sums = pixels.sums(over)
    return 1 - mean_of_classes(_ratio(sums.both, sums.truth + sums.predicted - sums.both, smooth), weights)


def tversky(
    pixels: Seen,
    weights: Tensor | None,
    *,
    balance: tuple[float, float] = (0.3, 0.7),
    power: float = 1.0,
    over: Over = "batch",
    smooth: float = 1.0,
) -> Tensor:
    """Weighted mean over classes of (1 - T)^power, T = (t + smooth) / (t + alpha false + beta missed + smooth), t = sum(y p).

    balance: alpha weighs what is falsely found, beta what is missed; both 0.5 is Dice with twice the smoothing, both 1 is Jaccard.
    Source: Salehi, Erdogmus, Gholipour, "Tversky loss function", 2017; with a power Abraham, Khan, "A novel focal Tversky loss", 2019.
    """
    sums = pixels.sums(over)
    alpha, beta = balance
    false, missed = sums.predicted - sums.both, sums.truth - sums.both
    lacking = 1 - _ratio(sums.both, sums.both + alpha * false + beta * missed, smooth)
    if power != 1:
        # rounding may bring it below 0
        lacking = (lacking.clamp(min=0) + EPSILON) ** power - EPSILON**power
    return mean_of_classes(lacking, weights)


def foreground_dice(pixels: Seen) -> Tensor:
    """1 - Dice of the second of two classes, smooth 1."""
    sums = pixels.sums()
    return 1 - _ratio(2 * sums.both, sums.truth + sums.predicted, 1.0)[0, 1]


def lovasz(pixels: Seen, weights: Tensor | None) -> Tensor:
    """Weighted mean over the classes that are present of the Lovasz extension of 1 - Jaccard, over all pixels of the batch.

    Source: Berman, Triki, Blaschko, "The Lovasz-Softmax loss", 2018.
    """
    found = [(number, _lovasz_of(probabilities, truth)) for number, probabilities, truth in pixels.of_classes()]
    if not found:
        return pixels.log_truth.sum() * 0
    present = [number for number, _ in found]
    return mean_of_classes(torch.stack([loss for _, loss in found])[None], None if weights is None else weights[present])


def _lovasz_of(probability: Tensor, truth: Tensor) -> Tensor:
    """Of one class. probability, truth: (pixels,)."""
    errors, order = (truth.float() - probability).abs().sort(descending=True)
    found = truth[order].cumsum(0, dtype=torch.float32)
    places = torch.arange(1, len(order) + 1, device=order.device)
    lost = 1 - (found[-1] - found) / (found[-1] + places - found)
    return errors @ lost.diff(prepend=lost.new_zeros(1))


def _ratio(above: Tensor, below: Tensor, smooth: float) -> Tensor:
    """(above + smooth) / (below + smooth); 1 where there is nothing to divide."""
    return torch.where(below + smooth > EPSILON, (above + smooth) / (below + smooth).clamp(min=EPSILON), 1.0)
