"""A trained model as a Python object: `tz.load(MODEL)`."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrazzo.errors import ConflictError, ModelError, RecipeError
from terrazzo.models.bundle import CARD
from terrazzo.recipes.recipe import Recipe
from terrazzo.workflows.context import Context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.model import load
from terrazzo.workflows.predict import predict
from terrazzo.workflows.train import train


@pytest.fixture
def alone(tiny_run: Any, tmp_path: Path) -> Path:
    """The model of the run, by itself."""
    return Path(shutil.copytree(tiny_run.run / "model", tmp_path / "alone"))


def pixels(result: Any) -> Any:
    return result.facts["pixels"]


def test_a_run_loaded_later_predicts_evaluates_and_reports(tiny_run: Any, tmp_path: Path) -> None:
    model = load(str(tiny_run.run), "cpu")
    with rasterio.open(tiny_run.run / "maps" / "d_predseg.tif") as kept:
        assert np.array_equal(model.predict(tiny_run.folder / "images" / "d.tif").classes, kept.read(1))
    assert model.report == tiny_run.run / "report.html"
    assert str(model.result) == str(tiny_run.result)
    found = model.evaluate(tiny_run.folder / "images", tiny_run.folder / "labels", tmp_path / "scores")
    predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "maps", Context(device="cpu"))
    by_verbs = evaluate(tmp_path / "maps", tiny_run.folder / "labels", tmp_path / "others", Context(device="cpu"))
    assert pixels(found) == pixels(by_verbs)
    assert sorted(path.name for path in (tmp_path / "scores" / "maps").glob("*.tif")) == [f"{name}_predseg.tif" for name in "abcd"]
    assert (tmp_path / "scores" / "report.html").is_file()


def test_a_model_by_itself_is_in_no_run(alone: Path, tiny_run: Any, tmp_path: Path) -> None:
    model = load(alone, "cpu")
    assert (model.run, model.result, model.report) == (None, None, None)
    found = model.evaluate(tiny_run.folder / "images", tiny_run.folder / "labels", tmp_path / "scores")
    assert pixels(found) == pixels(load(tiny_run.run).evaluate(tiny_run.folder / "images", tiny_run.folder / "labels", tmp_path / "run"))


def test_an_evaluation_is_kept_and_never_mixed_with_another(tiny_run: Any, tmp_path: Path) -> None:
    model, images = load(tiny_run.run, "cpu"), tiny_run.folder / "images"
    first = model.evaluate(images / "a.tif", tiny_run.folder / "labels" / "a.png", tmp_path / "scores")
    again = model.evaluate(images / "a.tif", tiny_run.folder / "labels" / "a.png", tmp_path / "scores")
    assert pixels(again) == pixels(first)
    assert "kept" in str(again)
    Image.fromarray(np.full((40, 48), 7, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(ConflictError, match="Give another OUT"):
        model.evaluate(images / "a.tif", tmp_path / "a.png", tmp_path / "scores")


def test_images_that_it_learned_from_are_told(tiny_run: Any, alone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By their bytes, whatever they are called now."""
    images, labels = tmp_path / "images", tiny_run.folder / "labels"
    images.mkdir()
    for name in "cd":
        shutil.copy(tiny_run.folder / "images" / f"{name}.tif", images)
    load(tiny_run.run, "cpu").evaluate(images, labels, tmp_path / "new")
    assert "learned" not in caplog.text
    shutil.copy(tiny_run.folder / "images" / "a.tif", images / "d.tif")
    load(alone, "cpu").evaluate(images, labels, tmp_path / "alone")
    assert "learned" not in caplog.text
    load(tiny_run.run, "cpu").evaluate(images, labels, tmp_path / "old")
    assert "The model learned from 1 of 2 images: d.tif. Scores of these flatter it." in caplog.text


def test_labels_are_paired_and_read_as_in_training(data: Path, context_of: Any, tmp_path: Path) -> None:
    """Masks named otherwise, of other values than the maps': the run knows both."""
    labels = data.parent / "labels"
    for path in sorted(labels.glob("*.png")):
        values = np.asarray(Image.open(path))
        Image.fromarray(np.where(values == 7, 90, values).astype(np.uint8)).save(labels / f"{path.stem}_mask.png")
        path.unlink()
    train(data, tmp_path / "run", context=context_of(data, "data.pair_suffix=_mask", "legend.remap={90 = 7}", "training.epochs=1"))
    model = load(tmp_path / "run", "cpu")
    found = model.evaluate(data.parent / "images", labels, tmp_path / "scores")
    assert [entry["support"] > 0 for entry in pixels(found)["classes"]] == [True, True]


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no model at"):
        load(tmp_path / "nothing")


def test_a_card_whose_recipe_is_damaged_is_named(alone: Path, tiny_run: Any, tmp_path: Path) -> None:
    card = json.loads((alone / CARD).read_text(encoding="utf-8"))
    assert Recipe.model_validate(card["recipe"]).legend.values == [0, 7]
    card["recipe"]["legend"] = 3
    (alone / CARD).write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ModelError, match="a recipe that is not valid"):
        load(alone, "cpu").evaluate(tiny_run.folder / "images", tiny_run.folder / "labels", tmp_path / "scores")
