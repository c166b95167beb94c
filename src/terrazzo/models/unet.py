"""The classic U-Net.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015; here with padded
convolutions, so that the output has the input's size, and with normalisation. With subpixel above 1 the network works on a
smaller image and its head resolves it again (Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
Sub-Pixel Convolutional Neural Network", 2016).

    image -> level 0 ------------------------> level 0 -> classes
               | halve                            ^ double
             level 1 --------------------> level 1
               | halve                        ^ double
               ...      -> deepest level ->   ...
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from terrazzo.models.blocks import activation, climb, convolution, doubling, initialize, norm, pad_to_multiple, widths
from terrazzo.models.options import ModelOptions


def block(options: ModelOptions, inputs: int, filters: Sequence[int], *, deepest: bool = False) -> nn.Sequential:
    """Convolution, normalisation, activation for each number of filters; then channels are dropped where the options say."""
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, *filters)):
        layers += [convolution(options, before, after), norm(options, after), activation(options)]
    if options.dropout and (deepest or options.dropout_in == "blocks"):
        layers.append(nn.Dropout2d(options.dropout))
    return nn.Sequential(*layers)


def halving(options: ModelOptions, channels: int) -> nn.Module:
    """(batch, channels, height, width) to half the height and width."""
    if options.pooling == "strided":
        return convolution(options, channels, channels, stride=2)
    return nn.MaxPool2d(2) if options.pooling == "max" else nn.AvgPool2d(2)


class UNet(nn.Module):
    """(batch, bands, height, width) float to (batch, classes, height, width) logits; any height and width."""

    def __init__(self, options: ModelOptions, bands: int, classes: int) -> None:
        super().__init__()
        filters = widths(options)
        self.subpixel = options.subpixel
        self.multiple = options.subpixel * 2**options.depth
        bands *= options.subpixel**2
        self.encoder = nn.ModuleList(
            block(options, before, counts, deepest=level == options.depth)
            for level, (before, counts) in enumerate(zip((bands, *filters), self.encoding(options), strict=False))
        )
        self.halvings = nn.ModuleList(halving(options, channels) for channels in filters[:-1])
        self.doublings = nn.ModuleList(doubling(options, filters[level + 1], filters[level]) for level in range(options.depth))
        self.decoder = nn.ModuleList(self._decoding(options, channels) for channels in filters[:-1])
        self.head = nn.Conv2d(filters[0], classes * options.subpixel**2, 1)
        initialize(self, self.head, options)

    @staticmethod
    def encoding(options: ModelOptions) -> list[list[int]]:
        """Filters of each convolution of the encoder, level by level from full size down; those of a level agree with widths()."""
        return [[filters] * options.convolutions for filters in widths(options)]

    @staticmethod
    def _decoding(options: ModelOptions, channels: int) -> nn.Module:
        # the last convolution of a block always gives the filters of its level
        first = options.up_filters if options.up_filters and options.convolutions > 1 else channels
        return block(options, 2 * channels, [first, *[channels] * (options.convolutions - 1)])

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        x = functional.pixel_unshuffle(pad_to_multiple(image, self.multiple), self.subpixel)
        skips: list[Tensor] = []
        for level, encode in enumerate(self.encoder):
            x = encode(x if level == 0 else self.halvings[level - 1](x))  # (batch, filters[level], height / 2^level, width / 2^level)
            skips.append(x)
        x = climb(skips.pop(), skips, self.doublings, self.decoder)
        logits = functional.pixel_shuffle(self.head(x), self.subpixel)
        return logits[..., :height, :width]
