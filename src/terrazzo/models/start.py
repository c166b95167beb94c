"""A network that goes on from the weights of another, whose classes may be others."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from terrazzo.models.backbone import Backbone


def go_on(network: nn.Module, donor: nn.Module, classes: Sequence[str], known: Sequence[str]) -> None:
    """Give a network the weights of another of the same options and bands; classes are matched by name.

    classes, known: names of the classes of the network and of the donor. In the head, the rows of a class that the donor does not know
    keep their first weights.
    Raises ValueError if the two differ in more than their classes.
    """
    own, head = network.state_dict(), head_of(network)
    for name, given in donor.state_dict().items():
        if name.startswith(f"{head}."):
            _take_rows(own[name], given, classes, known)
        elif own[name].shape != given.shape:
            raise ValueError(f"{name} is of shape {tuple(given.shape)}, in the network of {tuple(own[name].shape)}")
        else:
            own[name].copy_(given)


def head_of(network: nn.Module) -> str:
    """Name of the last convolution, which gives the logits: classes x subpixel^2 channels, those of a class together."""
    if not isinstance(network, Backbone):
        return "head"
    within = "network.segmentation_head."
    convolutions = [name for name, module in network.named_modules() if name.startswith(within) and isinstance(module, nn.Conv2d)]
    return str(convolutions[-1])


@torch.no_grad()
def _take_rows(own: Tensor, given: Tensor, classes: Sequence[str], known: Sequence[str]) -> None:
    rows = given.shape[0] // len(known)
    for number, name in enumerate(classes):
        if name in known:
            there = known.index(name)
            own[number * rows : (number + 1) * rows] = given[there * rows : (there + 1) * rows]
