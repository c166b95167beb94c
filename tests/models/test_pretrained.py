"""Pretrained encoders: files of several namings, other band counts, and what is refused."""

import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from terrazzo.errors import EnvironmentFault, ModelError, RecipeError
from terrazzo.models.backbone import Backbone
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.models.pretrained import adapted, fetched, load_pretrained

ENCODER = "resnet18"


def options(pretrained: Path, encoder: str = ENCODER) -> ModelOptions:
    return ModelOptions(architecture="Unet", encoder=encoder, pretrained=pretrained)


def build(bands: int, seed: int, encoder: str = ENCODER) -> Backbone:
    network = build_network(ModelOptions(architecture="Unet", encoder=encoder), bands, 2, seed)
    assert isinstance(network, Backbone)
    return network


@pytest.fixture(scope="module")
def donor() -> Backbone:
    """A network of three bands that has learned something."""
    network = build(3, seed=5)
    network.train()(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    return network


def save(path: Path, network: nn.Module, prefix: str = "", **more: torch.Tensor) -> Path:
    save_file({prefix + name: tensor.clone() for name, tensor in network.state_dict().items()} | more, path)
    return path


def encoder_of(network: Backbone) -> nn.Module:
    encoder = network.network.encoder
    assert isinstance(encoder, nn.Module)
    return encoder


@pytest.mark.parametrize("prefix", ["", "encoder.", "network.encoder."])
def test_a_file_of_an_encoder_alone_or_within_a_network(donor: Backbone, tmp_path: Path, prefix: str) -> None:
    path = save(
        tmp_path / "w.safetensors", encoder_of(donor), prefix, **{"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    )
    network = build(3, seed=1)
    decoder = {name: tensor.clone() for name, tensor in network.state_dict().items() if ".encoder." not in name}
    load_pretrained(network, options(path))
    wanted, found = encoder_of(donor).state_dict(), encoder_of(network).state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted if not name.endswith("num_batches_tracked"))
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in decoder.items())


@pytest.mark.parametrize("bands", [1, 2, 4, 5, 12])
def test_the_first_convolution_is_adapted_to_the_bands(donor: Backbone, tmp_path: Path, bands: int) -> None:
    path = save(tmp_path / "w.safetensors", encoder_of(donor))
    network = build(bands, seed=1)
    load_pretrained(network, options(path))
    first = encoder_of(donor).get_parameter("conv1.weight")
    assert torch.equal(encoder_of(network).get_parameter("conv1.weight"), adapted(first, bands))


@pytest.mark.parametrize("bands", [1, 3, 6, 12])
def test_equal_bands_give_what_they_gave(bands: int) -> None:
    weight = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(adapted(weight, bands).sum(1), weight.sum(1), atol=1e-5)
    assert adapted(weight, bands).shape == (4, bands, 5, 5)


def test_an_encoder_of_timm_takes_the_file_that_timm_publishes(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(3)
    published = timm.create_model("convnext_atto", pretrained=False)
    path = save(tmp_path / "w.safetensors", published)
    network = build(4, seed=1, encoder="tu-convnext_atto")
    load_pretrained(network, options(path, "tu-convnext_atto"))
    found = encoder_of(network).state_dict()
    assert torch.equal(found["model.stem_0.weight"], adapted(published.state_dict()["stem.0.weight"], 4))
    assert torch.equal(found["model.stages_3.blocks.0.conv_dw.weight"], published.state_dict()["stages.3.blocks.0.conv_dw.weight"])


def test_nothing_is_loaded_where_nothing_is_asked() -> None:
    network = build(3, seed=1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_pretrained(network, ModelOptions(architecture="Unet", encoder=ENCODER))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_pickles_of_torch_are_refused_unread(tmp_path: Path) -> None:
    for name, zipped in (("w.pth", True), ("w.safetensors", False)):
        torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match="may run code when it is opened"):
            load_pretrained(build(3, seed=1), options(tmp_path / name))


def test_other_files_are_refused_in_a_sentence(donor: Backbone, tmp_path: Path) -> None:
    network = build(3, seed=1)
    with pytest.raises(RecipeError, match="there is no file"):
        load_pretrained(network, options(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("weights, honestly")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        load_pretrained(network, options(tmp_path / "text.safetensors"))
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "part.safetensors")
    with pytest.raises(ModelError, match="does not hold the weights of encoder 'resnet18'"):
        load_pretrained(network, options(tmp_path / "part.safetensors"))
    with pytest.raises(ModelError, match="does not hold the weights of encoder 'mobilenet_v2'"):
        load_pretrained(
            build(3, seed=1, encoder="mobilenet_v2"), options(save(tmp_path / "w.safetensors", encoder_of(donor)), "mobilenet_v2")
        )


def test_a_tensor_of_another_shape_is_named(donor: Backbone, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in encoder_of(donor).state_dict().items()}
    state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 5, 5)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"'layer1.0.conv1.weight' is of shape \(64, 64, 5, 5\), in this encoder of \(64, 64, 3, 3\)"):
        load_pretrained(build(3, seed=1), options(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("encoder", [ENCODER, "tu-convnext_atto"])
def test_without_a_network_fetching_ends_at_once_in_a_sentence(encoder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://nowhere.invalid")
    began = time.monotonic()
    with pytest.raises(
        EnvironmentFault, match=f"weights of '{encoder}' .* cannot be fetched from http://nowhere.invalid.*pretrained = false"
    ):
        fetched(encoder)
    assert time.monotonic() - began < 10


def test_where_the_network_is_not_to_be_asked_it_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EnvironmentFault, match=r"HF_HUB_OFFLINE is set\).*pretrained = false"):
        fetched(ENCODER)


def test_an_encoder_that_nobody_trained_is_named() -> None:
    with pytest.raises(RecipeError, match="nobody offers weights of encoder 'tu-test_"):
        fetched("tu-test_none")
