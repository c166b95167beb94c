"""The contract of every network: any size in, the same size out, learns, and depends on the seed alone."""

import pytest
import torch

from terrazzo.errors import EnvironmentFault
from terrazzo.models.network import build_network, choose_runtime, has_bfloat16
from terrazzo.models.options import ModelOptions

VARIANTS = [
    ModelOptions(kind="unet", filters=4, depth=3),
    ModelOptions(kind="resunet", filters=4, depth=3),
    ModelOptions(
        kind="unet", filters=4, depth=2, kernel=5, activation="elu", norm="group", dropout=0.2, upsample="bilinear", pooling="average"
    ),
    ModelOptions(kind="resunet", filters=4, depth=2, kernel=7, norm="none", up_kernel=3, upsample="nearest", initializer="glorot_uniform"),
    ModelOptions(kind="unet", filters=3, depth=1, growth=1.5, convolutions=1, up_kernel=4, activation="gelu", initializer="he_uniform"),
    ModelOptions(kind="unet", filters=4, depth=2, up_kernel=3, norm="none", activation="silu", initializer="glorot_normal"),
    ModelOptions(kind="unet", filters=4, depth=2, subpixel=2),
    ModelOptions(kind="resunet", filters=4, depth=1, subpixel=4),
    ModelOptions(kind="resunet", filters=4, depth=2, up_kernel=5, activation="leaky_relu", dropout=0.1),
]


@pytest.fixture(params=VARIANTS, ids=lambda options: f"{options.kind}-{options.norm}-{options.upsample}{options.up_kernel}")
def options(request: pytest.FixtureRequest) -> ModelOptions:
    variant: ModelOptions = request.param
    return variant


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (37, 51), (16, 5)])
def test_output_has_the_size_of_the_input(options: ModelOptions, size: tuple[int, int]) -> None:
    network = build_network(options, bands=5, classes=3).eval()
    assert network(torch.zeros(2, 5, *size)).shape == (2, 3, *size)


def test_first_weights_depend_on_the_seed_alone(options: ModelOptions) -> None:
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    first, again, other = (build_network(options, 2, 2, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_every_parameter_learns(options: ModelOptions) -> None:
    network = build_network(options, 3, 2).train()
    loss = network(torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))).square().mean()
    loss.backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.isfinite().all()]
    assert silent == []


def test_a_doubled_image_is_not_shifted() -> None:
    """The output of a constant image is constant away from the border: no row or column is lost in the decoder."""
    network = build_network(ModelOptions(filters=4, depth=2, norm="none", up_kernel=2), 1, 2).eval()
    with torch.inference_mode():
        out = network(torch.ones(1, 1, 64, 64))[0, :, 24:40, 24:40]
    assert torch.allclose(out[:, ::4, ::4], out[:, :1, :1], atol=1e-5)


def test_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel is 4; it must be odd"):
        ModelOptions(kernel=4)


def test_precision_follows_the_documented_rule() -> None:
    cpu = torch.device("cpu")
    assert choose_runtime("cpu", "auto").precision == ("bfloat16" if has_bfloat16(cpu) else "float32")
    assert choose_runtime("cpu", "float32").precision == "float32"


def test_logits_are_float32_in_every_precision() -> None:
    network = build_network(ModelOptions(filters=4, depth=1), 1, 2).eval()
    image = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    exact, rough = (choose_runtime("cpu", precision).logits(network, image) for precision in ("float32", "bfloat16"))
    assert exact.dtype == rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    assert torch.allclose(exact, rough, atol=0.1)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="'nowhere'"):
        choose_runtime("nowhere", "auto")
