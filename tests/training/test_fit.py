"""The fit loop: it learns, it repeats itself bit for bit, it resumes anywhere, and it says when it diverges."""

import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from terrazzo.errors import DivergedError, ModelError, RasterError
from terrazzo.models.options import ModelOptions
from terrazzo.progress import Silent
from terrazzo.rasters.window import Window
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.options import DrawOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.store import Source
from terrazzo.training import fit, pace
from terrazzo.training.aim import Aim
from terrazzo.training.checkpoint import load_checkpoint
from terrazzo.training.epoch_files import epoch_file
from terrazzo.training.fit import BEST, LAST, Task, Trainer, best_weights
from terrazzo.training.metrics import MetricsLog, MetricsRow
from terrazzo.training.pace import Pace
from terrazzo.training.stopping import Stop

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


class Cancelled(Exception):
    pass


class Cancelling:
    """A progress that cancels after so many steps."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @contextmanager
    def task(self, *_: object) -> Iterator[Callable[[float], None]]:
        def advance(done: float) -> None:
            self._left -= int(done)
            if done and self._left <= 0:
                raise Cancelled

        yield advance


class Ill:
    """A source of which one sample cannot be read."""

    def __init__(self, store: Source, broken: Sample) -> None:
        self._store, self._broken = store, broken
        self.shape = store.shape

    def read(self, scene: str, window: Window) -> Any:
        if (scene, window) == (self._broken.scene, self._broken.window):
            raise RasterError("a.npy has gone bad")
        return self._store.read(scene, window)


def run(trainer: Trainer, folder: Path) -> list[MetricsRow]:
    """Fit as the workflow does, from the last checkpoint where there is one."""
    log = MetricsLog(folder / "metrics.jsonl")
    if (folder / LAST).exists():
        trainer.resume(folder)
    log.cut(trainer.state.epoch)
    trainer.fit(folder, log, Silent())
    return log.rows()


def quiet() -> Pace:
    return Pace(stop=Stop(), advance=lambda _: None, keep=lambda: None, every_s=math.inf)


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


def test_what_the_device_augments_is_learned_alike(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA: batches come as they are stored. Here pixels only change places, so that the chips are the same."""
    rows = run(make_trainer(), tmp_path / "threads")
    monkeypatch.setattr(Trainer, "_batches", lambda trainer, shown: trainer.loader.stored(shown, trainer.state.epoch, trainer.state.batch))
    others = run(make_trainer(), tmp_path / "device")
    assert [row["loss"] for row in others] == pytest.approx([row["loss"] for row in rows], rel=1e-4)


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
    monkeypatch.setattr(pace, "WORTH_KEEPING", 0)
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


WHEREVER = ModelOptions(kind="resunet", filters=3, depth=1, norm="group", dropout=0.3)


def ends_alike(whole: Path, other: Path) -> bool:
    """Whether two runs left the same checkpoints and told the same."""
    rows = [told(MetricsLog(folder / "metrics.jsonl").rows()) for folder in (whole, other)]
    files = [[load_checkpoint(folder / file, CPU) for folder in (whole, other)] for file in (LAST, BEST)]
    return rows[0] == rows[1] and all(one.state == two.state and same(one.tensors, two.tensors) for one, two in files)


class TestWithinAnEpoch:
    """Epochs of 3 steps; every step keeps a checkpoint where the interval is short."""

    @pytest.mark.parametrize("model", [ModelOptions(filters=4, depth=2), WHEREVER], ids=["unet", "resunet"])
    @pytest.mark.parametrize("step", range(6))
    def test_a_killed_run_goes_on_after_the_last_step_that_was_kept(
        self, make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, model: ModelOptions
    ) -> None:
        run(make_trainer(model=model, epochs=2), tmp_path / "whole")
        steps: list[int] = []
        original = Trainer._step

        def dying(trainer: Trainer, *args: Any) -> Any:
            steps.append(args[-1])
            if len(steps) == step + 1:
                raise Killed
            return original(trainer, *args)

        monkeypatch.setattr(Trainer, "_step", dying)
        often: Any = {"model": model, "epochs": 2, "checkpoint_minutes": 1e-9}
        with pytest.raises(Killed):
            run(make_trainer(**often), tmp_path / "killed")
        run(make_trainer(**often), tmp_path / "killed")
        assert steps == [*range(step + 1), *range(step, 6)]
        assert ends_alike(tmp_path / "whole", tmp_path / "killed")

    def test_without_need_there_is_none_within_an_epoch(self, make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        kept: list[int] = []
        original = Trainer.keep

        def keep(trainer: Trainer, folder: Path) -> None:
            kept.append(trainer.state.step)
            original(trainer, folder)

        monkeypatch.setattr(Trainer, "keep", keep)
        monkeypatch.setattr(pace, "WORTH_KEEPING", 0)
        run(make_trainer(epochs=2), tmp_path / "every")
        assert kept == [3, 6]
        monkeypatch.setattr(pace, "WORTH_KEEPING", 1e9)
        run(make_trainer(epochs=3), tmp_path / "short")
        assert kept == [3, 6, 3, 9]

    def test_a_run_killed_after_epochs_that_were_not_kept_does_them_again(
        self, make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where the best of them was not kept either."""
        run(make_trainer(), tmp_path / "whole")
        original = Trainer._conclude

        def dying(trainer: Trainer, *args: Any) -> None:
            original(trainer, *args)
            if trainer.state.epoch == 3:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(pace, "WORTH_KEEPING", 1e9)
            patch.setattr(Trainer, "_conclude", dying)
            with pytest.raises(Killed):
                run(make_trainer(), tmp_path / "killed")
        assert load_checkpoint(tmp_path / "killed" / LAST, CPU).state.epoch == 1
        run(make_trainer(), tmp_path / "killed")
        assert ends_alike(tmp_path / "whole", tmp_path / "killed")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("place", ["_step", "_validate", "_conclude"])
    def test_a_signal_ends_the_step_and_leaves_a_checkpoint(
        self, make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, number: signal.Signals
    ) -> None:
        """Whatever it meets: it is heard where nothing is half done."""
        run(make_trainer(epochs=2), tmp_path / "whole")
        original = getattr(Trainer, place)
        calls = 0

        def signalled(trainer: Trainer, *args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == (2 if place == "_step" else 1):
                signal.raise_signal(number)
            return original(trainer, *args)

        def terminated(*_: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(number, terminated)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(Trainer, place, signalled)
                with pytest.raises(KeyboardInterrupt):
                    run(make_trainer(epochs=2), tmp_path / "stopped")
            assert signal.getsignal(number) is terminated
        finally:
            signal.signal(number, before)
        state = load_checkpoint(tmp_path / "stopped" / LAST, CPU).state
        assert (state.epoch, state.step, state.batch) == {"_step": (0, 2, 2), "_validate": (0, 3, 3), "_conclude": (1, 4, 1)}[place]
        run(make_trainer(epochs=2), tmp_path / "stopped")
        assert ends_alike(tmp_path / "whole", tmp_path / "stopped")

    def test_a_progress_that_cancels_leaves_a_checkpoint(self, make_trainer: Any, tmp_path: Path) -> None:
        run(make_trainer(epochs=2), tmp_path / "whole")
        (tmp_path / "stopped").mkdir()
        with pytest.raises(Cancelled):
            make_trainer(epochs=2).fit(tmp_path / "stopped", MetricsLog(tmp_path / "stopped" / "metrics.jsonl"), Cancelling(5))
        assert load_checkpoint(tmp_path / "stopped" / LAST, CPU).state.step == 5
        run(make_trainer(epochs=2), tmp_path / "stopped")
        assert ends_alike(tmp_path / "whole", tmp_path / "stopped")

    def test_a_broken_sample_is_named_and_what_is_done_is_kept(self, make_trainer: Any, task: Task, tmp_path: Path) -> None:
        """The run goes on where it was when the file is mended."""
        run(make_trainer(epochs=2), tmp_path / "whole")
        order = [drawn.sample.id for drawn in task.draw.epoch(0, 0)]
        ill = replace(task, preparation=replace(task.preparation, store=Ill(task.preparation.store, task.draw.samples[order[5]])))  # type: ignore[arg-type]
        with pytest.raises(RasterError, match=f"gone bad\nIt was met at sample {order[5]} of scene a"):
            run(make_trainer(ill, epochs=2, checkpoint_minutes=1e-9), tmp_path / "broken")
        assert load_checkpoint(tmp_path / "broken" / LAST, CPU).state.step == 1
        run(make_trainer(epochs=2), tmp_path / "broken")
        assert ends_alike(tmp_path / "whole", tmp_path / "broken")


class TestAccumulation:
    """Gradients of several batches make a step."""

    def test_it_is_one_large_batch(self, make_trainer: Any, tmp_path: Path) -> None:
        """Where the loss is a mean over pixels that are all valid, and nothing normalises over a batch."""
        options: Any = {"model": ModelOptions(filters=4, depth=1, norm="group"), "loss": mean_cross_entropy, "epochs": 3}
        small, large = make_trainer(batch_size=2, accumulate=2, **options), make_trainer(batch_size=4, **options)
        rows = [run(trainer, tmp_path / name) for name, trainer in (("small", small), ("large", large))]
        assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]] == [3, 6, 9]
        assert [row["loss"] for row in rows[0]] == pytest.approx([row["loss"] for row in rows[1]], rel=1e-5)
        assert [row["learning_rate"] for row in rows[0]] == [row["learning_rate"] for row in rows[1]]
        for name, tensor in small.network.state_dict().items():
            assert torch.allclose(tensor, large.network.state_dict()[name], atol=2e-3), name

    def test_its_gradient_is_that_of_one_large_batch(self, make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found: list[list[Tensor]] = []

        def clip(parameters: Any, _: float, *, foreach: bool) -> None:
            found.append([parameter.grad.clone() for parameter in parameters])
            raise Killed

        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip)
        for size, accumulate in ((8, 1), (3, 3), (1, 8)):
            model = ModelOptions(filters=4, depth=1, norm="none")
            trainer = make_trainer(model=model, loss=mean_cross_entropy, batch_size=size, accumulate=accumulate)
            with pytest.raises(Killed):
                run(trainer, tmp_path / str(size))
        assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found[0], found[2], strict=True))
        assert not all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found[0], found[1], strict=True))

    def test_the_last_step_of_an_epoch_takes_what_is_left(self, make_trainer: Any, tmp_path: Path) -> None:
        trainer = make_trainer(batch_size=2, accumulate=3, epochs=2)
        assert (trainer.batches, trainer.steps) == (5, 4)
        assert [row["step"] for row in run(trainer, tmp_path)] == [2, 4]


def mean_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, target.where(target != 255, 0))


EVERYTHING: list[dict[str, Any]] = [
    {"schedule": "plateau", "plateau_patience": 1, "min_delta": 0.5, "optimizer": "sgd", "learning_rate": 0.05, "l2": 1e-3},
    {"batch_size": 2, "accumulate": 2, "optimizer": "rmsprop", "early_stop_metric": "loss", "keep": 2},
    {"schedule": "rampup", "rampup_epochs": 2, "max_lr": 0.5, "optimizer": "adadelta", "early_stop_metric": "loss"},
    {"schedule": "step", "step_epochs": 1, "optimizer": "adam", "average": 0.0, "keep": "all"},
    {"schedule": "one_cycle", "optimizer": "sgd", "nesterov": True},
]


@pytest.mark.parametrize("options", EVERYTHING, ids=["plateau", "accumulate", "rampup", "step", "one_cycle"])
def test_with_whatever_options_a_killed_run_resumes_to_the_same_weights(
    make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    options = {"epochs": 4, "checkpoint_minutes": 1e-9, "model": WHEREVER, **options}
    run(make_trainer(**options), tmp_path / "whole")
    original, left = Trainer._step, [3, 3, 1]

    def dying(trainer: Trainer, *args: Any) -> Any:
        if left[0] == 0:
            del left[0]
            raise Killed
        left[0] -= 1
        return original(trainer, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", dying)
        while len(left) > 1:
            with pytest.raises(Killed):
                run(make_trainer(**options), tmp_path / "killed")
    run(make_trainer(**options), tmp_path / "killed")
    assert ends_alike(tmp_path / "whole", tmp_path / "killed")
    names = [sorted(path.name for path in (tmp_path / name).glob("epoch_*")) for name in ("whole", "killed")]
    assert names[0] == names[1]
    assert len(names[0]) == {"best": 0, "all": 4, 2: 2}[options.get("keep", "best")]


def test_the_rate_falls_on_a_plateau(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.5, 0.5, 0.6, 0.6])
    monkeypatch.setattr(Trainer, "_evaluate", lambda *_: (next(scores), None))
    rows = run(make_trainer(epochs=5, schedule="plateau", plateau_patience=2, learning_rate=1e-2, warmup=0.0), tmp_path)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2] * 3 + [1e-3] * 2)


def test_the_best_epoch_may_be_that_of_another_figure(make_trainer: Any, task: Task, tmp_path: Path) -> None:
    trainer = make_trainer(replace(task, aim=Aim(figure="loss", name="loss")), epochs=6, learning_rate=3e-2, average=0.5)
    rows = run(trainer, tmp_path)
    losses = [row["validation"]["loss"] for row in rows if row["validation"] is not None]
    assert trainer.state.best_epoch == 1 + losses.index(min(losses))
    assert trainer.state.best_score == -min(losses)


def test_weights_of_epochs_are_those_that_were_evaluated(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(epochs=2, keep="all")
    rows = run(trainer, tmp_path)
    files = sorted(tmp_path.glob("epoch_*"))
    assert rows[1]["validation"] is not None
    assert files[1].name == epoch_file(2, rows[1]["loss"], "mean_dice", rows[1]["validation"]["mean_dice"])
    assert same(load_file(files[1]), trainer.average)


def test_what_is_never_scored_is_kept_all_the_same(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that the validation part lacks has no Dice."""
    monkeypatch.setattr(Trainer, "_evaluate", lambda *_: (None, None))
    trainer = make_trainer(epochs=2)
    run(trainer, tmp_path)
    assert same(best_weights(tmp_path, CPU), trainer.average)


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

    def score(trainer: Trainer, _: Any) -> tuple[float, None]:
        averages.append({name: tensor.clone() for name, tensor in trainer.average.items()})
        return next(scores), None

    monkeypatch.setattr(Trainer, "_evaluate", score)
    trainer = make_trainer(epochs=4)
    run(trainer, tmp_path)
    assert (trainer.state.best_epoch, trainer.state.best_score, trainer.state.without_gain) == (2, 0.9, 2)
    assert same(best_weights(tmp_path, CPU), averages[1])


def test_early_stop_counts_evaluations_without_gain(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.1, 0.7, 0.9])
    monkeypatch.setattr(Trainer, "_evaluate", lambda *_: (next(scores), None))
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
    assert trainer._validate(quiet()) == rows[-1]["validation"]


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


def test_metrics_are_lines_of_json(make_trainer: Any, tmp_path: Path) -> None:
    run(make_trainer(epochs=2), tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON")) for line in lines]
    assert [sorted(row) for row in rows] == [["epoch", "learning_rate", "loss", "seconds", "step", "validation"]] * 2
