"""What a recipe leaves open becomes numbers when its run begins; the run keeps them and obeys them when it goes on."""

import logging
from pathlib import Path
from typing import Any

import pytest

from terrazzo.errors import ConflictError
from terrazzo.recipes.recipe import load_recipe
from terrazzo.training.finders.memory import Batches, Learner, MemoryNeed
from terrazzo.training.fit import Trainer
from terrazzo.training.options import TrainingOptions
from terrazzo.workflows import course, settle
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.train import train


class Stopped(Exception):
    pass


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def context(recipe: Path, *sets: str) -> Context:
    opened = open_context(recipe, ["training.epochs=1", *sets])
    return Context(recipe=opened.recipe, folder=opened.folder, device="cpu", threads=1)


def samples_as_bytes(learner: Learner, options: TrainingOptions, batches: Batches, windows: int) -> MemoryNeed:
    return MemoryNeed(weights=0, step=batches.count, evaluation=0, checkpoint=0, samples=0, mapping=0)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a batch of two fits and none of four."""
    monkeypatch.setattr(settle, "memory_need", samples_as_bytes)
    monkeypatch.setattr(settle, "free_bytes", lambda _: 3)


AUTO = "training.batch_size='auto'"


def test_the_batch_that_fits_is_kept_and_the_weights_are_those_of_its_number(data: Path, tmp_path: Path, little: None) -> None:
    train(data, tmp_path / "auto", context=context(data, AUTO))
    kept = load_recipe(tmp_path / "auto" / "recipe.toml").recipe.training
    assert (kept.batch_size, kept.accumulate) == (2, 4)
    train(data, tmp_path / "given", context=context(data, "training.batch_size=2", "training.accumulate=4"))
    assert weights(tmp_path / "auto") == weights(tmp_path / "given")
    assert (tmp_path / "auto" / "model" / "model.json").read_bytes() == (tmp_path / "given" / "model" / "model.json").read_bytes()


def test_a_run_that_goes_on_keeps_its_batch_though_there_is_more_memory_now(
    data: Path, tmp_path: Path, little: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer._conclude

    def stopped(trainer: Trainer, *args: Any) -> None:
        original(trainer, *args)
        raise Stopped

    monkeypatch.setattr(Trainer, "_conclude", stopped)
    with pytest.raises(Stopped):
        train(data, tmp_path / "run", context=context(data, AUTO, "training.epochs=2"))
    monkeypatch.setattr(Trainer, "_conclude", original)
    monkeypatch.setattr(settle, "free_bytes", lambda _: 2**40)
    train(data, tmp_path / "run", resume=True, context=context(data, AUTO, "training.epochs=2"))
    assert load_recipe(tmp_path / "run" / "recipe.toml").recipe.training.batch_size == 2
    with pytest.raises(ConflictError, match="another recipe"):
        train(data, tmp_path / "run", resume=True, context=context(data, AUTO, "training.epochs=3"))


FIND = "training.learning_rate='find'"


def test_the_rate_that_is_found_is_kept_and_the_weights_are_those_of_its_number(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        train(data, tmp_path / "found", context=context(data, FIND))
    rate = load_recipe(tmp_path / "found" / "recipe.toml").recipe.training.largest_rate
    assert f"The learning rate is {rate:g}, found in" in caplog.text
    assert f">{rate:.2g}<" in (tmp_path / "found" / "learning_rate.svg").read_text(encoding="utf-8")
    train(data, tmp_path / "given", context=context(data, f"training.learning_rate={rate}"))
    assert not (tmp_path / "given" / "learning_rate.svg").exists()
    assert weights(tmp_path / "found") == weights(tmp_path / "given")
    for name in ("model/model.json", "recipe.toml", "evaluation.json"):
        assert (tmp_path / "found" / name).read_bytes() == (tmp_path / "given" / name).read_bytes()


def test_a_run_that_goes_on_looks_for_no_other_rate(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(data, tmp_path / "whole", context=context(data, FIND, "training.epochs=2"))
    original = Trainer._conclude

    def stopped(trainer: Trainer, *args: Any) -> None:
        original(trainer, *args)
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_conclude", stopped)
        with pytest.raises(Stopped):
            train(data, tmp_path / "run", context=context(data, FIND, "training.epochs=2"))
    monkeypatch.setattr(course, "range_test", lambda *_: pytest.fail("it looks again"))
    train(data, tmp_path / "run", resume=True, context=context(data, FIND, "training.epochs=2"))
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
