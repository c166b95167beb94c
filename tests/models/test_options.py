"""[model]: what goes together, and what does not."""

from pathlib import Path

import pytest

from terrazzo.errors import RecipeError
from terrazzo.models.network import check_network
from terrazzo.models.options import ARCHITECTURES, ModelOptions
from terrazzo.recipes.recipe import TABLES, make_recipe, to_toml
from terrazzo.recipes.settings import parse_set


def options(*sets: str) -> ModelOptions:
    return make_recipe([parse_set(f"model.{text}", TABLES) for text in sets]).model


def test_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel is 4; it must be odd"):
        ModelOptions(kernel=4)


@pytest.mark.parametrize("name", ["unet", "Unet", "UNET"])
def test_architectures_are_found_whatever_the_case(name: str) -> None:
    assert options(f"architecture={name}").architecture == "Unet"


def test_names_are_those_of_the_library() -> None:
    import segmentation_models_pytorch as smp

    assert {name.lower() for name in ARCHITECTURES} == set(smp.MODEL_ARCHITECTURES_MAPPING)
    assert all(hasattr(smp, name) for name in ARCHITECTURES)


def test_an_unknown_architecture_is_named_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="no architecture 'unetplus'; did you mean 'UnetPlusPlus'"):
        options("architecture=unetplus")
    with pytest.raises(RecipeError, match="no architecture 'xyz'; known are Unet, "):
        options("architecture=xyz")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["encoder=resnet18"], "encoder needs an architecture"),
        (["pretrained=true"], "pretrained needs an architecture"),
        (["architecture=Unet", "pretrained=true", "subpixel=2"], "do not go with subpixel"),
    ],
)
def test_options_that_do_not_go_together_are_refused(sets: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        options(*sets)


def test_pretrained_is_a_switch_or_a_path(tmp_path: Path) -> None:
    assert options("architecture=Unet", "pretrained=true").pretrained is True
    assert options("architecture=Unet", "pretrained=false").pretrained is False
    given = options("architecture=Unet", "pretrained=weights.safetensors").pretrained
    assert given == Path("weights.safetensors").absolute()
    kept = ModelOptions(architecture="Unet", pretrained=Path("weights.safetensors"))
    assert kept.within(tmp_path).pretrained == tmp_path / "weights.safetensors"
    assert kept.pathless().pretrained is True


def test_a_recipe_with_an_architecture_comes_back_from_toml() -> None:
    import tomllib

    recipe = make_recipe([parse_set(f"model.{text}", TABLES) for text in ("architecture=FPN", "pretrained=w.safetensors")])
    assert type(recipe).model_validate(tomllib.loads(to_toml(recipe))) == recipe


def test_the_name_tells_architecture_and_encoder() -> None:
    assert options("kind=resunet").name == "resunet"
    assert options("architecture=fpn", "encoder=mit_b0").name == "FPN on mit_b0"


def test_options_without_effect_are_told(caplog: pytest.LogCaptureFixture) -> None:
    check_network(options("architecture=Unet", "encoder=resnet18", "filters=16", "norm=group"))
    assert "[model] filters, norm: no effect on architecture Unet." in caplog.text
    assert options("filters=16").idle == []
