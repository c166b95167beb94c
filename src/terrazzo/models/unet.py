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

from torch import Tensor, nn
from torch.nn import functional

from terrazzo.models.blocks import activation, climb, convolution, doubling, initialize, norm, pad_to_multiple, widths
from terrazzo.models.options import ModelOptions


def block(options: ModelOptions, inputs: int, outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Convolution, normalisation, activation, as often as the options say."""
    layers: list[nn.Module] = []
    for number in range(options.convolutions):
        layers += [convolution(options, inputs if number == 0 else outputs, outputs), norm(options, outputs), activation(options)]
    if dropout:
        layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """(batch, bands, height, width) float to (batch, classes, height, width) logits; any height and width."""

    def __init__(self, options: ModelOptions, bands: int, classes: int) -> None:
        super().__init__()
        filters = widths(options)
        self.subpixel = options.subpixel
        self.multiple = options.subpixel * 2**options.depth
        bands *= options.subpixel**2
        self.encoder = nn.ModuleList()
        for level, outputs in enumerate(filters):
            deepest = level == options.depth
            inputs = bands if level == 0 else filters[level - 1]
            self.encoder.append(block(options, inputs, outputs, options.dropout if deepest else 0.0))
        self.halve = nn.MaxPool2d(2) if options.pooling == "max" else nn.AvgPool2d(2)
        self.doublings = nn.ModuleList(doubling(options, filters[level + 1], filters[level]) for level in range(options.depth))
        self.decoder = nn.ModuleList(block(options, 2 * filters[level], filters[level]) for level in range(options.depth))
        self.head = nn.Conv2d(filters[0], classes * options.subpixel**2, 1)
        initialize(self, self.head, options)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        x = functional.pixel_unshuffle(pad_to_multiple(image, self.multiple), self.subpixel)
        skips: list[Tensor] = []
        for level, encode in enumerate(self.encoder):
            x = encode(x if level == 0 else self.halve(x))  # (batch, filters[level], height / 2^level, width / 2^level)
            skips.append(x)
        x = climb(skips.pop(), skips, self.doublings, self.decoder)
        logits = functional.pixel_shuffle(self.head(x), self.subpixel)
        return logits[..., :height, :width]
