"""Convolutions with quick gradients: those of torch's own, in every layout and setting; taken where they are quicker, by all networks."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from terrazzo.models import convolution
from terrazzo.models.convolution import Convolution, with_quick_gradients
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions

AVX2 = {"avx2": True, "avx512_f": False}


@pytest.fixture
def split_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[bool]]:
    """What was wanted of each computation of gradients, on a processor that has AVX2 alone."""
    monkeypatch.setattr(convolution, "_has_avx2_alone", lambda: True)
    calls: list[list[bool]] = []
    whole = convolution._gradients

    def noted(sides: Any, wanted: list[bool], *tensors: torch.Tensor) -> Any:
        calls.append(wanted)
        assert wanted[0] or all(each.is_contiguous() for each in tensors)
        return whole(sides, wanted, *tensors)

    monkeypatch.setattr(convolution, "_gradients", noted)
    return calls


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=["last", "first"])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "bias": False},
        {"kernel_size": (5, 3), "padding": (2, 1), "stride": (2, 1)},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 2},
    ],
    ids=str,
)
def test_gradients_are_those_of_torch(settings: dict[str, Any], layout: torch.memory_format, split_calls: list[list[bool]]) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 9, **settings).to(memory_format=layout)
    ours = with_quick_gradients(copy.deepcopy(plain))
    assert type(ours) is Convolution
    images = [torch.randn(2, 6, 21, 18, generator=torch.Generator().manual_seed(1)).contiguous(memory_format=layout) for _ in range(2)]
    results = []
    for layer, image in zip((plain, ours), images, strict=True):
        image.requires_grad_()
        result = layer(image)
        (result * torch.linspace(-1, 1, result.shape[-1])).sum().backward()
        results.append([result, image.grad, *(parameter.grad for parameter in layer.parameters())])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert split_calls == [[True, False, False], [False, True, False]]


def test_only_what_is_wanted_is_computed(split_calls: list[list[bool]]) -> None:
    layer = with_quick_gradients(nn.Sequential(nn.Conv2d(3, 4, 3)))
    layer(torch.rand(1, 3, 8, 8)).sum().backward()
    assert split_calls == [[False, True, False]]
    layer.requires_grad_(False)
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    layer(image).sum().backward()
    assert image.grad is not None
    assert len(split_calls) == 1, "frozen weights are torch's own affair"


def test_not_in_bfloat16(split_calls: list[list[bool]]) -> None:
    layer = with_quick_gradients(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(torch.rand(1, 3, 8, 8))
    result.float().sum().backward()
    assert result.dtype == torch.bfloat16
    assert not split_calls


@pytest.mark.parametrize(("flags", "quick"), [(AVX2, "yes"), ({**AVX2, "avx512_f": True}, "no"), ({"neon": True}, "no")])
def test_the_processor_tells_which_layout_is_quick(flags: dict[str, bool], quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert convolution._has_avx2_alone.__wrapped__() is (quick == "yes")


def test_what_is_not_plain_stays_as_it_is() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 1),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding_mode="circular", padding=1),
    )
    assert not any(isinstance(module, Convolution) for module in with_quick_gradients(network).modules())


@pytest.mark.parametrize("options", [ModelOptions(filters=4), ModelOptions(filters=4, kind="resunet"), ModelOptions(architecture="Unet")])
def test_all_networks_have_them(options: ModelOptions) -> None:
    kinds = [type(module) for module in build_network(options, 3, 2).modules()]
    assert kinds.count(Convolution) >= 10
