"""train with [model] start: what is taken over of a model, kept in the run, and refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from terrazzo.errors import ConflictError, DataError, RecipeError
from terrazzo.models.bundle import load_bundle
from terrazzo.models.network import choose_runtime
from terrazzo.recipes.recipe import load_recipe
from terrazzo.training.fit import Trainer
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context
from terrazzo.workflows.course import Course, plan
from terrazzo.workflows.lesson import chosen_lesson
from terrazzo.workflows.start import find_start, going_on
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]
ALONE = ("filters = 4\ndepth = 2\n", "")


@pytest.fixture
def model(tiny_run: Any, tmp_path: Path) -> Path:
    """A copy of the tiny run's model, of 4 filters and depth 2, that tests may take away."""
    return Path(shutil.copytree(tiny_run.run / "model", tmp_path / "old"))


@pytest.fixture
def recipe(data: Path, model: Path) -> Path:
    """A recipe that names the model by a relative path, and says nothing of its network."""
    text = data.read_text(encoding="utf-8").replace(*ALONE)
    data.write_text(text.replace("[model]\n", f'[model]\nstart = "../{model.name}"\n'), encoding="utf-8")
    return data


def planned(recipe: Path, context: Context) -> Course:
    start = find_start(RunFolder(path=recipe.parent / "none"), context)
    context = going_on(start, context)
    return plan(chosen_lesson(None, context), choose_runtime("cpu", "float32"), context, start=start)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_it_begins_with_weights_and_scaling_of_the_model(recipe: Path, model: Path, context_of: ContextOf) -> None:
    course, bundle = planned(recipe, context_of(recipe)), load_bundle(model)
    assert course.scaling == bundle.scaling
    donor = choose_runtime("cpu", "float32").place(bundle.network)  # sums differ in their last bit in another layout
    image = torch.randn(1, 2, 13, 17, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(course.trainer.network.eval()(image), donor(image))
    assert all(torch.equal(tensor, bundle.network.state_dict()[name]) for name, tensor in course.trainer.average.items())


def test_other_classes_keep_what_both_know(recipe: Path, model: Path, context_of: ContextOf) -> None:
    course = planned(recipe, context_of(recipe, 'legend.classes=["ice","water"]'))
    ours, theirs = course.trainer.network.get_parameter("head.weight"), load_bundle(model).network.get_parameter("head.weight")
    assert torch.equal(ours[1], theirs[1])
    assert not torch.equal(ours[0], theirs[0])


def test_the_run_keeps_the_whole_recipe_and_no_path_in_its_model(recipe: Path, model: Path, context_of: ContextOf, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run", context=context_of(recipe, "training.epochs=1", "model.dropout=0.1"))
    kept = load_recipe(tmp_path / "run" / "recipe.toml").recipe
    assert (kept.model.filters, kept.model.depth, kept.model.dropout) == (4, 2, 0.1)
    card = load_bundle(tmp_path / "run").card
    assert (card.network.filters, card.network.start) == (4, None)
    assert str(model.parent) not in (tmp_path / "run" / "model" / "model.json").read_text(encoding="utf-8")
    train(tmp_path / "run" / "recipe.toml", tmp_path / "again", context=context_of(tmp_path / "run" / "recipe.toml"))
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("run", "again")]
    assert weights[0] == weights[1]


def test_a_run_goes_on_without_the_model(
    recipe: Path, model: Path, context_of: ContextOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, tmp_path / "whole", context=context_of(recipe))
    with monkeypatch.context() as patch:
        keep, calls = Trainer.keep, []

        def once(self: Trainer, *rest: Any) -> None:
            keep(self, *rest)
            calls.append(1)
            killed()

        patch.setattr(Trainer, "keep", once)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "run", context=context_of(recipe))
    assert calls
    shutil.rmtree(model)
    train(recipe, tmp_path / "run", resume=True, context=context_of(recipe))
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert weights[0] == weights[1]


def test_a_run_that_has_not_begun_takes_no_other_model(
    recipe: Path, model: Path, context_of: ContextOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "run", context=context_of(recipe))
    card = model / "model.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"python"', '"Python"') + "\n", encoding="utf-8")
    with pytest.raises(ConflictError, match="another model than when this run began"):
        train(recipe, tmp_path / "run", resume=True, context=context_of(recipe))


def test_a_damaged_record_is_a_sentence(recipe: Path, context_of: ContextOf, tmp_path: Path) -> None:
    folder = RunFolder(path=tmp_path)
    folder.recipe.write_text("")
    folder.start.write_text("{}")
    with pytest.raises(ConflictError, match="is damaged"):
        find_start(folder, context_of(recipe))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("model.filters=8", r"filters = 8 \(4 there\): the model to go on from, .*, has another network"),
        ("model.kind=resunet", r"kind = resunet \(unet there\)"),
        ("data.scaling=robust", r"scaling = robust: the model to go on from, .*, has standard, standard for its bands"),
        ("model.start=nowhere", "no model at"),
    ],
)
def test_what_does_not_go_with_the_model_is_refused_before_anything_is_written(
    recipe: Path, context_of: ContextOf, tmp_path: Path, option: str, sentence: str
) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        train(recipe, tmp_path / "run", context=context_of(recipe, option))
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_images_of_other_bands_are_refused(recipe: Path, context_of: ContextOf, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the images have 1 bands, the model to go on from sees 2"):
        train(recipe, tmp_path / "run", context=context_of(recipe, "data.bands=[1]"))


def test_nothing_to_train_needs_a_model_to_evaluate(data: Path, context_of: ContextOf, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"training\.epochs is 0.*Name it with \[model\] start"):
        train(data, tmp_path / "run", context=context_of(data, "training.epochs=0"))
    assert not (tmp_path / "run").exists()


def test_classes_that_it_does_not_know_cannot_be_evaluated(recipe: Path, context_of: ContextOf, tmp_path: Path) -> None:
    given = ("training.epochs=0", "legend.classes=['land', 'ice']")
    with pytest.raises(RecipeError, match=r"does not know the classes ice; it knows land, water.*Name the classes as it does"):
        train(recipe, tmp_path / "run", context=context_of(recipe, *given))


def test_it_does_not_go_with_pretrained_weights(recipe: Path, context_of: ContextOf) -> None:
    with pytest.raises(RecipeError, match="Leave one of them out"):
        context_of(recipe, 'model.architecture="Unet"', "model.pretrained=true")


def test_instance_norm_of_a_single_pixel_is_refused(data: Path, context_of: ContextOf, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leaves nothing to see"):
        train(data, tmp_path / "run", context=context_of(data, "model.norm=instance", "model.depth=4"))
