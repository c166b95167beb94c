"""The sum of losses that a recipe asks for."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from terrazzo.errors import RecipeError
from terrazzo.training.losses.overlapping import OverlappingPixels
from terrazzo.training.losses.pixels import Pixels, Seen
from terrazzo.training.losses.pixelwise import binary, border, cross_entropy, focal
from terrazzo.training.losses.regions import dice, jaccard, lovasz, tversky
from terrazzo.training.options import LossName, TrainingOptions

Loss = Callable[[Tensor, Tensor], Tensor]
"""(batch, classes, height, width) float32 logits and (batch, height, width) int64 indices or bit sets, 255 ignored, to a scalar."""

Part = Callable[[Seen, Tensor | None], Tensor]
"""One loss; the weights of the classes, or None for equal ones."""


def build_loss(options: TrainingOptions, class_weights: Sequence[float] | None, device: torch.device, *, overlapping: bool = False) -> Loss:
    """The weighted sum of the losses of [training]; the softmax is computed once for all.

    class_weights: one a class, 0 or more, or None for equal weights. overlapping: targets are bit sets, and each class has its sigmoid.
    """
    weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32, device=device)
    known = parts(options)
    chosen = [(known[name], factor) for name, factor in factors(options).items()]

    def total(logits: Tensor, target: Tensor) -> Tensor:
        pixels: Seen = OverlappingPixels(logits, target) if overlapping else Pixels(logits, target)
        return torch.stack([factor * part(pixels, weights) for part, factor in chosen]).sum()

    return total


def check_loss(options: TrainingOptions, names: Sequence[str], *, overlapping: bool = False) -> None:
    """Raise RecipeError if a loss does not suit the classes. names: the classes'. overlapping: a pixel may be of several."""
    if "binary" in options.loss and overlapping:
        raise RecipeError("training.loss names binary, which is for two classes that exclude each other; these overlap. Take ce and dice.")
    if "binary" in options.loss and len(names) != 2:
        raise RecipeError(
            f"training.loss names binary, which is for two classes; the legend has {len(names)} ({', '.join(names)}). Take ce and dice."
        )


def factors(options: TrainingOptions) -> dict[LossName, float]:
    """The losses that are added, each with its factor."""
    return dict(options.loss) if isinstance(options.loss, dict) else dict.fromkeys(options.loss, 1.0)


def parts(options: TrainingOptions) -> Mapping[LossName, Part]:
    """Every loss by its name, with what [training] sets for it."""
    over, smooth, squared = options.dice_over, options.smooth, options.dice_squared
    gamma, balance, power = options.focal_gamma, (options.tversky_alpha, options.tversky_beta), options.tversky_power
    strength, sigma_px = options.border_strength, options.border_sigma_px
    return {
        "ce": cross_entropy,
        "binary": binary,
        "focal": lambda pixels, weights: focal(pixels, weights, gamma=gamma),
        "border": lambda pixels, weights: border(pixels, weights, strength=strength, sigma_px=sigma_px),
        "dice": lambda pixels, weights: dice(pixels, weights, over=over, smooth=smooth, squared=squared),
        "jaccard": lambda pixels, weights: jaccard(pixels, weights, over=over, smooth=smooth),
        "lovasz": lovasz,
        "tversky": lambda pixels, weights: tversky(pixels, weights, balance=balance, over=over, smooth=smooth),
        "focal_tversky": lambda pixels, weights: tversky(pixels, weights, balance=balance, power=power, over=over, smooth=smooth),
    }


def odds_weights(pixels: Sequence[int], labelled: int, power: float = 1.0) -> list[float]:
    """w_c = ((1 - p_c) / p_c)^power of classes that overlap: of power 1, pixels of a class weigh as much as all without it.

    pixels: of each class in the training part. labelled: all pixels there that have labels. A class without pixels weighs 0, and so
    does one that is everywhere.
    """
    return [((labelled - count) / count) ** power if count else 0.0 for count in pixels]


def balanced_weights(pixels: Sequence[int], power: float = 1.0) -> list[float]:
    """w_c = (1 / p_c)^power / sum((1 / p)^power) * K from the pixel counts of the training part.

    power: 1 balances the classes, 0.5 goes half the way. K counts the classes that are present; an absent class keeps its place
    and weighs 0.
    """
    total = sum(pixels)
    inverse = [(total / count) ** power if count else 0.0 for count in pixels]
    present = sum(1 for count in pixels if count)
    return [value / sum(inverse) * present for value in inverse]
