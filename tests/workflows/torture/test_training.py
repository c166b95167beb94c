"""What goes wrong in a training, as it is met on the command line: a row of the torture table each."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import rasterio
import torch
from torch import Tensor

from terrazzo.training.checkpoint import load_checkpoint
from terrazzo.training.fit import LAST, Trainer, best_weights
from terrazzo.training.lock import locked
from terrazzo.training.losses.total import build_loss

CPU = torch.device("cpu")
SAME = ("model/model.safetensors", "model/model.json", "evaluation.json", "maps/d_predseg.tif")
"""What two runs of one recipe must have alike, byte for byte."""


class Trap:
    """Whoever unpickles it is caught."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_flipped_block_ends_it_and_is_named(typed: Any, data: Path, tmp_path: Path) -> None:
    """Torture 2."""
    image = data.parent / "images" / "b.tif"
    with rasterio.open(image) as file:
        profile, values = file.profile, file.read()
    with rasterio.open(image, "w", **{**profile, "compress": "deflate", "blockysize": 8}) as file:
        file.write(values)
    with rasterio.open(image) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_0_1", "TIFF", bidx=1))
    whole = bytearray(image.read_bytes())
    whole[offset : offset + 30] = bytes(255 - value for value in whole[offset : offset + 30])
    image.write_bytes(whole)
    ended = typed("train", data, "--out", tmp_path / "run")
    assert ended.code == 3
    assert str(image) in ended.err
    assert "Copy it again or leave it out." in ended.err


def test_another_scaling_cannot_be_given_to_what_knows_its_own(typed: Any, tiny_run: Any, data: Path, tmp_path: Path) -> None:
    """Torture 16: neither where a training goes on from a model, nor where one is applied."""
    text = data.read_text(encoding="utf-8").replace("filters = 4\ndepth = 2\n", "")
    data.write_text(text, encoding="utf-8")
    begun = typed("train", data, "--out", tmp_path / "run", "--set", f"model.start={tiny_run.run}", "--set", "data.scaling=range")
    assert begun.code == 2
    assert "scaling = range: the model to go on from" in begun.err
    applied = typed("predict", tiny_run.run, tiny_run.folder / "images", tmp_path / "maps", "--set", "data.scaling=range")
    assert applied.code == 2
    assert "predict does not read [data]" in applied.err


class TestPickles:
    """Torture 29: never opened, whatever they are called."""

    @pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.safetensors"])
    def test_as_the_model_to_go_on_from(self, typed: Any, data: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        ended = typed("train", data, "--out", tmp_path / "run", "--set", f"model.start={tmp_path / name}")
        assert ended.code == 4
        assert name in ended.err

    @pytest.mark.parametrize("name", ["resnet.pth", "resnet.safetensors"])
    def test_as_pretrained_weights(self, typed: Any, data: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        sets = ("model.architecture=Unet", "model.encoder=resnet18", f"model.pretrained={tmp_path / name}")
        ended = typed("train", data, "--out", tmp_path / "run", *(word for each in sets for word in ("--set", each)))
        assert ended.code == 4
        assert name in ended.err

    def test_as_a_checkpoint(self, typed: Any, unfinished: Callable[[Path, Path], None], data: Path, tmp_path: Path) -> None:
        unfinished(data, tmp_path / "run")
        (tmp_path / "run" / "checkpoints" / LAST).write_bytes(pickle.dumps(Trap()))
        ended = typed("train", data, "--out", tmp_path / "run", "--resume")
        assert ended.code == 4
        assert f"{LAST} is not a checkpoint of Terrazzo" in ended.err


@pytest.mark.parametrize("typed_out", ["file", "file/run"])
def test_an_out_that_cannot_be_ends_it_before_an_image_is_looked_at(typed: Any, data: Path, tmp_path: Path, typed_out: str) -> None:
    """Torture 39."""
    (tmp_path / "file").write_bytes(b"mine")
    shutil.rmtree(data.parent / "images")
    ended = typed("train", data, "--out", tmp_path / typed_out)
    assert ended.code == 5
    assert str(tmp_path / typed_out) in ended.err
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_missing_out_is_made_with_its_folders(typed: Any, data: Path, tmp_path: Path) -> None:
    """Torture 39."""
    assert typed("train", data, "--out", tmp_path / "a" / "b" / "run", "--set", "training.epochs=1").code == 0
    assert (tmp_path / "a" / "b" / "run" / "report.html").is_file()


def test_out_of_memory_names_what_to_lower(typed: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torture 40."""
    gradient = Trainer._gradient

    def short(trainer: Trainer, *rest: Any) -> float:
        if trainer.state.epoch == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return gradient(trainer, *rest)

    monkeypatch.setattr(Trainer, "_gradient", short)
    ended = typed("train", data, "--out", tmp_path / "run", "--set", "training.checkpoint_minutes=1e-9")
    assert ended.code == 5
    assert "batches of 8, windows of 16 x 16 pixels. Set training.batch_size = 4 and training.accumulate = 2" in ended.err
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / LAST, CPU).state.step == 5


def test_a_loss_that_is_no_number_leaves_its_samples_and_the_best_weights(
    typed: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torture 42: here from the second epoch on."""
    run = tmp_path / "run"
    rows = run / "metrics.jsonl"

    def diverging(*given: Any, **more: Any) -> Callable[[Tensor, Tensor], Tensor]:
        loss = build_loss(*given, **more)
        return lambda logits, target: loss(logits, target) * (float("nan") if rows.read_text(encoding="utf-8") else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr("terrazzo.workflows.course.build_loss", diverging)
        ended = typed("train", data, "--out", run)
    assert ended.code == 8
    assert f"{run / 'diverged.csv'} holds the windows" in ended.err
    table = pd.read_csv(run / "diverged.csv")
    ids = ", ".join(map(str, table["sample"]))
    assert f"error: the loss is nan at step 5 (samples {ids}). Lower training.learning_rate." in ended.err
    assert len(table) == 8
    assert set(table["scene"]) <= {"a", "b"}
    assert (table[["width", "height"]] == 16).to_numpy().all()
    assert all(tensor.isfinite().all() for tensor in best_weights(run / "checkpoints", CPU).values())
    assert typed("train", data, "--out", run, "--resume").code == 0
    assert not (run / "diverged.csv").exists()


def test_two_runs_in_one_folder(typed: Any, tiny_run: Any, unfinished: Callable[[Path, Path], None], data: Path, tmp_path: Path) -> None:
    """Torture 44: the second is told who is at work; whoever was killed holds nobody up."""
    run = tmp_path / "run"
    unfinished(data, run)
    with locked(run):
        for resume in ((), ("--resume",)):
            ended = typed("train", data, "--out", run, *resume)
            assert ended.code == 6
            assert "is in use: process " in ended.err
        left = (run / ".lock").read_bytes()
    (run / ".lock").write_bytes(left)
    assert typed("train", data, "--out", run, "--resume").code == 0
    for name in SAME:
        assert (run / name).read_bytes() == (tiny_run.run / name).read_bytes(), name


def test_a_finished_run_is_not_rewritten(typed: Any, tiny_run: Any) -> None:
    """Torture 47."""
    before = stamps(tiny_run.run)
    ended = typed("train", tiny_run.folder / "recipe.toml", "--out", tiny_run.run)
    assert ended.code == 0
    assert "is finished; nothing was done" in ended.err
    assert ended.out.rstrip("\n") == tiny_run.result.text
    assert stamps(tiny_run.run) == before
