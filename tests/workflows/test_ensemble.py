"""The mean of several models, from the command line and from Python."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from terrazzo.app import cli
from terrazzo.errors import ConflictError, ModelError, RecipeError, UsageError
from terrazzo.models.bundle import CARD
from terrazzo.prediction import keeping
from terrazzo.workflows.context import Context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.model import load
from terrazzo.workflows.predict import predict

Another = Callable[..., Path]
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def another(tiny_run: Any, tmp_path: Path) -> Another:
    """The model of the run with a card that is changed; by itself, it takes darker pixels."""

    def darker(card: dict[str, Any]) -> None:
        card["scaling"]["bands"][0]["offset"] -= 30

    def write(name: str = "other", change: Change = darker) -> Path:
        folder: Path = shutil.copytree(tiny_run.run / "model", tmp_path / name)
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        change(card)
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
        return folder

    return write


def shares(out: Path) -> NDArray[np.uint16]:
    with rasterio.open(out / "a_probabilities.tif") as file:
        found: NDArray[np.uint16] = file.read()
    return found


def test_with_other_models_maps_are_of_the_mean(
    tiny_run: Any, another: Another, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, others = str(tiny_run.folder / "images" / "a.tif"), [another("b"), another("c", lambda card: card["scaling"]["bands"].reverse())]
    found = {}
    for name, models in {"alone": [], "b": others[:1], "c": others[1:], "all": others}.items():
        flags = [part for model in models for part in ("--with", str(model))]
        typed = ["predict", str(tiny_run.run), *flags, image, str(tmp_path / name), "--probabilities", "--overlay", "--device", "cpu"]
        assert cli.main(typed) == 0, capsys.readouterr().err
        found[name] = shares(tmp_path / name).astype(np.int64)
        assert (tmp_path / name / "a_segoverlay.png").exists()
    # of each mean the sum is known but for the rounding of windows and of their blend
    assert np.abs(3 * found["all"] - (2 * found["b"] + 2 * found["c"] - found["alone"])).max() <= 8
    assert np.abs(found["all"] - found["alone"]).max() > 1000


def test_the_same_models_keep_their_maps_and_others_are_refused(tiny_run: Any, another: Another, tmp_path: Path, context_of: Any) -> None:
    image, others, context = tiny_run.folder / "images" / "a.tif", [another("b"), another("c")], context_of()
    predict(tiny_run.run, [image], tmp_path / "maps", context, with_=others[:1])
    assert "1 of them kept" in predict(tiny_run.run, [image], tmp_path / "maps", context, with_=others[:1]).text
    # another place, the same model
    assert "1 of them kept" in predict(tiny_run.run, [image], tmp_path / "maps", context, with_=others[1:]).text
    for models in ([], others):
        with pytest.raises(ConflictError, match=r"did not make: a_predseg\.tif") as caught:
            predict(tiny_run.run, [image], tmp_path / "maps", context, with_=models)
        assert caught.value.exit_code == 6


@pytest.mark.parametrize("processes", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_parts_of_a_map_are_of_all_models(
    tiny_run: Any, another: Another, tmp_path: Path, context_of: Any, monkeypatch: pytest.MonkeyPatch, processes: int | None
) -> None:
    """In commands of their own, and by several processes."""
    context, images, others = context_of(None, "prediction.probabilities=true"), [tiny_run.folder / "images"], [another("b")]
    if processes is None:
        monkeypatch.setattr(keeping, "BLOCK_PX", 8 * 48 - 1)
    predict(tiny_run.run, images, tmp_path / "whole", context, with_=others)
    for number in (2, 1) if processes is None else ():
        predict(tiny_run.run, images, tmp_path / "out", context, with_=others, part=f"{number}/2")
    predict(tiny_run.run, images, tmp_path / "out", context, with_=others, processes=processes)
    found, expected = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("out", "whole"))
    assert found == expected


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda card: card["legend"]["classes"][1].update(name="lake"), "classes differ, 'lake' of value 7 and 'water' of value 7"),
        (lambda card: card["reading"].update(invalid="any"), r"\[data\] invalid differ, any and all"),
        (lambda card: card.update(cell_size=[3, 3]), "cell sizes differ, 3 x 3 and 2 x 2"),
    ],
)
def test_a_model_that_is_not_alike_is_refused_before_anything_is_read(
    tiny_run: Any, another: Another, tmp_path: Path, context_of: Any, change: Change, difference: str
) -> None:
    other = another("other", change)
    with pytest.raises(ModelError, match=f"other and .*cannot be averaged: their {difference}") as caught:
        predict(tiny_run.run, [tmp_path / "no image"], tmp_path / "maps", context_of(), with_=[other])
    assert caught.value.exit_code == 4
    assert not (tmp_path / "maps").exists()


def test_images_unlike_those_of_one_training_are_told(
    tiny_run: Any, another: Another, tmp_path: Path, context_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other = another("other", lambda card: card["scaling"]["bands"][1]["statistics"].update(mean=9000.0))
    predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path / "maps", context_of(), with_=[other])
    assert "unlike those that a model of the ensemble was trained on, so that maps may be poor: a.tif: band 2" in caplog.text
    assert "in training 9000" in caplog.text


class TestFromPython:
    def test_several_are_loaded_as_one(self, tiny_run: Any, another: Another, tmp_path: Path) -> None:
        other, image = another(), tiny_run.folder / "images" / "a.tif"
        model = load([tiny_run.run, str(other)], "cpu")
        predict(tiny_run.run, [image], tmp_path, Context(device="cpu"), with_=[other])
        with rasterio.open(tmp_path / "a_predseg.tif") as file:
            assert np.array_equal(model.predict(image).classes, file.read(1))
        assert (model.run, model.result, model.report) == (None, None, None)

    def test_one_in_a_list_is_that_one(self, tiny_run: Any) -> None:
        assert load([tiny_run.run], "cpu").run == tiny_run.run

    def test_they_are_judged_together(self, tiny_run: Any, another: Another, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under the names of all."""
        monkeypatch.chdir(tmp_path)
        other, images, labels = another(), tiny_run.folder / "images", tiny_run.folder / "labels"
        found = load([tiny_run.run, other], "cpu").evaluate(images, labels)
        predict(tiny_run.run, [images], tmp_path / "maps", Context(device="cpu"), with_=[other])
        by_verbs = evaluate(tmp_path / "maps", labels, tmp_path / "scores", Context(device="cpu"))
        assert found.facts["pixels"] == by_verbs.facts["pixels"]
        assert (tmp_path / "evaluations" / "run+other" / "report.html").is_file()

    def test_none_or_no_model(self, tiny_run: Any, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no model is given"):
            load([])
        with pytest.raises(RecipeError, match="no model at"):
            load([tiny_run.run, tmp_path / "nothing"])
