"""The networks of segmentation_models_pytorch, by the names of architecture and encoder.

They import lazily, for they take a second or more. Nothing here asks the network for weights; pretrained.py does, where it is told to.
"""

import difflib
import math
import warnings
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrazzo.errors import RecipeError
from terrazzo.models.blocks import HEAD_SD, PickedConv, is_strided_pointwise, pad_to_multiple
from terrazzo.models.options import ModelOptions

STRIDE = 32
"""Images are padded to multiples of it: the deepest features of most encoders are that much coarser."""
SMALLEST = 2 * STRIDE
"""Least side inside the network in pixels: batch normalisation cannot learn from a single deepest pixel."""
SMALLEST_OF = {"PAN": 4 * STRIDE}
"""Least side where it is larger: PAN halves three times more."""
TIMM = "tu-"
"""What the names of timm begin with in segmentation_models_pytorch."""


class Backbone(nn.Module):
    """(batch, bands, height, width) float to (batch, classes, height, width) logits; any height and width."""

    def __init__(self, options: ModelOptions, bands: int, classes: int) -> None:
        super().__init__()
        self.subpixel = options.subpixel
        self.least = options.subpixel * SMALLEST_OF.get(str(options.architecture), SMALLEST)
        self.network = _build(options, bands * options.subpixel**2, classes * options.subpixel**2)
        self.multiple = options.subpixel * math.lcm(STRIDE, cast("int", self.network.get_submodule("encoder").output_stride))
        _replace_layers(self.network)
        _begin_undecided(self.network.get_submodule("segmentation_head"))
        if options.encoder.startswith(TIMM):
            self._try(options, bands)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        bottom, right = max(0, self.least - height), max(0, self.least - width)
        x = functional.pad(image, (0, right, 0, bottom), mode="replicate") if bottom or right else image
        x = pad_to_multiple(x, self.multiple)
        logits = functional.pixel_shuffle(self.network(functional.pixel_unshuffle(x, self.subpixel)), self.subpixel)
        return logits[..., :height, :width]

    @torch.no_grad()
    def _try(self, options: ModelOptions, bands: int) -> None:
        """Map a small image: some encoders of timm take images of one size only."""
        was_training = self.training
        try:
            self.eval()(torch.zeros(1, bands, self.least, self.least + self.multiple))
        except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
            raise _unfit(options, error) from error
        self.train(was_training)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes its running statistics where a batch holds one value a channel, instead of failing.

    Architectures that look at the mean of the whole image meet this in a batch of one.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def check_names(options: ModelOptions) -> None:
    """Raise RecipeError, with the nearest name, if there is no such encoder."""
    import segmentation_models_pytorch as smp
    import timm

    name, natives = options.encoder, list(smp.encoders.encoders)
    if name in natives:
        return
    stem = name.removeprefix(TIMM).partition(".")[0]
    if name.startswith(TIMM) and timm.is_model(stem):
        return
    if timm.is_model(name.partition(".")[0]):
        raise RecipeError(f"[model] encoder: '{name}' is an encoder of timm; write '{TIMM}{name}'.")
    known = [f"{TIMM}{model}" for model in timm.list_models()] if name.startswith(TIMM) else natives
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(repr(found) for found in near)}?" if near else f"Known are {', '.join(known[:8])} and others."
    raise RecipeError(f"[model] encoder: there is no encoder '{name}'. {hint}")


def _build(options: ModelOptions, bands: int, classes: int) -> nn.Module:
    """The bare network with random weights. Raises RecipeError if the encoder is unknown, or does not go with the architecture."""
    import segmentation_models_pytorch as smp

    check_names(options)
    architecture = smp.MODEL_ARCHITECTURES_MAPPING[str(options.architecture).lower()]
    more = {"dynamic_img_size": True} if options.architecture == "DPT" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that some names will be spelled otherwise one day
            return cast("nn.Module", architecture(options.encoder, encoder_weights=None, in_channels=bands, classes=classes, **more))
    # the builders of smp and timm refuse what does not go together in all of these ways, and have no error of their own
    except (RuntimeError, AssertionError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, IndexError) as error:
        raise _unfit(options, error) from error


def _unfit(options: ModelOptions, error: Exception) -> RecipeError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    usual = "tu-vit_tiny_patch16_224" if options.architecture == "DPT" else "resnet34"
    return RecipeError(
        f'[model] architecture = "{options.architecture}" does not go with encoder = "{options.encoder}" ({reason}). '
        f'Take another encoder, such as "{usual}".'
    )


def _replace_layers(network: nn.Module) -> None:
    """Put our own in the place of layers that fail on some inputs; weights and their names stay."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.BatchNorm2d:
                ours = BatchNorm(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
                ours.load_state_dict(layer.state_dict())
                parent.register_module(name, ours)
            elif is_strided_pointwise(layer):
                parent.register_module(name, PickedConv.like(cast("nn.Conv2d", layer)))


def _begin_undecided(head: nn.Module) -> None:
    """Small weights for the last convolution, as the own networks have, so that all classes begin about equally likely."""
    last = [module for module in head.modules() if isinstance(module, nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=HEAD_SD)
    if last.bias is not None:
        nn.init.zeros_(last.bias)
