"""Convolutions that round to eight bits."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from terrazzo.errors import ModelError
from terrazzo.models.int8 import Range, is_supported, measured_ranges, rounded
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions

KINDS: list[dict[str, Any]] = [
    {},
    {"upsample": "bilinear", "norm": "instance", "subpixel": 2},
    {"kind": "resunet"},
    {"kind": "vgg_unet", "norm": "none"},
    {"architecture": "FPN", "encoder": "resnet18"},
    {"architecture": "Unet", "encoder": "timm-efficientnet-b0"},
    {"architecture": "Segformer", "encoder": "mit_b0"},
]


def images(count: int = 2, side: int = 32) -> Tensor:
    return torch.randn(count, 2, side, side, generator=torch.Generator().manual_seed(0))


def ranges_of(network: nn.Module, *seen: Tensor) -> dict[str, Range]:
    with torch.inference_mode(), measured_ranges(network) as ranges:
        for each in seen:
            network(each)
    return ranges


def row(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def three() -> nn.Sequential:
    """Three convolutions of one pixel and one channel, which double each."""
    network = nn.Sequential(*(nn.Conv2d(1, 1, 1, bias=False) for _ in range(3))).requires_grad_(requires_grad=False)
    for convolution in network:
        nn.init.constant_(convolution.weight, 2.0)  # type: ignore[arg-type]
    return network


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_network_answers_nearly_as_before(kind: dict[str, Any]) -> None:
    network = build_network(ModelOptions.model_validate({"filters": 8, "depth": 2, **kind}), 2, 3).eval()
    shown = images()
    ranges = ranges_of(network, shown)
    with torch.inference_mode():
        exact, found = network(shown), rounded(network, ranges)(shown)
    assert len(ranges) >= 5
    assert 0 < float((found - exact).abs().mean()) < 0.2 * float((exact - exact.mean()).abs().mean())


def test_ranges_are_of_all_that_came_in_and_0() -> None:
    network = three()
    assert ranges_of(network, row(1, 3), row(2, 5)) == {"1": (0.0, 10.0)}
    assert ranges_of(network, row(-4, 1)) == {"1": (-8.0, 2.0)}


def test_the_first_and_the_last_that_are_called_stay() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.middle, self.first = three()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.last(self.middle(self.first(x)))
            return found

    assert list(ranges_of(Backwards(), row(1))) == ["middle"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_fewer_than_three_none_is_rounded(count: int) -> None:
    assert ranges_of(three()[:count], row(1)) == {}


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_where_a_number_is_none_nothing_is_rounded(value: float) -> None:
    assert ranges_of(three(), row(1, value)) == {}


def test_nothing_is_measured_afterwards() -> None:
    network = three()
    ranges = ranges_of(network, row(1))
    network(row(100))
    assert ranges == {"1": (0.0, 2.0)}


def test_what_comes_in_has_256_levels_and_ends_at_the_range() -> None:
    coarse = rounded(three(), {"1": (-2.0, 3.1)})
    shown = torch.linspace(-4, 6, 10_000).reshape(1, 1, 100, 100)
    found = coarse(shown).unique() / 4
    assert len(found) == 256
    assert (float(found[0]), float(found[-1])) == pytest.approx((-2, 3.1), abs=1e-5)
    assert 0 in found


def test_weights_have_255_levels_for_each_channel_that_goes_out() -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([1.0, 100.0])
    for module, axis in ((nn.Conv2d(2000, 2, 1), 0), (nn.ConvTranspose2d(2000, 2, 1), 1)):
        with torch.no_grad():
            spread = torch.rand(2000, 2, generator=generator) * scales
            module.weight.copy_((spread.T if axis == 0 else spread)[..., None, None])
        weight = module.weight.detach().clone()
        coarse = rounded(nn.Sequential(module), {"0": (0.0, 1.0)})[0].weight  # type: ignore[index]
        for channel, scale in enumerate(scales):
            exact, found = weight.select(axis, channel), coarse.select(axis, channel)
            step = float(exact.max()) / 127
            assert len(found.unique()) == 128
            assert float((exact - found).abs().max()) == pytest.approx(step / 2, rel=0.05)
            assert step == pytest.approx(float(scale) / 127, rel=0.01)


def test_what_is_always_0_stays_0() -> None:
    network = three()
    nn.init.zeros_(network[1].weight)  # type: ignore[arg-type]
    assert float(rounded(network, {"1": (0.0, 0.0)})(row(7.0))) == 0


def test_the_network_itself_stays_as_it_is() -> None:
    network = build_network(ModelOptions(filters=4, depth=1), 2, 2).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rounded(network, ranges_of(network, images()))
    assert list(network.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("ranges", [{"9": (0.0, 1.0)}, {"1": (1.0, 2.0)}, {"1": (-2.0, -1.0)}, {"1": (math.nan, 1.0)}], ids=str)
def test_ranges_that_cannot_be_are_a_damaged_model(ranges: dict[str, Range]) -> None:
    with pytest.raises(ModelError, match=r"which it cannot be; it is damaged\."):
        rounded(three(), ranges)


@pytest.mark.parametrize(
    ("flags", "supported"), [({}, False), ({"avx2": True, "avx512_f": True}, False), ({"avx_vnni": True}, True), ({"amx_int8": True}, True)]
)
def test_processors_that_compute_so_say_it(flags: dict[str, bool], *, supported: bool) -> None:
    assert is_supported(flags) is supported
