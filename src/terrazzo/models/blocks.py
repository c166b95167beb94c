"""The pieces that the networks share: normalised convolutions, doubling, padding, first weights."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrazzo.models.options import ModelOptions

ACTIVATIONS: dict[str, Callable[[bool], nn.Module]] = {
    "relu": lambda inplace: nn.ReLU(inplace=inplace),
    "elu": lambda inplace: nn.ELU(inplace=inplace),
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.1, inplace=inplace),
    "selu": lambda inplace: nn.SELU(inplace=inplace),
    "silu": lambda inplace: nn.SiLU(inplace=inplace),
    "gelu": lambda _: nn.GELU(),
}
LARGEST_GROUPS = 8
VGG_LARGEST = 8
"""Filters of VGG's deep levels, as a multiple of the first level's: 64, 128, 256, 512, 512."""
HEAD_SD = 0.01
"""Standard deviation of the head's first weights."""


def widths(options: ModelOptions) -> list[int]:
    """Filters of each level, from full size down: depth + 1 numbers."""
    largest = VGG_LARGEST if options.kind == "vgg_unet" else math.inf
    return [round(options.filters * min(options.growth**level, largest)) for level in range(options.depth + 1)]


def norm(options: ModelOptions, channels: int) -> nn.Module:
    if options.norm == "batch":
        return nn.BatchNorm2d(channels, momentum=options.norm_momentum)
    if options.norm == "group":
        groups = next(groups for groups in range(LARGEST_GROUPS, 0, -1) if channels % groups == 0)
        return nn.GroupNorm(groups, channels)
    return InstanceNorm(channels, channels) if options.norm == "instance" else nn.Identity()


def activation(options: ModelOptions) -> nn.Module:
    # in place saves memory traffic; behind a normalisation nobody else needs the input, without one a shortcut does
    return ACTIVATIONS[options.activation](options.norm != "none")


def convolution(options: ModelOptions, inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size (stride 1) or halves it (stride 2); biased only where no normalisation follows."""
    return nn.Conv2d(inputs, outputs, options.kernel, stride=stride, padding=options.kernel // 2, bias=options.norm == "none")


def doubling(options: ModelOptions, inputs: int, outputs: int) -> nn.Module:
    """(batch, inputs, height, width) to (batch, outputs, 2 height, 2 width)."""
    if options.upsample == "transpose":
        return Doubling(inputs, outputs, max(options.up_kernel, 2))
    kernel = options.up_kernel + 1 - options.up_kernel % 2
    resize = nn.Upsample(scale_factor=2, mode=options.upsample)
    return nn.Sequential(resize, nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))


class Doubling(nn.Module):
    """A transposed convolution of stride 2 whose output is exactly twice as large, whatever its kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=(kernel - 2) // 2)

    def forward(self, x: Tensor) -> Tensor:
        height, width = 2 * x.shape[-2], 2 * x.shape[-1]
        if self.training and x.device.type == "cpu" and self.conv.kernel_size == (2, 2):
            return _doubled_by_product(x, self.conv.weight, self.conv.bias)
        doubled: Tensor = self.conv(x)
        return doubled[..., :height, :width]


def _doubled_by_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A transposed convolution of kernel and stride 2 as a matrix product: each pixel becomes a block of 2 x 2 of its own.

    On CPUs the gradient of its weights takes about an eighth of what oneDNN needs for the convolution's.
    """
    batch, inputs, height, width = x.shape
    outputs = weight.shape[1]
    matrix = weight.permute(2, 3, 1, 0).reshape(4 * outputs, inputs)
    pixels = functional.linear(x.permute(0, 2, 3, 1), matrix, None if bias is None else bias.repeat(4))
    blocks = pixels.view(batch, height, width, 2, 2, outputs).permute(0, 1, 3, 2, 4, 5)
    return blocks.reshape(batch, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)


class InstanceNorm(nn.GroupNorm):
    """Normalises each channel of each image by itself; a channel of a single pixel becomes its offset, instead of failing."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class PickedConv(nn.Conv2d):
    """A 1 x 1 convolution of a stride: picks the pixels that it would look at, then convolves them, which is the same.

    In oneDNN, whose convolutions torch 2.15 takes on CPUs, the gradient of such weights is written beyond its buffer where fewer
    channels come in than a vector holds (8 with AVX2, 16 with AVX-512) and these come last in memory.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, right = self.stride
        return functional.conv2d(x[..., ::down, ::right], self.weight, self.bias, groups=self.groups)

    @classmethod
    def like(cls, convolution: nn.Conv2d) -> "PickedConv":
        """The same, with weights of its own that have the same values. Raises ValueError if it is none of 1 x 1."""
        if not is_strided_pointwise(convolution):
            raise ValueError(f"{convolution} is no 1 x 1 convolution of a stride")
        given, (down, right) = convolution, convolution.stride
        ours = cls(given.in_channels, given.out_channels, 1, stride=(down, right), groups=given.groups, bias=given.bias is not None)
        ours.load_state_dict(given.state_dict())
        return ours


def is_strided_pointwise(module: nn.Module) -> bool:
    """Whether it is a 1 x 1 convolution of a stride, as torch has it."""
    return type(module) is nn.Conv2d and module.kernel_size == (1, 1) and max(module.stride) > 1 and not any(module.padding)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Repeat the lower and right edge until height and width are multiples, so that any size fits the network."""
    bottom, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    if not (bottom or right):
        return x
    return functional.pad(x, (0, right, 0, bottom), mode="replicate")


def climb(x: Tensor, skips: list[Tensor], doublings: nn.ModuleList, decoder: nn.ModuleList) -> Tensor:
    """Double, join the encoder's output of that level, decode; from the deepest level up to full size.

    skips: what the encoder left at each level but the deepest, full size first; it is used up.
    """
    for level in reversed(range(len(decoder))):
        x = torch.cat([doublings[level](x), skips.pop()], dim=1)  # (batch, 2 filters[level], height / 2^level, width / 2^level)
        x = decoder[level](x)
    return x


def initialize(network: nn.Module, head: nn.Conv2d, options: ModelOptions) -> None:
    """Draw the first weights of all convolutions from torch's global generator, which the caller seeds; biases are 0.

    Those of the head are small, so that all classes begin about equally likely and no step is spent on unlearning a guess.
    """
    family, _, distribution = options.initializer.partition("_")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if family == "he":
                draw = nn.init.kaiming_normal_ if distribution == "normal" else nn.init.kaiming_uniform_
                draw(module.weight, nonlinearity="relu")
            else:
                xavier = nn.init.xavier_normal_ if distribution == "normal" else nn.init.xavier_uniform_
                xavier(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(head.weight, std=HEAD_SD)


def seeded_network(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network whose first weights depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
