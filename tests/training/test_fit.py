"""The fit loop: it learns, it repeats itself bit for bit, it resumes anywhere, and it says when it diverges."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from terrazzo.errors import DivergedError, ModelError
from terrazzo.models.options import ModelOptions
from terrazzo.progress import Silent
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.options import DrawOptions
from terrazzo.training import fit
from terrazzo.training.checkpoint import load_checkpoint
from terrazzo.training.fit import BEST, LAST, Task, Trainer, best_weights, parameter_groups
from terrazzo.training.metrics import MetricsLog, MetricsRow

CPU = torch.device("cpu")


PLACES: dict[str, tuple[object, str]] = {
    "epoch": (Trainer, "_epoch"),
    "evaluate": (Trainer, "_evaluate"),
    "save": (fit, "save_checkpoint"),
    "log": (MetricsLog, "write"),
}
"""Where a run may be killed."""


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def run(trainer: Trainer, folder: Path) -> list[MetricsRow]:
    """Fit as the workflow does, from the last checkpoint where there is one."""
    log = MetricsLog(folder / "metrics.jsonl")
    if (folder / LAST).exists():
        trainer.resume(folder)
    log.cut(trainer.state.epoch)
    trainer.fit(folder, log, Silent())
    return log.rows()


def told(rows: list[MetricsRow]) -> list[dict[str, object]]:
    """What rows say of the training, without the time it took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns(make_trainer: Any, tmp_path: Path) -> None:
    rows = run(make_trainer(epochs=20, learning_rate=1e-2, average=0.8), tmp_path)
    assert [row["epoch"] for row in rows] == list(range(1, 21))
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert rows[-1]["validation"] is not None
    assert rows[-1]["validation"]["mean_dice"] is not None
    assert rows[-1]["validation"]["mean_dice"] > 0.8


def test_a_second_run_ends_with_the_same_weights(make_trainer: Any, tmp_path: Path) -> None:
    rows = [run(make_trainer(), tmp_path / name) for name in "ab"]
    assert told(rows[0]) == told(rows[1])
    for file in (LAST, BEST):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_another_seed_ends_with_other_weights(make_trainer: Any, task: Task, tmp_path: Path) -> None:
    run(make_trainer(epochs=1), tmp_path / "a")
    run(make_trainer(epochs=1, seed=1), tmp_path / "b")
    assert not same(best_weights(tmp_path / "a", CPU), best_weights(tmp_path / "b", CPU))


@pytest.mark.parametrize(
    "model",
    [ModelOptions(filters=4, depth=2), ModelOptions(kind="resunet", filters=3, depth=1, norm="group", dropout=0.3)],
    ids=["unet", "resunet"],
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_killed_run_resumes_to_the_same_weights(
    make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, epoch: int, model: ModelOptions
) -> None:
    """Killed while an epoch trains or evaluates, before its checkpoint is kept, or before its line is in the log."""
    whole_rows = run(make_trainer(model=model), tmp_path / "whole")
    owner, name = PLACES[place]
    original: Callable[..., Any] = getattr(owner, name)
    count = 0

    def interrupted(*args: Any) -> Any:
        nonlocal count
        counts = place != "save" or args[0].name == LAST
        count += counts
        if counts and count > epoch:
            raise Killed
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(Killed):
            run(make_trainer(model=model), tmp_path / "killed")
    rows = run(make_trainer(model=model), tmp_path / "killed")
    assert told(rows) == told(whole_rows)
    for file in (LAST, BEST):
        one, other = (load_checkpoint(tmp_path / name / file, CPU) for name in ("whole", "killed"))
        assert one.state == other.state
        assert same(one.tensors, other.tensors)


def test_resuming_a_finished_fit_does_nothing(make_trainer: Any, tmp_path: Path) -> None:
    run(make_trainer(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    run(make_trainer(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_network_cannot_take_up_a_checkpoint(make_trainer: Any, tmp_path: Path) -> None:
    run(make_trainer(epochs=1), tmp_path)
    with pytest.raises(ModelError, match="holds another network"):
        make_trainer(model=ModelOptions(filters=5, depth=2)).resume(tmp_path)


def test_the_best_weights_are_those_of_the_best_evaluation(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.3, 0.9, 0.9, 0.5])
    averages = []

    def score(trainer: Trainer) -> tuple[float, None]:
        averages.append({name: tensor.clone() for name, tensor in trainer.average.items()})
        return next(scores), None

    monkeypatch.setattr(Trainer, "_evaluate", score)
    trainer = make_trainer(epochs=4)
    run(trainer, tmp_path)
    assert (trainer.state.best_epoch, trainer.state.best_score, trainer.state.without_gain) == (2, 0.9, 2)
    assert same(best_weights(tmp_path, CPU), averages[1])


def test_early_stop_counts_evaluations_without_gain(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.1, 0.7, 0.9])
    monkeypatch.setattr(Trainer, "_evaluate", lambda _: (next(scores), None))
    trainer = make_trainer(epochs=6, early_stop=2)
    assert len(run(trainer, tmp_path)) == trainer.state.epoch == 4
    # stopped means stopped, also when it is resumed
    assert len(run(make_trainer(epochs=6, early_stop=2), tmp_path)) == 4


def test_evaluations_come_as_often_as_asked_and_at_the_end(make_trainer: Any, tmp_path: Path) -> None:
    rows = run(make_trainer(epochs=5, evaluate_every=2), tmp_path)
    assert [row["validation"] is not None for row in rows] == [False, True, False, True, True]


def test_without_validation_the_last_weights_are_kept(make_trainer: Any, task: Task, tmp_path: Path) -> None:
    trainer = make_trainer(replace(task, validation=[]), early_stop=1)
    rows = run(trainer, tmp_path)
    assert [row["validation"] for row in rows] == [None] * 3
    assert trainer.state.best_epoch == 3
    assert same(best_weights(tmp_path, CPU), trainer.average)


def test_evaluation_leaves_the_training_alone(make_trainer: Any, task: Task, tmp_path: Path) -> None:
    """Looking at validation more or less often must not change the weights."""
    often, never = make_trainer(), make_trainer(replace(task, validation=[]))
    run(often, tmp_path / "often")
    run(never, tmp_path / "never")
    assert same(often.network.state_dict(), never.network.state_dict())


def test_validation_scores_are_those_of_the_averaged_weights(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(average=0.9)
    rows = run(trainer, tmp_path)
    trainer.network.load_state_dict(trainer.average)
    assert trainer._validate() == rows[-1]["validation"]


def test_without_average_the_weights_are_the_average(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(average=0.0)
    run(trainer, tmp_path)
    assert same(trainer.average, trainer.network.state_dict())


def test_the_average_is_a_moving_one(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer()
    name = "head.bias"
    before = trainer.average[name].clone()
    with torch.no_grad():
        trainer.network.get_parameter(name).add_(1)
    trainer._update_average(0)
    assert torch.allclose(trainer.average[name], before + 0.9)
    trainer._update_average(10**6)
    assert torch.allclose(trainer.average[name], before + 1 - 0.1 * 0.99)


def test_steps_follow_the_schedule(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(epochs=2, batch_size=4)
    assert trainer.steps == 2 * 3
    rows = run(trainer, tmp_path)
    assert [row["step"] for row in rows] == [3, 6]
    assert rows[-1]["learning_rate"] == pytest.approx(2e-3 * 0.01)


@pytest.mark.parametrize(("per_epoch", "steps"), [(20, 5), (3, 1)])
def test_an_epoch_may_be_longer_or_shorter_than_the_samples(
    make_trainer: Any, task: Task, tmp_path: Path, per_epoch: int, steps: int
) -> None:
    draw = Draw(task.draw.samples, task.draw.contents, DrawOptions(per_epoch=per_epoch))
    rows = run(make_trainer(replace(task, draw=draw), epochs=1), tmp_path)
    assert rows[0]["step"] == steps


def test_a_loss_that_is_not_finite_names_the_samples(make_trainer: Any, tmp_path: Path) -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return logits.mean() * (float("nan") if len(target) == 1 else 1.0)

    with pytest.raises(DivergedError, match=r"the loss is nan at step 2 \(samples \d\)\. Lower training.learning_rate") as caught:
        run(make_trainer(loss=loss), tmp_path)
    assert caught.value.exit_code == 8


def test_the_best_weights_survive_a_divergence(make_trainer: Any, tmp_path: Path) -> None:
    calls = 0

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logits.square().mean() * (float("inf") if calls > 4 else 1.0)

    with pytest.raises(DivergedError):
        run(make_trainer(loss=loss), tmp_path)
    assert load_checkpoint(tmp_path / BEST, CPU).state.epoch == 1
    assert all(tensor.isfinite().all() for tensor in best_weights(tmp_path, CPU).values())


@pytest.mark.parametrize("validated", [True, False])
def test_weights_that_are_not_finite_are_never_kept(make_trainer: Any, task: Task, tmp_path: Path, validated: bool) -> None:  # noqa: FBT001
    """The last step of an epoch may ruin the weights while its own loss is still finite."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        # the gradient of the root is infinite at 0; infinity times nothing is no number
        return logits.square().mean() + (0.0 if len(target) > 1 else (0 * logits.sum()).sqrt())

    with pytest.raises(DivergedError, match="after step 3"):
        run(make_trainer(task if validated else replace(task, validation=[]), loss=loss), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_weights_decay_but_biases_and_norms_do_not(make_trainer: Any) -> None:
    network = make_trainer().network
    groups: Any = parameter_groups(network, 0.1)
    decaying, others = groups
    assert decaying["weight_decay"] == 0.1
    assert others["weight_decay"] == 0
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert all(names[id(parameter)].endswith("weight") for parameter in decaying["params"])
    assert len(decaying["params"]) + len(others["params"]) == len(names)


def test_metrics_are_lines_of_json(make_trainer: Any, tmp_path: Path) -> None:
    run(make_trainer(epochs=2), tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]
    assert [sorted(row) for row in rows] == [["epoch", "learning_rate", "loss", "seconds", "step", "validation"]] * 2
