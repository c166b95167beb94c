"""A batch seen by losses where classes overlap: each is a question of its own, answered by a sigmoid."""

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from terrazzo.labels.legend import IGNORE
from terrazzo.training.losses.pixels import Over, Sums


def to_flags(target: Tensor, classes: int) -> Tensor:
    """(batch, classes, height, width) bool, whether each pixel is of each class. target: (batch, height, width) int64 bit sets."""
    bits = torch.arange(classes, device=target.device).view(1, -1, 1, 1)
    return (target.unsqueeze(1) >> bits) & 1 == 1


class OverlappingPixels:
    """What `losses.pixels.Pixels` is for classes that exclude each other; here every pixel counts once for each class.

    The true answer of a class is that a pixel is of it, or that it is not; `log_truth` is the log-probability of that answer.
    """

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        """logits: (batch, classes, height, width); target: (batch, height, width) int64 bit sets, 255 ignored."""
        self.logits = logits.float()
        self.classes = logits.shape[1]
        self.target = to_flags(target, self.classes)
        """(batch, classes, height, width) bool; where a pixel is ignored it means nothing."""
        self.valid = (target != IGNORE).unsqueeze(1).expand_as(self.target)
        """(batch, classes, height, width) bool, the same for all classes."""

    @cached_property
    def log_truth(self) -> Tensor:
        """(batch, classes, height, width); 0, as if the answer were certain, where a pixel is ignored."""
        return functional.logsigmoid(torch.where(self.target, self.logits, -self.logits)) * self.valid

    @cached_property
    def probabilities(self) -> Tensor:
        """(batch, classes, height, width); 0 where a pixel is ignored."""
        return self.logits.sigmoid() * self.valid

    def mean(self, values: Tensor, class_weights: Tensor | None, pixel_weights: Tensor | None = None) -> Tensor:
        """Mean over the valid pixels of all classes; 0 where no pixel is valid.

        values, pixel_weights: (batch, classes, height, width). class_weights: one a class, of its pixels; all others of its plane weigh 1.
        """
        weights = self.valid.float()
        if class_weights is not None:
            weights = weights * torch.where(self.target, class_weights.view(1, -1, 1, 1), 1.0)
        if pixel_weights is not None:
            weights = weights * pixel_weights
        return (values * weights).sum() / weights.sum().clamp(min=1e-6)

    def sums(self, over: Over = "batch", *, squared: bool = False) -> Sums:
        """Sums over the batch, or over each image of it. squared: those of the prediction are of squared probabilities."""
        shares = self.probabilities.square() if squared else self.probabilities
        truth = self.target & self.valid
        of_images = (self.probabilities * truth).sum((2, 3)), shares.sum((2, 3)), truth.sum((2, 3)).float()
        both, predicted, held = of_images if over == "image" else [each.sum(0, keepdim=True) for each in of_images]
        return Sums(both=both, predicted=predicted, truth=held)

    def of_classes(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, probabilities and truth, both (pixels,), of each class that is present."""
        valid = self.valid[:, 0]
        for number in range(self.classes):
            truth = self.target[:, number][valid]
            if bool(truth.any()):
                yield number, self.probabilities[:, number][valid], truth
