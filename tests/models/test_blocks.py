"""The pieces of the networks, one by one."""

import pytest
import torch
from torch import nn

from terrazzo.models.blocks import (
    HEAD_SD,
    Doubling,
    PickedConv,
    activation,
    convolution,
    doubling,
    is_strided_pointwise,
    norm,
    pad_to_multiple,
    seeded_network,
    widths,
)
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions

numbers = torch.Generator().manual_seed(0)


def test_widths_grow_from_level_to_level() -> None:
    assert widths(ModelOptions(filters=16, depth=3)) == [16, 32, 64, 128]
    assert widths(ModelOptions(filters=10, depth=2, growth=1.5)) == [10, 15, 22]
    assert widths(ModelOptions(filters=7, depth=1, growth=1)) == [7, 7]
    assert widths(ModelOptions(kind="vgg_unet", filters=64, depth=5)) == [64, 128, 256, 512, 512, 512]


@pytest.mark.parametrize("kernel", range(2, 9))
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8)])
def test_doubling_doubles_whatever_the_kernel(kernel: int, size: tuple[int, int]) -> None:
    assert Doubling(3, 2, kernel)(torch.zeros(1, 3, *size)).shape == (1, 2, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("upsample", ["transpose", "bilinear", "nearest"])
@pytest.mark.parametrize("up_kernel", [1, 2, 3, 4])
def test_every_way_to_double(upsample: str, up_kernel: int) -> None:
    options = ModelOptions.model_validate({"upsample": upsample, "up_kernel": up_kernel})
    assert doubling(options, 3, 2)(torch.zeros(2, 3, 5, 7)).shape == (2, 2, 10, 14)


@pytest.mark.parametrize("kernel", [2, 4, 6])
def test_even_kernels_double_about_the_middle(kernel: int) -> None:
    """Each input pixel spreads evenly around its two by two output pixels."""
    layer = Doubling(1, 1, kernel)
    nn.init.ones_(layer.conv.weight)
    nn.init.zeros_(layer.conv.bias)  # type: ignore[arg-type]
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1
    spread = layer(image)[0, 0].nonzero()
    assert (spread.double().mean(dim=0) == 8.5).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
def test_doubling_learns_as_a_transposed_convolution_does(size: tuple[int, int]) -> None:
    layer = Doubling(4, 3, 2).double()
    nn.init.normal_(layer.conv.bias, generator=numbers)  # type: ignore[arg-type]
    image = torch.randn(2, 4, *size, generator=numbers, dtype=torch.float64).requires_grad_()
    wanted = torch.randn(2, 3, 2 * size[0], 2 * size[1], generator=numbers, dtype=torch.float64)
    learned = []
    for training in (True, False):
        doubled = layer.train(training)(image)
        inputs = (image, *layer.parameters())
        learned.append([doubled, *torch.autograd.grad((doubled * wanted).sum(), inputs)])
    for ours, theirs in zip(*learned, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("multiple", [1, 2, 8])
@pytest.mark.parametrize("size", [(1, 1), (7, 8), (16, 17)])
def test_padding_repeats_the_lower_and_right_edge(multiple: int, size: tuple[int, int]) -> None:
    image = torch.randn(1, 2, *size, generator=numbers)
    padded = pad_to_multiple(image, multiple)
    height, width = padded.shape[-2:]
    assert height % multiple == width % multiple == 0
    assert 0 <= height - size[0] < multiple
    assert torch.equal(padded[..., : size[0], : size[1]], image)
    assert torch.equal(padded[..., size[0] :, : size[1]], image[..., -1:, :].expand(1, 2, height - size[0], size[1]))
    assert torch.equal(padded[..., -1, -1], image[..., -1, -1])


@pytest.mark.parametrize(("channels", "groups"), [(32, 8), (12, 6), (10, 5), (7, 7), (11, 1), (1, 1)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    layer = norm(ModelOptions(norm="group"), channels)
    assert isinstance(layer, nn.GroupNorm)
    assert layer.num_groups == groups


def test_instance_norm_sees_each_channel_of_each_image_alone() -> None:
    layer = norm(ModelOptions(norm="instance"), 3)
    images = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 9 + 4
    assert torch.allclose(layer(images), torch.nn.functional.instance_norm(images), atol=1e-5)
    assert torch.equal(layer(images)[:1], layer(images[:1]))
    assert sum(parameter.numel() for parameter in layer.parameters()) == 6


def test_a_bias_only_where_no_normalisation_follows() -> None:
    for kind, biased in (("batch", False), ("group", False), ("none", True)):
        options = ModelOptions.model_validate({"norm": kind})
        assert (convolution(options, 2, 3).bias is not None) == biased


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_convolutions_keep_or_halve_the_size(kernel: int) -> None:
    options = ModelOptions(kernel=kernel)
    assert convolution(options, 2, 3)(torch.zeros(1, 2, 9, 8)).shape == (1, 3, 9, 8)
    assert convolution(options, 2, 3, stride=2)(torch.zeros(1, 2, 9, 8)).shape == (1, 3, 5, 4)


def test_without_normalisation_nothing_is_overwritten() -> None:
    """A shortcut still needs what the activation was given."""
    image = torch.full((1, 1, 2, 2), -1.0)
    activation(ModelOptions(norm="none"))(image)
    assert (image == -1).all()


@pytest.mark.parametrize("initializer", ["he_normal", "he_uniform", "glorot_normal", "glorot_uniform"])
def test_first_weights_have_the_spread_of_their_name(initializer: str) -> None:
    options = ModelOptions.model_validate({"filters": 64, "depth": 1, "initializer": initializer})
    network = build_network(options, 3, 2, seed=0)
    weight = network.get_parameter("encoder.1.3.weight")  # 128 to 128 channels, 3 x 3
    wanted = (2 / (128 * 9)) ** 0.5 if initializer.startswith("he") else (2 / (2 * 128 * 9)) ** 0.5
    assert float(weight.detach().std()) == pytest.approx(wanted, rel=0.02)
    bound = float(weight.detach().abs().max() / weight.detach().std())
    assert (bound < 1.75) == initializer.endswith("uniform")
    assert float(network.get_parameter("head.weight").std()) == pytest.approx(HEAD_SD, rel=0.3)
    assert float(network.get_parameter("head.bias").abs().max()) == 0


def test_a_fresh_network_is_undecided() -> None:
    network = build_network(ModelOptions(filters=8, depth=2), 3, 4, seed=0).eval()
    shares = network(torch.randn(2, 3, 32, 32, generator=numbers)).softmax(1)
    assert float((shares - 0.25).abs().max()) < 0.1


def test_seeding_leaves_the_callers_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    seeded_network(lambda: nn.Linear(3, 3), 99)
    assert torch.equal(torch.rand(3), expected)


class TestPickedConvolutions:
    @pytest.mark.parametrize(("inputs", "outputs", "stride", "groups"), [(3, 5, 2, 1), (16, 8, 2, 1), (6, 4, (2, 3), 2), (8, 8, 1, 1)])
    def test_they_are_convolutions_of_a_stride(self, inputs: int, outputs: int, stride: int, groups: int) -> None:
        plain = nn.Conv2d(inputs, outputs, 1, stride=stride, groups=groups)
        ours = PickedConv(inputs, outputs, 1, stride=stride, groups=groups)
        ours.load_state_dict(plain.state_dict())
        x = torch.randn(2, inputs, 13, 18, generator=numbers)
        expected, found = plain(x), ours(x.contiguous(memory_format=torch.channels_last))
        assert torch.allclose(found, expected, atol=1e-5)
        expected.square().sum().backward()
        found.square().sum().backward()
        assert plain.weight.grad is not None
        assert torch.allclose(ours.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "options",
        [
            ModelOptions(kind="resunet", filters=4),
            ModelOptions(architecture="Unet", encoder="resnet18"),
            ModelOptions(architecture="Unet", encoder="mobileone_s0"),
        ],
    )
    def test_no_network_has_a_plain_one(self, options: ModelOptions) -> None:
        """Where few channels come in, the gradient of a plain one is written beyond its buffer."""
        layers = list(build_network(options, 3, 2).modules())
        assert any(isinstance(layer, PickedConv) and max(layer.stride) > 1 for layer in layers)
        assert not any(is_strided_pointwise(layer) for layer in layers)
