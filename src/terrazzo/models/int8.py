"""Convolutions in whole numbers of eight bits, which processors multiply fastest: which of a network, and by which ranges.

What comes into a convolution is rounded to 256 levels between the least and the largest number that came in while the ranges were measured;
the weights of each channel that goes out to 255 levels, as far below 0 as above. The first convolution and the last stay as they are: the
one sees pixels, the other tells classes. After Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (2018, arXiv 1712.05877).
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from terrazzo.errors import ModelError

Range = tuple[float, float]
LEVELS = 256
LARGEST_WEIGHT = 127
LEAST_SPAN = 1e-6
"""Of a range or of weights that are all 0."""
FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8")
"""Of processors that add up products of bytes in 32 bits. Others add two in 16, which may overflow: maps would be wrong."""


def is_supported(flags: Mapping[str, Any]) -> bool:
    """Whether a processor computes in whole numbers of eight bits, exactly and faster than in others, by torch.cpu.get_capabilities."""
    return any(flags.get(name) for name in FLAGS)


@contextmanager
def measured_ranges(network: nn.Module) -> Iterator[dict[str, Range]]:
    """Ranges of all that comes into the convolutions while it lasts, by their names, and 0; at its end those that are rounded remain.

    Of networks of fewer than three convolutions, or where a number is none, nothing remains.
    """
    found: dict[str, Range] = {}

    def watch(name: str, convolution: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            least, largest = (float(value) for value in inputs[0].aminmax())
            low, high = found.get(name, (0.0, 0.0))
            found[name] = (min(least, low), max(largest, high))

        return convolution.register_forward_pre_hook(note)

    handles = [watch(name, convolution) for name, convolution in _convolutions(network).items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    for name in [*list(found)[:1], *list(found)[1:][-1:]]:
        del found[name]
    if not all(isfinite(value) for span in found.values() for value in span):
        found.clear()


def rounded(network: nn.Module, ranges: Mapping[str, Range]) -> nn.Module:
    """A copy whose convolutions of these names round what comes in and their weights, in float32 still: engines make it quick.

    It answers as the network in whole numbers would, and can be written as ONNX.
    Raises ModelError if it has no such convolution, or a range is none.
    """
    copied = copy.deepcopy(network).eval()
    convolutions = _convolutions(copied)
    for name, (low, high) in ranges.items():
        if name not in convolutions or not low <= 0 <= high:
            raise ModelError(f"the model tells that {name} is rounded from {low:g} to {high:g}, which it cannot be; it is damaged.")
        convolution = convolutions[name]
        convolution.register_forward_pre_hook(_RoundedInput(low, high))
        parametrize.register_parametrization(convolution, "weight", _RoundedWeight(convolution))
    return copied


class _RoundedInput:
    """A hook in front of a convolution."""

    def __init__(self, low: float, high: float) -> None:
        self._scale = max(high - low, LEAST_SPAN) / (LEVELS - 1)
        self._zero = round(-low / self._scale)

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return torch.fake_quantize_per_tensor_affine(inputs[0], self._scale, self._zero, 0, LEVELS - 1), *inputs[1:]


class _RoundedWeight(nn.Module):
    """(outputs, inputs, height, width) of a convolution, or (inputs, outputs, height, width) of a transposed one: the same, rounded."""

    scale: Tensor
    zero: Tensor

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self._axis = 1 if isinstance(convolution, nn.ConvTranspose2d) else 0
        weight = convolution.weight.detach()
        largest = weight.abs().amax([axis for axis in range(weight.ndim) if axis != self._axis])
        self.register_buffer("scale", largest.clamp(min=LEAST_SPAN) / LARGEST_WEIGHT)
        self.register_buffer("zero", torch.zeros_like(self.scale, dtype=torch.int32))

    def forward(self, weight: Tensor) -> Tensor:
        # ONNX knows the whole range of signed bytes alone; the scale keeps all weights above its end
        return torch.fake_quantize_per_channel_affine(weight, self.scale, self.zero, self._axis, -LARGEST_WEIGHT - 1, LARGEST_WEIGHT)


def _convolutions(network: nn.Module) -> dict[str, nn.Conv2d | nn.ConvTranspose2d]:
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)}
