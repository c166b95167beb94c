"""The contract of every network: any size in, the same size out, learns, depends on the seed alone, and is kept as it is."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from terrazzo.errors import EnvironmentFault, RecipeError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.models.bundle import SCALING, ModelCard, load_bundle, save_bundle
from terrazzo.models.convolution import Convolution
from terrazzo.models.network import build_network, check_network, choose_runtime, cpu_precision, network_class, precision_for
from terrazzo.models.options import ARCHITECTURES, ModelOptions
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.scaling import measure

LIGHT = "mobilenet_v2"
LIGHT_OF = {"DPT": "tu-vit_tiny_patch16_224"}
"""Encoders that are small."""
ENCODERS = (
    "resnet34",
    "se_resnet50",
    "resnext50_32x4d",
    "vgg11_bn",
    "densenet121",
    "dpn68",
    "efficientnet-b0",
    "timm-efficientnet-b0",
    "inceptionv4",
    "xception",
    "mit_b0",
    "mobileone_s0",
    "tu-convnext_atto",
    "tu-mobilenetv3_small_050",
)
VGG16 = ModelOptions(kind="vgg_unet", filters=64, norm="none")
IDLE = ("._conv_head.", "._bn1.", ".conv_head.", "encoder.bn2.", "encoder.model.norm.", "encoder.model.head.")
"""Parts of encoders that only their classifiers use; they never learn."""


def image(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def on(architecture: str, encoder: str | None = None, **more: int) -> ModelOptions:
    return ModelOptions.model_validate({"architecture": architecture, "encoder": encoder or LIGHT_OF.get(architecture, LIGHT), **more})


class NetworkContract:
    """What every network promises; a subclass names its variants in a fixture `options`."""

    @pytest.mark.parametrize("size", [(1, 1), (37, 51), (250, 250), (3, 2000)])
    def test_output_has_the_size_of_the_input(self, options: ModelOptions, size: tuple[int, int]) -> None:
        network = build_network(options, bands=5, classes=3).eval()
        with torch.inference_mode():
            assert network(torch.zeros(1, 5, *size)).shape == (1, 3, *size)

    @pytest.mark.parametrize(("bands", "classes"), [(1, 2), (4, 7), (12, 20)])
    def test_bands_and_classes_are_free(self, options: ModelOptions, bands: int, classes: int) -> None:
        network = build_network(options, bands, classes).eval()
        with torch.inference_mode():
            assert network(image(2, bands, 16, 24)).shape == (2, classes, 16, 24)

    def test_first_weights_depend_on_the_seed_alone(self, options: ModelOptions) -> None:
        torch.manual_seed(99)
        before = torch.random.get_rng_state()
        first, again, other = (build_network(options, 2, 2, seed).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.random.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_every_parameter_learns(self, options: ModelOptions) -> None:
        network = build_network(options, 3, 2).train()
        network(image(2, 3, 96, 64)).square().mean().backward()
        assert silent(network, options) == []

    def test_a_batch_of_one_small_image_learns(self, options: ModelOptions) -> None:
        network = build_network(options, 3, 2).train()
        loss = network(image(1, 3, 32, 32)).square().mean()
        loss.backward()
        assert loss.isfinite()

    def test_it_comes_back_from_disk_as_it_was(self, options: ModelOptions, tmp_path: Path) -> None:
        network = build_network(options, 3, 2, seed=3)
        network.train()(image(2, 3, 64, 64))  # running statistics move
        save_bundle(tmp_path, network, card(options))
        loaded, x = load_bundle(tmp_path).network, image(1, 3, 40, 33)
        with torch.inference_mode():
            assert torch.equal(loaded(x), network.eval()(x))

    def test_bfloat16_is_finite_and_near(self, options: ModelOptions) -> None:
        network = build_network(options, 3, 2).eval()
        with torch.inference_mode():
            exact, rough = (choose_runtime("cpu", kind).logits(network, image(1, 3, 64, 48)) for kind in ("float32", "bfloat16"))
        assert exact.dtype == rough.dtype == torch.float32
        assert rough.isfinite().all()
        assert torch.allclose(exact, rough, atol=0.1 * max(1.0, float(exact.abs().max())))

    def test_the_layout_in_memory_does_not_matter(self, options: ModelOptions) -> None:
        network, x = build_network(options, 3, 2).eval(), image(2, 3, 40, 56)
        with torch.inference_mode():
            expected = network(x)
            network.to(memory_format=torch.channels_last)
            found = network(x.contiguous(memory_format=torch.channels_last))
        # of fresh networks without running statistics the logits may be in the thousands
        assert float((found - expected).abs().max()) <= 1e-4 * max(1.0, float(expected.abs().max()))


class OwnNetworkContract(NetworkContract):
    """What the networks of the project keep besides."""

    def test_a_fresh_network_is_undecided(self, options: ModelOptions) -> None:
        shares = build_network(options, 3, 4).eval()(image(1, 3, 64, 64)).softmax(1)
        assert float((shares.mean(dim=(0, 2, 3)) - 0.25).abs().max()) < 0.1


def silent(network: nn.Module, options: ModelOptions) -> list[str]:
    """Parameters without a finite gradient, but for those that the architecture does not use."""
    deeper = (".layer3.", ".layer4.", "encoder.features.") if options.architecture == "PSPNet" else ()
    idle = (*IDLE, *deeper)  # PSPNet looks at the first stages alone
    found = (name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.isfinite().all())
    return [name for name in found if options.architecture is None or not any(part in name for part in idle)]


def card(options: ModelOptions) -> ModelCard:
    """A model card of three bands and two classes."""
    legend = Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(value, 0, 0)) for value in (0, 1)))
    pixels = Pixels(values=image(3, 9, 9).double().numpy(), valid=np.ones((9, 9), np.bool_), holes=None)
    return ModelCard(
        network=options,
        bands=3,
        window=(64, 64),
        cell_size=None,
        crs=None,
        reading=DataOptions(),
        legend=json.loads(legend.to_json()),
        scaling=SCALING.dump_python(measure([(pixels, pixels.valid)], "standard", 81)),
        recipe={},
        versions={},
    )


class TestUNet(OwnNetworkContract):
    VARIANTS = (
        ModelOptions(filters=4, depth=3),
        ModelOptions(filters=4, depth=2, kernel=5, activation="elu", norm="group", dropout=0.2, upsample="bilinear", pooling="average"),
        ModelOptions(filters=3, depth=1, growth=1.5, convolutions=1, up_kernel=4, activation="gelu", initializer="he_uniform"),
        ModelOptions(filters=4, depth=2, up_kernel=3, norm="none", activation="silu", initializer="glorot_normal"),
        ModelOptions(filters=4, depth=2, subpixel=2),
        ModelOptions(filters=4, depth=2, growth=1, up_filters=6, pooling="strided", activation="selu"),
        ModelOptions(filters=4, depth=2, dropout=0.1, dropout_in="blocks"),
        ModelOptions(filters=4, depth=2, norm="instance"),
    )

    @pytest.fixture(params=VARIANTS, ids=lambda options: f"{options.activation}-{options.norm}-{options.upsample}{options.up_kernel}")
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        variant: ModelOptions = request.param
        return variant

    def test_up_filters_are_those_of_the_decoders_first_convolutions(self) -> None:
        network = build_network(ModelOptions(filters=4, growth=1, depth=2, up_filters=6), 3, 2)
        assert [tuple(network.get_parameter(f"decoder.1.{number}.weight").shape[:2]) for number in (0, 3)] == [(6, 8), (4, 6)]

    def test_every_setting_of_the_roof_projects_is_in_it(self) -> None:
        """Layers, filters, filters of the decoder, kernel, activation, initialiser, momentum of the norm, pooling."""
        options = ModelOptions(
            depth=2, filters=16, growth=1, up_filters=24, kernel=5, activation="elu", initializer="he_uniform", norm_momentum=0.01,
            pooling="average",
        )  # fmt: skip
        modules = list(build_network(options, 8, 2, seed=0).modules())
        blocks = [layer for layer in modules if isinstance(layer, nn.Conv2d)][:-1]
        assert [layer.out_channels for layer in blocks] == [16] * 6 + [24, 16] * 2
        assert all(layer.kernel_size == (5, 5) for layer in blocks)
        assert sum(isinstance(layer, nn.ELU) for layer in modules) == len(blocks)
        assert not any(isinstance(layer, nn.ReLU) for layer in modules)
        assert [layer.momentum for layer in modules if isinstance(layer, nn.BatchNorm2d)] == [0.01] * len(blocks)
        assert sum(isinstance(layer, nn.AvgPool2d) for layer in modules) == 2
        for layer in blocks:
            bound = math.sqrt(6 / (layer.in_channels * 25))
            assert 0.95 * bound < float(layer.weight.detach().abs().max()) <= bound

    @pytest.mark.parametrize(("where", "count"), [("deepest", 1), ("blocks", 5)])
    def test_dropout_is_where_it_is_asked_for(self, where: str, count: int) -> None:
        network = build_network(ModelOptions.model_validate({"filters": 4, "depth": 2, "dropout": 0.1, "dropout_in": where}), 3, 2)
        assert sum(isinstance(module, nn.Dropout2d) for module in network.modules()) == count


class TestResidualUNet(OwnNetworkContract):
    VARIANTS = (
        ModelOptions(kind="resunet", filters=4, depth=3),
        ModelOptions(
            kind="resunet", filters=4, depth=2, kernel=7, norm="none", up_kernel=3, upsample="nearest", initializer="glorot_uniform"
        ),
        ModelOptions(kind="resunet", filters=4, depth=1, subpixel=4),
        ModelOptions(kind="resunet", filters=4, depth=2, up_kernel=5, activation="leaky_relu", dropout=0.1),
        ModelOptions(kind="resunet", filters=4, depth=2, norm="instance"),
    )

    @pytest.fixture(params=VARIANTS, ids=lambda options: f"{options.activation}-{options.norm}-{options.upsample}{options.up_kernel}")
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        variant: ModelOptions = request.param
        return variant

    def test_its_blocks_are_those_of_the_paper(self) -> None:
        """Normalise, activate, convolve; the encoder halves by stride, filters double, the decoder sees its level's features besides."""
        network = build_network(ModelOptions(kind="resunet", filters=6, depth=3, kernel=7), 4, 2)
        for level, block in enumerate(network.get_submodule("encoder").children()):
            layers = list(block.get_submodule("body").children())
            convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
            order = [type(layer) for layer in layers]
            assert order == [nn.BatchNorm2d, nn.ReLU, Convolution] * 2 if level else [Convolution, nn.BatchNorm2d, nn.ReLU, Convolution]
            assert [layer.stride for layer in convolutions] == [(2, 2) if level else (1, 1), (1, 1)]
            assert [layer.out_channels for layer in convolutions] == [6 * 2**level] * 2
            assert all(layer.kernel_size == (7, 7) for layer in convolutions)
        inputs = [network.get_parameter(f"decoder.{level}.body.2.weight").shape[1] for level in range(3)]
        assert inputs == [12, 24, 48]


class TestVGGUNet(OwnNetworkContract):
    VARIANTS = (
        ModelOptions(kind="vgg_unet", filters=4),
        ModelOptions(kind="vgg_unet", filters=3, depth=2, norm="none", convolutions=1, upsample="bilinear"),
        ModelOptions(kind="vgg_unet", filters=4, depth=3, norm="group", pooling="average", dropout=0.2, subpixel=2),
    )

    @pytest.fixture(params=VARIANTS, ids=lambda options: f"{options.depth}-{options.norm}")
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        variant: ModelOptions = request.param
        return variant

    def test_its_encoder_has_the_convolutions_of_vgg16(self) -> None:
        from torchvision.models import vgg16

        def shapes(network: nn.Module) -> list[torch.Size]:
            return [layer.weight.shape for layer in network.modules() if isinstance(layer, nn.Conv2d)]

        with torch.device("meta"):
            ours = network_class(VGG16)(VGG16, 3, 2).get_submodule("encoder")
            assert shapes(ours) == shapes(vgg16().features)


class TestOneArchitecture(NetworkContract):
    @pytest.fixture(params=[on("Unet"), on("Unet", subpixel=2)], ids=["plain", "subpixel"])
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        variant: ModelOptions = request.param
        return variant


@pytest.mark.slow
class TestEveryArchitecture(NetworkContract):
    @pytest.fixture(params=ARCHITECTURES)
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        return on(request.param)


@pytest.mark.slow
class TestEncoders(NetworkContract):
    @pytest.fixture(params=ENCODERS)
    def options(self, request: pytest.FixtureRequest) -> ModelOptions:
        return on("Unet", request.param)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_maps_any_size_and_learns_from_one_image(architecture: str) -> None:
    network = build_network(on(architecture), 5, 3).train()
    out = network(image(1, 5, 37, 51))
    assert out.shape == (1, 3, 37, 51)
    out.square().mean().backward()
    assert silent(network, on(architecture)) == []


@pytest.mark.parametrize(
    ("architecture", "encoder", "message"),
    [
        ("Unet", "resnet43", "no encoder 'resnet43'. Did you mean 'resnet34'"),
        ("Unet", "tu-resnetx", "no encoder 'tu-resnetx'. Did you mean 'tu-"),
        ("Unet", "convnext_atto", "write 'tu-convnext_atto'"),
    ],
)
def test_an_unknown_encoder_is_named_with_the_nearest(architecture: str, encoder: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_network(on(architecture, encoder))


@pytest.mark.parametrize(
    ("architecture", "encoder", "usual"),
    [
        ("UnetPlusPlus", "mit_b0", "resnet34"),
        ("DPT", "resnet18", "tu-vit_tiny_patch16_224"),
        ("Unet", "tu-swin_tiny_patch4_window7_224", "resnet34"),
    ],
)
def test_an_encoder_that_does_not_go_with_the_architecture_is_refused(architecture: str, encoder: str, usual: str) -> None:
    with pytest.raises(RecipeError, match=f'"{architecture}" does not go with encoder = "{encoder}" .*such as "{usual}"'):
        build_network(on(architecture, encoder), 3, 2)


def test_a_doubled_image_is_not_shifted() -> None:
    """The output of a constant image is constant away from the border: no row or column is lost in the decoder."""
    network = build_network(ModelOptions(filters=4, depth=2, norm="none", up_kernel=2), 1, 2).eval()
    with torch.inference_mode():
        out = network(torch.ones(1, 1, 64, 64))[0, :, 24:40, 24:40]
    assert torch.allclose(out[:, ::4, ::4], out[:, :1, :1], atol=1e-5)


def test_precision_follows_the_documented_rule() -> None:
    cpu = torch.device("cpu")
    assert choose_runtime("cpu", "auto").precision == precision_for(cpu)[0]
    assert choose_runtime("cpu", "float32").precision == "float32"


@pytest.mark.parametrize(
    ("flags", "precision", "why"),
    [
        ({"amx_bf16": True, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, "bfloat16", "AMX"),
        ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, "float32", "without AMX is slower"),
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC 9R14"}, "bfloat16", "AMD"),
        ({"avx512_bf16": False, "cpu_name": "AMD EPYC 7763"}, "float32", "no bfloat16"),
        ({"avx512_bf16": True}, "float32", "without AMX is slower"),
        ({}, "float32", "no bfloat16"),
    ],
)
def test_a_processor_computes_in_what_it_is_faster_in(flags: dict[str, object], precision: str, why: str) -> None:
    chosen, told = cpu_precision(flags)
    assert chosen == precision
    assert why in told


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="'nowhere'"):
        choose_runtime("nowhere", "auto")
