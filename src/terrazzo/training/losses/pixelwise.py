"""Losses of single pixels: means over the valid ones."""

from functools import cache

import torch
from torch import Tensor

from terrazzo.training.losses.pixels import Seen
from terrazzo.training.losses.regions import EPSILON, foreground_dice

REACH = 3
"""Beyond so many sigmas a border weighs nothing."""


def cross_entropy(pixels: Seen, weights: Tensor | None) -> Tensor:
    """Weighted mean of -log p of the true class."""
    return pixels.mean(-pixels.log_truth, weights)


def focal(pixels: Seen, weights: Tensor | None, *, gamma: float = 2.0) -> Tensor:
    """Weighted mean of -(1 - p)^gamma log p of the true class: what is learned well counts less.

    Source: Lin and others, "Focal loss for dense object detection", 2017.
    """
    if gamma == 0:
        return cross_entropy(pixels, weights)
    doubt = -torch.expm1(pixels.log_truth)
    # below a power of 1 the slope at 0 is infinite
    doubt = doubt.clamp(min=EPSILON) if gamma < 1 else doubt
    return pixels.mean(-pixels.log_truth * doubt**gamma, weights)


def binary(pixels: Seen, weights: Tensor | None) -> Tensor:
    """Of two classes: weighted binary cross-entropy + 1 - Dice of the second, Dice = (2 sum(y p) + 1) / (sum(y) + sum(p) + 1)."""
    return cross_entropy(pixels, weights) + foreground_dice(pixels)


def border(pixels: Seen, weights: Tensor | None, *, strength: float = 10.0, sigma_px: float = 5.0) -> Tensor:
    """Weighted mean of -log p of the true class, pixels at a distance d from a border 1 + strength exp(-d^2 / (2 sigma_px^2)) times.

    Source: Ronneberger, Fischer, Brox, "U-Net", 2015, with the distance to the nearest border in place of those to two objects.
    """
    near = nearness(pixels.target, pixels.valid, sigma_px)
    return pixels.mean(-pixels.log_truth, weights, 1 + strength * near)


@torch.no_grad()
def nearness(target: Tensor, valid: Tensor, sigma_px: float) -> Tensor:
    """exp(-d^2 / (2 sigma_px^2)) of each pixel, d pixels from the nearest one that has a neighbour of another class; 0 from 3 sigma on.

    target, valid: (batch, height, width). Ignored pixels make no border.
    """
    found = _borders(target, valid).float()
    # the exponential of a sum of squares is a product: the largest one over a window is found along rows, then columns
    for axis in (-1, -2):
        found = _largest_along(found, axis, sigma_px)
    return found


def _borders(target: Tensor, valid: Tensor) -> Tensor:
    found = torch.zeros_like(valid)
    for axis in (-1, -2):
        length = target.shape[axis] - 1
        one, other = (target.narrow(axis, start, length) for start in (0, 1))
        differ = (one != other) & valid.narrow(axis, 0, length) & valid.narrow(axis, 1, length)
        found.narrow(axis, 0, length).logical_or_(differ)
        found.narrow(axis, 1, length).logical_or_(differ)
    return found


def _largest_along(values: Tensor, axis: int, sigma_px: float) -> Tensor:
    length, found = values.shape[axis], values.clone()
    for distance, factor in enumerate(_fall(sigma_px)[: length - 1], start=1):
        less = values * factor
        for to, start in ((0, distance), (distance, 0)):
            part = found.narrow(axis, to, length - distance)
            torch.maximum(part, less.narrow(axis, start, length - distance), out=part)
    return found


@cache
def _fall(sigma_px: float) -> list[float]:
    """Factors at 1, 2, ... pixels."""
    distances = torch.arange(1, int(REACH * sigma_px) + 1)
    return torch.exp(-(distances**2) / (2 * sigma_px**2)).tolist()
