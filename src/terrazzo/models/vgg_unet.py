"""The VGG-U-Net: the convolutions of VGG16 as the encoder of a U-Net.

Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015, configuration D without its
classifier. VGG16 itself has 64 filters at first and no normalisation; here the first filters and the normalisation are options.
"""

from terrazzo.models.blocks import widths
from terrazzo.models.options import ModelOptions
from terrazzo.models.unet import UNet

SHALLOW_LEVELS = 2
"""Levels from full size down that have two convolutions; all deeper ones have three."""


class VGGUNet(UNet):
    """(batch, bands, height, width) float to (batch, classes, height, width) logits; any height and width."""

    @staticmethod
    def encoding(options: ModelOptions) -> list[list[int]]:
        return [[filters] * (2 if level < SHALLOW_LEVELS else 3) for level, filters in enumerate(widths(options))]
