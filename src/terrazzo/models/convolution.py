"""Convolutions that compute the gradient of their weights in the layout of memory in which the processor is quick.

Channels last is the quickest layout for what a convolution gives and for the gradient of what it is given. oneDNN, which computes both on
CPUs, has kernels of AVX2 for the gradient of the weights with channels first alone: with channels last it takes two and a half times as
long, two copies are a tenth of that. With AVX-512 it has kernels for both layouts.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Convolution(nn.Conv2d):
    """nn.Conv2d, the gradient of whose weights may be computed with channels first. It has no state of its own."""

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.requires_grad and torch.is_grad_enabled() and _channels_first_is_quicker(x):
            y: Tensor = _SplitGradients.apply(x, self.weight, self.bias, self)
            return y
        return super().forward(x)


def with_quick_gradients(network: nn.Module) -> nn.Module:
    """The network, whose convolutions of more than a pixel compute their gradients quickly; weights and their names stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = Convolution
    return network


def _is_plain(convolution: nn.Conv2d) -> bool:
    """Whether it looks at several pixels of all channels, with zeros of a given width around the image."""
    sides_are_given = not isinstance(convolution.padding, str) and convolution.padding_mode == "zeros"
    return max(convolution.kernel_size) > 1 and convolution.groups == 1 and sides_are_given


def _channels_first_is_quicker(x: Tensor) -> bool:
    in_float32 = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and in_float32 and _has_avx2_alone()


@cache
def _has_avx2_alone() -> bool:
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx2")) and not flags.get("avx512_f")


class _SplitGradients(torch.autograd.Function):
    """A convolution whose gradients are computed one by one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, like: nn.Conv2d) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.sides = [list(sides) for sides in (like.stride, like.padding, like.dilation)]
        return torch.conv2d(x, weight, bias, *ctx.sides)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        for_x = _gradients(ctx.sides, [True, False, False], gradient, x, weight)[0] if of_x else None
        for_weight = None
        if of_weight:
            first = [each.contiguous() for each in (gradient, x, weight)]
            for_weight = _gradients(ctx.sides, [False, True, False], *first)[1]
        return for_x, for_weight, gradient.sum((0, 2, 3)) if of_bias else None, None


def _gradients(sides: Sequence[Sequence[int]], wanted: Sequence[bool], gradient: Tensor, x: Tensor, weight: Tensor) -> Sequence[Tensor]:
    """Those of input, weights and bias that are wanted."""
    found: Sequence[Tensor] = torch.ops.aten.convolution_backward(gradient, x, weight, None, *sides, False, [0, 0], 1, wanted)
    return found
