"""Test-time augmentation: the same windows looked at in several ways, mirrored, turned, and at other sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from terrazzo.prediction.options import PredictionOptions

Forward = Callable[[Tensor], Tensor]
"""(batch, bands, height, width) to probabilities (batch, classes, height, width), float32."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to look at a window: brought to another size, mirrored left to right, then turned."""

    mirrored: bool = False
    turns: int = 0
    """Quarter turns to the left, 0 to 3."""
    scale: float = 1.0

    def of(self, images: Tensor) -> Tensor:
        """Images (batch, bands, height, width) in this view; an odd number of turns swaps height and width."""
        height, width = images.shape[2:]
        images = _resized(images, max(1, round(height * self.scale)), max(1, round(width * self.scale)))
        return torch.rot90(images.flip(3) if self.mirrored else images, self.turns, (2, 3))

    def back(self, shares: Tensor, height: int, width: int) -> Tensor:
        """What was found in this view, as it lies in the window, whose size is given in pixels."""
        upright = torch.rot90(shares, -self.turns, (2, 3))
        return _resized(upright.flip(3) if self.mirrored else upright, height, width)


ONLY_AS_IT_IS = (View(),)
_TURNS = {"none": ((False, 0),), "flips": tuple((mirrored, turns) for turns in (0, 2) for mirrored in (False, True))}
_TURNS["d4"] = tuple((mirrored, turns) for turns in range(4) for mirrored in (False, True))


def views_of(options: PredictionOptions) -> tuple[View, ...]:
    """The views that the options ask for, the sizes one after another."""
    return tuple(
        View(mirrored=mirrored, turns=turns, scale=scale) for scale in options.tta_scales for mirrored, turns in _TURNS[options.tta]
    )


def mean_over(views: Sequence[View], forward: Forward, images: Tensor) -> Tensor:
    """The mean of the probabilities of all views, added in their order in float32.

    Each view is one pass, whose shape is that of the images, turned or at another size: few shapes, the same for all batches.
    """
    height, width = images.shape[2:]
    total: Tensor | None = None
    for view in views:
        shares = view.back(forward(view.of(images)), height, width)
        total = shares if total is None else total + shares
    if total is None:
        raise ValueError("no view to look at")
    return total if len(views) == 1 else total / len(views)


def _resized(images: Tensor, height: int, width: int) -> Tensor:
    """Linear between the centres of pixels; where they get fewer, each is the mean of those that it covers."""
    if images.shape[2:] == (height, width):
        return images
    return interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=True)
