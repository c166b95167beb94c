"""The residual U-Net of coastal mapping: pre-activation residual blocks, stride-2 encoder, concatenating decoder.

Source: Zhang, Liu, Wang, "Road Extraction by Deep Residual U-Net", 2018; blocks as in He et al., "Identity Mappings in Deep
Residual Networks", 2016.
"""

from torch import Tensor, nn
from torch.nn import functional

from terrazzo.models.blocks import PickedConv, activation, climb, convolution, doubling, initialize, norm, pad_to_multiple, widths
from terrazzo.models.options import ModelOptions


class ResidualBlock(nn.Module):
    """Normalise, activate, convolve, as often as the options say, plus a projected shortcut.

    The first block of the network, whose input is the image, starts with its convolution.
    """

    def __init__(self, options: ModelOptions, inputs: int, outputs: int, stride: int = 1, *, first: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(options.convolutions):
            channels = inputs if number == 0 else outputs
            if number or not first:
                layers += [norm(options, channels), activation(options)]
            layers.append(convolution(options, channels, outputs, stride if number == 0 else 1))
        if options.dropout and options.dropout_in == "blocks":
            layers.append(nn.Dropout2d(options.dropout))
        self.body = nn.Sequential(*layers)
        self.shortcut = nn.Sequential(PickedConv(inputs, outputs, 1, stride=stride, bias=options.norm == "none"), norm(options, outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut(x)
        residual: Tensor = self.body(x)
        return shortcut + residual


class ResidualUNet(nn.Module):
    """(batch, bands, height, width) float to (batch, classes, height, width) logits; any height and width."""

    def __init__(self, options: ModelOptions, bands: int, classes: int) -> None:
        super().__init__()
        filters = widths(options)
        self.subpixel = options.subpixel
        self.multiple = options.subpixel * 2**options.depth
        bands *= options.subpixel**2
        self.encoder = nn.ModuleList(
            ResidualBlock(options, bands if level == 0 else filters[level - 1], outputs, stride=1 if level == 0 else 2, first=level == 0)
            for level, outputs in enumerate(filters)
        )
        self.dropout = nn.Dropout2d(options.dropout if options.dropout_in == "deepest" else 0.0)
        self.doublings = nn.ModuleList(doubling(options, filters[level + 1], filters[level]) for level in range(options.depth))
        self.decoder = nn.ModuleList(ResidualBlock(options, 2 * filters[level], filters[level]) for level in range(options.depth))
        self.finish = nn.Sequential(norm(options, filters[0]), activation(options))
        self.head = nn.Conv2d(filters[0], classes * options.subpixel**2, 1)
        initialize(self, self.head, options)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        x = functional.pixel_unshuffle(pad_to_multiple(image, self.multiple), self.subpixel)
        skips: list[Tensor] = []
        for encode in self.encoder:
            x = encode(x)  # (batch, filters[level], height / 2^level, width / 2^level)
            skips.append(x)
        x = climb(self.dropout(skips.pop()), skips, self.doublings, self.decoder)
        logits = functional.pixel_shuffle(self.head(self.finish(x)), self.subpixel)
        return logits[..., :height, :width]
