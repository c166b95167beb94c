"""train: from a recipe to a run; resumed, repeated, refused."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from terrazzo.errors import ConflictError, DataError, DivergedError, EnvironmentFault, LabelError, ModelError, RecipeError
from terrazzo.models.bundle import load_bundle
from terrazzo.recipes.recipe import load_recipe
from terrazzo.reporting.figures import score_text
from terrazzo.samples.table import load
from terrazzo.samples.tfrecord.records import read_records
from terrazzo.training.checkpoint import load_checkpoint
from terrazzo.training.fit import LAST, Trainer
from terrazzo.training.losses.total import build_loss
from terrazzo.training.metrics import ValidationRow
from terrazzo.workflows.account_tables import TABLES
from terrazzo.workflows.context import Context
from terrazzo.workflows.preview import preview
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("pretrained", "error", "message"),
    [
        ("true", EnvironmentFault, "are not on this machine and cannot be fetched"),
        ("nothing.safetensors", RecipeError, "there is no file .*nothing.safetensors"),
        ("of_another.safetensors", ModelError, "does not hold the weights of encoder 'resnet18'"),
    ],
)
def test_pretrained_weights_that_cannot_be_had_are_told_before_an_image_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretrained: str, error: type[Exception], message: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://nowhere.invalid")
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "of_another.safetensors")
    (tmp_path / "recipe.toml").write_text(
        '[data]\nimages = "no/such/images"\nlabels = "no/such/labels"\n'
        f'[model]\narchitecture = "Unet"\nencoder = "resnet18"\npretrained = {pretrained if pretrained == "true" else repr(pretrained)}\n',
        encoding="utf-8",
    )
    with pytest.raises(error, match=message):
        train(tmp_path / "recipe.toml", tmp_path / "run")
    assert not (tmp_path / "run" / "recipe.toml").exists()


class TestARun:
    def test_holds_what_people_script_against(self, tiny_run: Any) -> None:
        names = set(contents(tiny_run.run))
        wanted = "recipe.toml samples.parquet metrics.jsonl model/model.safetensors model/model.json evaluation.json report.html"
        assert set(wanted.split()) <= names
        where = {f"errors/{scene}_errors.{ending}" for scene in "abcd" for ending in ("tif", "qml")} | {
            "error_map.gpkg",
            "suspicious.parquet",
        }
        rest = {"checkpoints/last.safetensors", "checkpoints/best.safetensors", "maps/d_predseg.tif", "split.csv"}
        assert {"classes.csv", "confusion.csv", "calibration.csv", "thresholds.csv", "area.csv"} <= names
        assert names - set(wanted.split()) - {*TABLES, "metrics.csv", "train_sample_batch.png", "val_sample_batch.png"} == rest | where

    def test_leaves_curves_log_and_report_of_each_class(self, tiny_run: Any) -> None:
        log = pd.read_csv(tiny_run.run / "metrics.csv")
        epochs = [json.loads(line) for line in (tiny_run.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert log["loss"].tolist() == [epoch["loss"] for epoch in epochs]
        assert log["validation_mean_dice"].tolist() == [epoch["validation"]["mean_dice"] for epoch in epochs]
        assert log["validation_dice_water"].tolist() == [epoch["validation"]["dice"][1] for epoch in epochs]
        classes = pd.read_csv(tiny_run.run / "classes.csv")
        assert classes["class"].tolist() == ["land", "water"]
        assert classes[["precision", "recall", "f1", "support"]].notna().to_numpy().all()
        page = (tiny_run.run / "report.html").read_text(encoding="utf-8")
        assert page.count("<svg") >= 2
        assert "data:image/png;base64," in page

    def test_the_report_shows_history_images_and_confidence(self, tiny_run: Any) -> None:
        page = (tiny_run.run / "report.html").read_text(encoding="utf-8")
        found = json.loads((tiny_run.run / "evaluation.json").read_text(encoding="utf-8"))
        assert [name for name in ("Loss", "Validation scores", "Learning rate") if f">{name}</text>" in page] == [
            "Loss",
            "Validation scores",
            "Learning rate",
        ]
        assert f"<dt>Mean confidence</dt><dd>{score_text(found['calibration']['mean_confidence'])}" in page
        assert page.count("data:image/png;base64,") == 6
        assert 'id="places"' in page
        assert all(f"<code>{name}</code>" in page for name in ("metrics.csv", "maps/", "model/", "error_map.gpkg"))

    def test_names_it_by_absolute_paths(self, tiny_run: Any) -> None:
        written = tiny_run.result.written
        assert written["run"] == tiny_run.run.resolve()
        assert written["outputs"] == [tiny_run.run / name for name in ("maps/d_predseg.tif", "error_map.gpkg", "suspicious.parquet")]
        assert set(written) == {"run", "model", "evaluation", "report", "samples", "outputs"}
        assert all(written[key].exists() for key in ("model", "evaluation", "report", "samples"))
        assert "Evaluated on the test part, 1 images." in tiny_run.result.text

    def test_keeps_the_resolved_recipe(self, tiny_run: Any) -> None:
        kept = load_recipe(tiny_run.run / "recipe.toml").recipe
        assert kept.training == tiny_run.context().recipe.training
        assert kept.augment == tiny_run.context().recipe.augment

    def test_evaluation_has_the_documented_keys(self, tiny_run: Any) -> None:
        found = json.loads((tiny_run.run / "evaluation.json").read_text(encoding="utf-8"))
        assert {"pixels", "samples", "images", "valid_pixels"} <= set(found)
        pixels = found["pixels"]
        assert {"accuracy", "mean_iou", "mean_dice", "frequency_weighted_iou", "mcc", "confusion", "classes", "macro", "weighted"} <= set(
            pixels
        )
        assert [(entry["value"], entry["name"]) for entry in pixels["classes"]] == [(0, "land"), (7, "water")]
        assert {"value", "name", "precision", "recall", "f1", "f2", "iou", "support"} == set(pixels["classes"][0])
        assert (tiny_run.run / found["samples"]).exists()
        assert found["valid_pixels"] == sum(map(sum, pixels["confusion"]))
        assert found["images"] == 1
        assert found["part"] == "test"

    def test_one_line_of_metrics_an_epoch(self, tiny_run: Any) -> None:
        rows = [json.loads(line) for line in (tiny_run.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["epoch"] for row in rows] == [1, 2]
        assert all(row["validation"]["mean_dice"] is not None for row in rows)

    def test_the_samples_table_opens_elsewhere_and_has_scores_of_every_part(self, tiny_run: Any) -> None:
        frame = geopandas.read_parquet(tiny_run.run / "samples.parquet")
        assert frame.crs.to_epsg() == 32633
        assert frame[["accuracy", "mean_dice", "entropy", "margin", "confidence"]].to_numpy().min() >= 0
        assert frame[["accuracy", "mean_dice", "entropy", "margin", "confidence"]].to_numpy().max() <= 1
        assert (frame["loss"] > 0).all()
        assert dict(frame["split"].value_counts()) == {"train": 40, "validation": 20, "test": 20}

    def test_the_report_asks_nothing_from_outside(self, tiny_run: Any) -> None:
        text = (tiny_run.run / "report.html").read_text(encoding="utf-8")
        assert "water" in text
        assert 'src="http' not in text
        assert 'href="http' not in text

    def test_the_weights_hold_no_metadata_and_nothing_names_the_machine(self, tiny_run: Any) -> None:
        with safe_open(tiny_run.run / "model" / "model.safetensors", framework="pt") as file:
            assert file.metadata() is None
        folder = str(tiny_run.folder)
        assert folder not in (tiny_run.run / "model" / "model.json").read_text(encoding="utf-8")
        assert folder.encode() not in (tiny_run.run / "maps" / "d_predseg.tif").read_bytes()

    def test_the_card_says_how_pixels_are_read(self, tiny_run: Any) -> None:
        card = load_bundle(tiny_run.run).card
        assert (card.bands, card.window, card.cell_size, card.crs) == (2, (16, 16), (2.0, 2.0), "EPSG:32633")
        assert (card.reading.images, card.reading.labels, card.reading.root) == (None, None, None)
        assert card.recipe["prediction"]["precision"] == "float32"
        assert {"terrazzo", "torch", "python"} <= set(card.versions)


def valid_training_pixels(folder: Path) -> NDArray[np.float64]:
    """(bands, pixels) of the training images: every pixel once, though windows overlap."""
    found = []
    for name in "ab":
        with rasterio.open(folder / "images" / f"{name}.tif") as file:
            values = file.read().astype(np.float64)
        found.append(values[:, values[0] != 0])
    return np.concatenate(found, axis=1)


def test_the_model_knows_the_best_thresholds_by_the_validation_part_alone(
    tiny_run: Any, data: Path, tmp_path: Path, context_of: ContextOf
) -> None:
    found = load_bundle(tiny_run.run).card.thresholds
    assert set(found) == {"land", "water"}
    assert all(0 < share < 1 for best in found.values() for share in best.values())
    assert found["water"]["f2"] <= found["water"]["f1"]
    # the image of the test part, turned upside down
    with rasterio.open(data.parent / "images" / "d.tif", "r+") as file:
        file.write(file.read()[:, ::-1])
    train(data, tmp_path / "run", context=context_of(data))
    assert load_bundle(tmp_path / "run").card.thresholds == found


def test_a_run_counts_what_its_maps_leave_unsure_as_not_predicted(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    train(data, tmp_path / "run", context=context_of(data, "prediction.unsure=0.55"))
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    with rasterio.open(tmp_path / "run" / "maps" / "d_predseg.tif") as file:
        unsure = file.read(1) == 254
    truth = np.asarray(Image.open(data.parent / "labels" / "d.png"))
    assert found["pixels"]["unpredicted"] == np.count_nonzero(unsure & (truth != 255))
    assert found["pixels"]["unpredicted"] > 0
    assert found["valid_pixels"] + found["pixels"]["unpredicted"] == 40 * 48 - 20 - 1
    assert " %) have no prediction and are in no score" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_scaling_counts_every_valid_training_pixel_once(tiny_run: Any) -> None:
    values = valid_training_pixels(tiny_run.folder)
    for band, scaling in enumerate(load_bundle(tiny_run.run).scaling.bands):
        assert scaling.statistics.mean == pytest.approx(values[band].mean(), rel=1e-12)
        assert scaling.statistics.sd == pytest.approx(values[band].std(), rel=1e-12)
        assert scaling.statistics.median == np.median(values[band])


class TestAgain:
    def test_a_finished_run_is_not_rewritten(self, tiny_run: Any, caplog: pytest.LogCaptureFixture) -> None:
        before = {path: path.stat().st_mtime_ns for path in tiny_run.run.rglob("*")}
        with caplog.at_level(logging.INFO):
            again = train(tiny_run.folder / "recipe.toml", tiny_run.run, context=tiny_run.context())
        assert {path: path.stat().st_mtime_ns for path in tiny_run.run.rglob("*")} == before
        assert again.text == tiny_run.result.text
        assert again.written == tiny_run.result.written
        assert "is finished; nothing was done" in caplog.text

    def test_another_recipe_is_a_conflict(self, tiny_run: Any) -> None:
        for resume in (False, True):
            with pytest.raises(ConflictError, match="another recipe"):
                train(tiny_run.folder / "recipe.toml", tiny_run.run, resume=resume, context=tiny_run.context("training.epochs=3"))

    def test_one_recipe_gives_one_model(self, tiny_run: Any, tmp_path: Path) -> None:
        """Byte for byte, also on other threads of the reader and with images read by window."""
        train(tiny_run.folder / "recipe.toml", tmp_path / "again", context=tiny_run.context())
        mine, other = contents(tmp_path / "again"), contents(tiny_run.run)
        for name in ("model/model.safetensors", "model/model.json", "maps/d_predseg.tif", "evaluation.json", "recipe.toml"):
            assert mine[name] == other[name], name

    def test_what_is_kept_in_memory_does_not_matter(self, tiny_run: Any, tmp_path: Path) -> None:
        train(tiny_run.folder / "recipe.toml", tmp_path / "again", context=tiny_run.context("data.cache_mb=0"))
        assert contents(tmp_path / "again")["model/model.safetensors"] == contents(tiny_run.run)["model/model.safetensors"]


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_in_the_folder_is_told_who_is_at_work(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    context_of: ContextOf,
    resume: bool,  # noqa: FBT001
) -> None:
    """Before it has read an image, and from the first moment of the other on."""
    asked = []

    def prepare(*_: object) -> None:
        asked.append(True)
        with pytest.raises(ConflictError, match=f"run is in use: process {os.getpid()} on .* writes to it"):
            train(data, tmp_path / "run", resume=resume, context=context_of(data))
        raise Killed

    monkeypatch.setattr("terrazzo.workflows.train.prepare", prepare)
    with pytest.raises(Killed):
        train(data, tmp_path / "run", context=context_of(data))
    assert asked == [True]
    assert list((tmp_path / "run").iterdir()) == []


class TestResume:
    @pytest.mark.parametrize("place", ["epoch 1", "epoch 2", "model", "evaluation", "report"])
    def test_a_killed_run_ends_like_an_uninterrupted_one(
        self, tiny_run: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf, place: str
    ) -> None:
        run = tmp_path / "run"
        with monkeypatch.context() as patch:
            kill_at(patch, place)
            with pytest.raises(Killed):
                train(data, run, context=context_of(data))
        if place == "epoch 2":
            assert pd.read_csv(run / "metrics.csv")["epoch"].tolist() == [1]
        with pytest.raises(ConflictError, match="Go on with --resume"):
            train(data, run, context=context_of(data))
        train(data, run, resume=True, context=context_of(data))
        mine, whole = contents(run), contents(tiny_run.run)
        assert mine.keys() == whole.keys()
        for name in (
            "model/model.safetensors",
            "model/model.json",
            "maps/d_predseg.tif",
            "evaluation.json",
            "checkpoints/last.safetensors",
        ):
            assert mine[name] == whole[name], name
        assert [json.loads(line)["epoch"] for line in mine["metrics.jsonl"].splitlines()] == [1, 2]
        assert pd.read_csv(run / "metrics.csv")["epoch"].tolist() == [1, 2]

    @pytest.mark.slow
    def test_a_compiled_one_too_and_its_model_needs_no_compiler(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf
    ) -> None:
        given = ("training.compile=true", "model.depth=1", "model.convolutions=1", "draw.per_epoch=16")
        train(data, tmp_path / "whole", context=context_of(data, *given))
        with monkeypatch.context() as patch:
            kill_at(patch, "epoch 2")
            with pytest.raises(Killed):
                train(data, tmp_path / "run", context=context_of(data, *given))
        torch.compiler.reset()  # as in a process of its own
        train(data, tmp_path / "run", resume=True, context=context_of(data, *given))
        mine, whole = contents(tmp_path / "run"), contents(tmp_path / "whole")
        assert mine["model/model.safetensors"] == whole["model/model.safetensors"]
        with safe_open(tmp_path / "run" / "model" / "model.safetensors", framework="pt") as file:
            assert set(file.keys()) == set(load_bundle(tmp_path / "run").network.state_dict())

    def test_it_goes_on_in_the_precision_in_which_it_began(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Also on a machine whose rule says another."""
        context = context_of(data, "training.precision='auto'")
        with monkeypatch.context() as patch:
            patch.setattr("terrazzo.models.network.precision_for", lambda _: ("bfloat16", "why"))
            train(data, tmp_path / "whole", context=context)
            kill_at(patch, "epoch 2")
            with pytest.raises(Killed):
                train(data, tmp_path / "killed", context=context)
        monkeypatch.setattr("terrazzo.models.network.precision_for", lambda _: ("float32", "why"))
        with caplog.at_level(logging.INFO):
            train(data, tmp_path / "killed", resume=True, context=context)
        assert "Goes on in bfloat16, as it began" in caplog.text
        whole, killed = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "killed"))
        assert whole == killed

    def test_a_new_run_may_say_resume(self, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
        done = train(data, tmp_path / "run", resume=True, context=context_of(data, "training.epochs=1"))
        assert "Report:" in done.text

    def test_scenes_that_are_gone_are_named(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf
    ) -> None:
        with monkeypatch.context() as patch:
            kill_at(patch, "epoch 2")
            with pytest.raises(Killed):
                train(data, tmp_path / "run", context=context_of(data))
        for path in (data.parent / "images" / "b.tif", data.parent / "labels" / "b.png"):
            path.unlink()
        with pytest.raises(DataError, match=r"names scenes that are no longer there: b\."):
            train(data, tmp_path / "run", resume=True, context=context_of(data))


def kill_at(patch: pytest.MonkeyPatch, place: str) -> None:
    """Raise Killed when a training comes to a place."""
    if place.startswith("epoch"):
        original = Trainer._epoch

        def epoch(trainer: Trainer, pace: Any) -> None:
            original(trainer, pace)
            if trainer.state.epoch + 1 == int(place[-1]):
                raise Killed

        patch.setattr(Trainer, "_epoch", epoch)
        return

    def killed(*_: object, **__: object) -> None:
        raise Killed

    # the weights are on disk already when the card is written
    target = {
        "model": "terrazzo.models.bundle.write_text",
        "evaluation": "terrazzo.workflows.train.with_scores",
        "report": "terrazzo.workflows.account.write_report",
    }[place]
    patch.setattr(target, killed)


SCRIPT = """
import os, signal, sys
from pathlib import Path
from terrazzo.training.fit import Trainer
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.train import train

step = Trainer._step
def dying(self, batch, rate, number):
    if number == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, rate, number)
Trainer._step = dying
opened = open_context(sys.argv[1], sys.argv[4:])
train(Path(sys.argv[1]), Path(sys.argv[2]), context=Context(recipe=opened.recipe, folder=opened.folder, device="cpu", threads=1))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("step", [2, 7])
def test_kill_9_in_the_middle_of_an_epoch(tiny_run: Any, data: Path, tmp_path: Path, context_of: ContextOf, step: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, data, tmp_path / "run", str(step)], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == -9
    train(data, tmp_path / "run", resume=True, context=context_of(data))
    for name in ("model/model.safetensors", "evaluation.json", "maps/d_predseg.tif"):
        assert (tmp_path / "run" / name).read_bytes() == (tiny_run.run / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_kill_9_goes_on_in_the_middle_of_an_epoch(tiny_run: Any, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    """With checkpoints within epochs nothing is done twice, and the end is the same."""
    often = "training.checkpoint_minutes=0.000001"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, data, tmp_path / "run", "7", often], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == -9
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / LAST, torch.device("cpu")).state
    assert (state.step, state.batch > 0) == (7, True)
    train(data, tmp_path / "run", resume=True, context=context_of(data, often))
    weights = "model/model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (tiny_run.run / weights).read_bytes()


STOPPED = """
import os, signal, sys
from terrazzo.app.cli import main
from terrazzo.training.fit import Trainer

step = Trainer._step
def signalled(self, batch, rate, number):
    if number == 2:
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    return step(self, batch, rate, number)
Trainer._step = signalled
sys.exit(main(["train", sys.argv[1], "--out", sys.argv[2], "--device", "cpu"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_leaves_a_checkpoint_of_the_step(data: Path, tmp_path: Path, number: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED, data, tmp_path / "run", number], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Stopped after a whole step, with a checkpoint; --resume goes on from there." in done.stderr
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / LAST, torch.device("cpu")).state
    assert state.step == 3


def test_sample_batches_are_what_preview_draws_and_there_before_the_first_step(
    tiny_run: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf
) -> None:
    names = ("train_sample_batch.png", "val_sample_batch.png")
    for name, part in zip(names, ("train", "validation"), strict=True):
        preview(data, tmp_path / name, count=8, part=part, context=context_of(data))
        # below the title
        pictures = [np.asarray(Image.open(folder / name).convert("RGB")) for folder in (tmp_path, tiny_run.run)]
        height = min(len(picture) for picture in pictures) - 60
        assert np.array_equal(pictures[0][-height:], pictures[1][-height:]), name
    monkeypatch.setattr(Trainer, "_epoch", lambda *_: (_ for _ in ()).throw(Killed))
    for wanted in (True, False):
        run = tmp_path / f"run {wanted}"
        with pytest.raises(Killed):
            train(data, run, context=context_of(data, f"training.sample_batches={str(wanted).lower()}"))
        assert [(run / name).exists() for name in names] == [wanted] * 2


def test_tensorboard_has_every_epoch_where_it_is_asked_for(
    tiny_run: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context_of: ContextOf
) -> None:
    context = context_of(data, "training.tensorboard=true")
    with monkeypatch.context() as patch:
        kill_at(patch, "epoch 2")
        with pytest.raises(Killed):
            train(data, tmp_path / "run", context=context)
    train(data, tmp_path / "run", resume=True, context=context)
    (file,) = (tmp_path / "run" / "tensorboard").iterdir()
    records = list(read_records(file))
    assert len(records) == 3
    assert b"validation/dice_water" in records[1]
    assert not (tiny_run.run / "tensorboard").exists()


class TestRefused:
    @pytest.mark.parametrize(
        ("sets", "error"),
        [
            (["training.class_weights=[1, 2, 3]"], DataError),
            (["data.scaling=['none', 'none', 'none']"], DataError),
            (["split.validation_scenes=['*']", "split.test_scenes=[]"], DataError),
            (["split.test_scenes=['nothing']"], DataError),
            (["data.images='nowhere/*.tif'"], DataError),
            (["model.depth=4", "training.batch_size=1"], RecipeError),
            (["model.depth=4", "training.batch_size=39"], RecipeError),
            (["legend.values=[0, 8]"], DataError),
        ],
    )
    def test_a_recipe_that_cannot_be_used_leaves_the_folder_free(
        self, data: Path, tmp_path: Path, context_of: ContextOf, sets: list[str], error: type[Exception]
    ) -> None:
        with pytest.raises(error) as caught:
            train(data, tmp_path / "run", context=context_of(data, *sets))
        assert len(str(caught.value).splitlines()) <= 3
        assert list((tmp_path / "run").iterdir()) == []

    @pytest.mark.parametrize(
        ("sets", "said"),
        [
            (["prediction.threshold={ship = 0.3}"], "prediction.threshold names ship; the classes are land, water"),
            (["prediction.unsure=0.6", "legend.classes=['land', 'unsure']"], "has a class 'unsure' already"),
            (
                ["prediction.threshold=best", "split.validation_scenes=[]"],
                "the best one of 'water', which no pixel of the validation part was",
            ),
        ],
    )
    def test_a_threshold_that_could_not_be_applied_before_any_work(
        self, data: Path, tmp_path: Path, context_of: ContextOf, sets: list[str], said: str
    ) -> None:
        with pytest.raises((RecipeError, LabelError), match=said):
            train(data, tmp_path / "run", context=context_of(data, *sets))
        assert not (tmp_path / "run" / "checkpoints").exists()

    def test_a_missing_recipe(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError):
            train(tmp_path / "nothing.toml", tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_a_folder_of_other_things(self, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "diary.txt").write_text("dear", encoding="utf-8")
        with pytest.raises(ConflictError, match="not empty"):
            train(data, tmp_path / "run", context=context_of(data))

    def test_a_place_that_cannot_be_written_before_any_work(self, tmp_path: Path, data: Path, context_of: ContextOf) -> None:
        (tmp_path / "file").write_bytes(b"")
        shutil.rmtree(data.parent / "images")
        with pytest.raises(EnvironmentFault):
            train(data, tmp_path / "file" / "run", context=context_of(data))

    def test_images_of_different_bands(self, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
        image = data.parent / "images" / "a.tif"
        with rasterio.open(image) as file:
            profile, values = file.profile, file.read()
        with rasterio.open(image, "w", **{**profile, "count": 3}) as file:
            file.write(np.concatenate([values, values[:1]]))
        with pytest.raises(DataError, match="different numbers of bands"):
            train(data, tmp_path / "run", context=context_of(data))

    def test_a_mask_of_another_size(self, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
        Image.fromarray(np.zeros((40, 47), np.uint8)).save(data.parent / "labels" / "b.png")
        with pytest.raises(DataError, match="40 x 47"):
            train(data, tmp_path / "run", context=context_of(data))

    def test_no_labels(self, data: Path, tmp_path: Path, context_of: ContextOf) -> None:
        lines = data.read_text(encoding="utf-8").splitlines()
        data.write_text("\n".join(line for line in lines if not line.startswith("labels")), encoding="utf-8")
        with pytest.raises(RecipeError, match=r"\[data\] labels is missing"):
            train(data, tmp_path / "run", context=context_of(data))

    def test_a_training_that_diverges(self, data: Path, tmp_path: Path, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("terrazzo.workflows.course.build_loss", lambda *_, **__: lambda logits, _: logits.sum() * float("nan"))
        with pytest.raises(DivergedError, match=r"samples \d"):
            train(data, tmp_path / "run", context=context_of(data))


def test_early_stop_and_no_validation_make_a_run_all_the_same(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    sets = ["split.by='none'", "split.validation_scenes=[]", "split.test_scenes=[]", "training.epochs=1", "training.early_stop=1"]
    train(data, tmp_path / "run", context=context_of(data, *sets))
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert (found["part"], found["images"]) == ("train", 4)
    assert "Nothing is held out" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_seven_classes_of_any_values(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    values, numbers = [0, 1, 2, 30, 40, 100, 254], np.random.default_rng(0)
    for path in (data.parent / "labels").iterdir():
        Image.fromarray(np.kron(numbers.choice(values, (5, 6)), np.ones((8, 8))).astype(np.uint8)).save(path)
    given = ("legend.classes=['a', 'b', 'c', 'd', 'e', 'f', 'g']", f"legend.values={values}", "training.epochs=1")
    train(data, tmp_path / "run", context=context_of(data, *given))
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))["pixels"]
    assert [entry["value"] for entry in found["classes"]] == values
    assert np.shape(found["confusion"]) == (7, 7)
    with rasterio.open(tmp_path / "run" / "maps" / "d_predseg.tif") as file:
        assert set(np.unique(file.read(1))) <= {*values, 255}


def test_as_the_ships_were_trained(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    """Dice loss, Adam, steps down; loss and F2 of each epoch on disk, its weights with the figures in their name."""
    given = ("loss=['dice']", "optimizer=adam", "schedule=step", "step_factor=0.5", "step_epochs=2", "warmup=0", "epochs=3", "keep=all")
    train(data, tmp_path / "run", context=context_of(data, *(f"training.{text}" for text in given)))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01, 0.01, 0.005])
    assert all(len(row["validation"]["f2"]) == 2 for row in rows)
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("epoch_*"))
    figures = [(row["loss"], row["validation"]["mean_dice"]) for row in rows]
    assert kept == [f"epoch_{number:04}_loss_{loss:.4f}_mean_dice_{dice:.4f}.safetensors" for number, (loss, dice) in enumerate(figures, 1)]
    log = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert log["validation_f2_water"].tolist() == [row["validation"]["f2"][1] for row in rows]


def test_as_the_buildings_were_trained(data: Path, tmp_path: Path, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """On validation Dice: a tenth of the rate after a plateau, an early stop, the best weights, figures for TensorBoard."""
    dice, averages, score = iter([0.5, 0.6, 0.6, 0.4, 0.6, 0.5, 0.9, 0.9]), [], Trainer._score

    def scored(trainer: Trainer, *rest: Any) -> ValidationRow:
        averages.append({name: tensor.clone() for name, tensor in trainer.average.items()})
        return {**score(trainer, *rest), "mean_dice": next(dice)}

    monkeypatch.setattr(Trainer, "_score", scored)
    given = (
        "loss=['binary']",
        "optimizer=adam",
        "schedule=plateau",
        "plateau_patience=2",
        "plateau_factor=0.1",
        "early_stop=4",
        "tensorboard=true",
        "warmup=0",
        "epochs=8",
    )
    train(data, tmp_path / "run", context=context_of(data, *(f"training.{text}" for text in given)))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2] * 4 + [1e-3] * 2)
    kept = load_bundle(tmp_path / "run").network.state_dict()
    assert all(torch.equal(kept[name], tensor) for name, tensor in averages[1].items())
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert len(list(read_records(events))) == 1 + len(rows)


def test_class_weights_are_of_the_training_part_and_an_absent_class_keeps_its_place(
    data: Path, tmp_path: Path, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def build(options: Any, weights: Any, *rest: Any, **more: Any) -> Any:
        given.extend(weights)
        return build_loss(options, weights, *rest, **more)

    monkeypatch.setattr("terrazzo.workflows.course.build_loss", build)
    sets = ("legend.classes=['land', 'water', 'ice']", "legend.values=[0, 7, 9]", "training.class_weights=balanced", "training.epochs=1")
    train(data, tmp_path / "run", context=context_of(data, *sets))
    frame = load(tmp_path / "run" / "samples.parquet").part("train").frame
    land, water = (frame["pixels_0"].sum() + frame["pixels_7"].sum()) / frame[["pixels_0", "pixels_7"]].sum()
    assert given == pytest.approx([2 * land / (land + water), 2 * water / (land + water), 0])
    assert frame["pixels_9"].sum() == 0


def test_as_the_detector_frames_were_trained(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    """Many classes, weighted cross-entropy, dropout, ELU, He's first weights, and L2, which draws all kernels towards 0."""
    for path in (data.parent / "labels").iterdir():
        Image.fromarray(np.kron(np.random.default_rng(0).integers(0, 4, (5, 6)), np.ones((8, 8))).astype(np.uint8)).save(path)
    network = ("activation=elu", "dropout=0.1", "dropout_in=blocks", "initializer=he_normal", "norm=none")
    learning = ("loss=['ce']", "class_weights=balanced", "optimizer=adam", "average=0", "clip_norm=0")
    given = [
        "legend.classes=['background', 'glow', 'hot', 'cluster']",
        "legend.values=[0, 1, 2, 3]",
        *(f"model.{text}" for text in network),
        *(f"training.{text}" for text in learning),
    ]
    sizes = {}
    for l2 in (0.0, 0.1):
        train(data, tmp_path / str(l2), context=context_of(data, *given, f"training.l2={l2}"))
        kernels = {name: tensor for name, tensor in load_bundle(tmp_path / str(l2)).network.named_parameters() if tensor.ndim > 1}
        sizes[l2] = sum(float(tensor.detach().square().sum()) for tensor in kernels.values())
    assert sizes[0.1] < 0.9 * sizes[0.0]
    card = load_bundle(tmp_path / "0.1").card.network
    assert (card.activation, card.dropout, card.dropout_in, card.initializer) == ("elu", 0.1, "blocks", "he_normal")
    found = json.loads((tmp_path / "0.1" / "evaluation.json").read_text(encoding="utf-8"))["pixels"]
    assert [entry["name"] for entry in found["classes"]] == ["background", "glow", "hot", "cluster"]


def test_another_architecture_learns_one_class_against_the_rest(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    given = ("legend.classes=['land', 'water', 'ice']", "legend.values=[0, 7, 9]", "legend.target=water", "training.epochs=1")
    named = ("model.architecture=FPN", "model.encoder=mobilenet_v2", "samples.size=32")
    train(data, tmp_path / "run", context=context_of(data, *given, *named))
    bundle = load_bundle(tmp_path / "run")
    assert bundle.card.network.architecture == "FPN"
    assert bundle.legend.names == ("not water", "water")
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))["pixels"]
    truth = np.asarray(Image.open(data.parent / "labels" / "d.png"))
    hole = np.zeros(truth.shape, np.bool_)
    hole[2:6, 3:8] = True
    assert [entry["support"] for entry in found["classes"]] == [np.count_nonzero((truth == value) & ~hole) for value in (0, 7)]


def test_images_smaller_than_the_window_can_be_learned(data: Path, tmp_path: Path, context_of: ContextOf) -> None:
    train(data, tmp_path / "run", context=context_of(data, "samples.size=64", "samples.overlap=0", "training.epochs=1"))
    assert load(tmp_path / "run" / "samples.parquet").frame["width"].unique().tolist() == [48]
    with rasterio.open(tmp_path / "run" / "maps" / "d_predseg.tif") as file:
        assert file.shape == (40, 48)


def test_best_and_last_checkpoint_say_where_they_stand(tiny_run: Any) -> None:
    last, best = (
        load_checkpoint(tiny_run.run / "checkpoints" / f"{name}.safetensors", torch.device("cpu")).state for name in ("last", "best")
    )
    assert (last.epoch, last.step) == (2, 10)
    assert best.best_epoch == best.epoch == last.best_epoch
