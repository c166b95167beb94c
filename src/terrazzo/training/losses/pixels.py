"""What losses are made of: the log-probability of the true class at each valid pixel, and sums of classes, each computed once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from terrazzo.labels.legend import IGNORE

Over = Literal["batch", "image"]


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over valid pixels, (groups, classes) float32: a group is the batch or an image."""

    both: Tensor
    """Probability of the class where it is the truth."""
    predicted: Tensor
    """Probability of the class."""
    truth: Tensor
    """Pixels of the class."""


class Seen(Protocol):
    """A batch as losses see it: of classes that exclude each other (`Pixels`), or that overlap (`OverlappingPixels`).

    Shapes are (batch, height, width) of the ones, (batch, classes, height, width) of the others.
    """

    @property
    def target(self) -> Tensor:
        """The true class, or whether the class is true; where a pixel is ignored it means nothing."""
        ...

    @property
    def valid(self) -> Tensor:
        """Bool."""
        ...

    @property
    def log_truth(self) -> Tensor:
        """Log-probability of the truth; 0 where a pixel is ignored."""
        ...

    def sums(self, over: Over = "batch", *, squared: bool = False) -> Sums:
        """Sums over the batch, or over each image of it. squared: those of the prediction are of squared probabilities."""
        ...

    def of_classes(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, probabilities and truth, both (pixels,), of each class that is present."""
        ...

    def mean(self, values: Tensor, class_weights: Tensor | None, pixel_weights: Tensor | None = None) -> Tensor:
        """Mean over valid pixels, weighted by true class and by pixel; 0 where no pixel is valid."""
        ...


class Pixels:
    """A batch seen by losses: softmax over classes is computed once, whatever the number of losses."""

    def __init__(self, logits: Tensor, target: Tensor) -> None:
        """logits: (batch, classes, height, width); target: (batch, height, width) int64, 255 ignored."""
        self.target = target
        """(batch, height, width) int64; 0 where a pixel is ignored."""
        self.log_probabilities = logits.float().log_softmax(1)
        """(batch, classes, height, width)."""
        self.valid = target != IGNORE
        """(batch, height, width) bool."""
        self.complete = target.device.type == "cpu" and int(target.max()) != IGNORE
        """Whether it is known that no pixel is ignored; elsewhere than on the CPU one would wait for the answer."""
        if not self.complete:
            self.target = target.where(self.valid, 0)

    @property
    def classes(self) -> int:
        return self.log_probabilities.shape[1]

    @cached_property
    def log_truth(self) -> Tensor:
        """(batch, height, width) log-probability of the true class; 0, as if it were certain, where a pixel is ignored."""
        chosen = self.log_probabilities.gather(1, self.target.unsqueeze(1)).squeeze(1)
        return chosen if self.complete else chosen * self.valid

    @cached_property
    def probabilities(self) -> Tensor:
        """(batch, classes, height, width); 0 where a pixel is ignored."""
        found = self.log_probabilities.exp()
        return found if self.complete else found * self.valid.unsqueeze(1)

    @cached_property
    def truth(self) -> Tensor:
        """(batch, classes, height, width) bool; nowhere true where a pixel is ignored."""
        numbers = torch.arange(self.classes, device=self.target.device).view(1, -1, 1, 1)
        truth = self.target.unsqueeze(1) == numbers
        return truth if self.complete else truth & self.valid.unsqueeze(1)

    @cached_property
    def valid_count(self) -> Tensor:
        return self.valid.sum()

    def sums(self, over: Over = "batch", *, squared: bool = False) -> Sums:
        """Sums over the batch, or over each image of it. squared: those of the prediction are of squared probabilities."""
        return self._known[over, squared]

    @cached_property
    def _known(self) -> "_Known":
        return _Known(self)

    def of_classes(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Number, probabilities and truth, both (pixels,), of each class that is present."""
        valid = self.valid.flatten()
        truth = self.target.flatten()[valid]
        probabilities = self.probabilities.permute(1, 0, 2, 3).flatten(1)[:, valid]
        present = torch.bincount(truth, minlength=self.classes) > 0
        for number in present.nonzero().flatten().tolist():
            yield number, probabilities[number], truth == number

    def mean(self, values: Tensor, class_weights: Tensor | None, pixel_weights: Tensor | None = None) -> Tensor:
        """Mean over valid pixels, weighted by true class and by pixel; 0 where no pixel is valid.

        values, pixel_weights: (batch, height, width). class_weights: one a class.
        """
        weights = None if class_weights is None else class_weights[self.target]
        if pixel_weights is not None:
            weights = pixel_weights if weights is None else weights * pixel_weights
        if weights is None:
            kept = values if self.complete else values * self.valid
            return kept.sum() / self.valid_count.clamp(min=1)
        weights = weights if self.complete else weights * self.valid
        return (values * weights).sum() / weights.sum().clamp(min=1e-6)


class _Known(dict[tuple[Over, bool], Sums]):
    """Sums that were asked for."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self._pixels = pixels

    def __missing__(self, key: tuple[Over, bool]) -> Sums:
        self[key] = found = _sums(self._pixels, *key)
        return found


def _sums(pixels: Pixels, over: Over, squared: bool) -> Sums:  # noqa: FBT001 - it is a part of the key
    probabilities = pixels.probabilities.square() if squared else pixels.probabilities
    both, truth = (_binned if pixels.target.device.type == "cpu" else _masked)(pixels)
    of_images = (both, probabilities.sum((2, 3)), truth)
    both, predicted, truth = of_images if over == "image" else [each.sum(0, keepdim=True) for each in of_images]
    return Sums(both=both, predicted=predicted, truth=truth)


def _binned(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """`Sums.both` and `Sums.truth` of each image: a class has its bin, which a single thread fills quickest."""
    images, classes = len(pixels.target), pixels.classes
    bins = (pixels.target + classes * torch.arange(images).view(-1, 1, 1)).flatten()
    # a long sum of small numbers, one after another, needs more digits than they have
    both = torch.zeros(images * classes, dtype=torch.float64).index_add(
        0, bins, pixels.log_truth.exp().mul(pixels.valid).flatten().double()
    )
    truth = torch.bincount(bins, pixels.valid.flatten().double(), minlength=images * classes)
    return both.view(images, classes).float(), truth.view(images, classes).float()


def _masked(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """The same by comparison: many threads that fill few bins would wait for each other."""
    truth = pixels.truth
    return pixels.probabilities.where(truth, 0).sum((2, 3)), truth.sum((2, 3)).float()


def mean_of_classes(values: Tensor, class_weights: Tensor | None) -> Tensor:
    """Mean of (groups, classes), weighted by class."""
    if class_weights is None:
        return values.mean()
    return (values * class_weights).sum() / (class_weights.sum().clamp(min=1e-6) * len(values))
