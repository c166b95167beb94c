"""The range test finds a rate, leaves nothing behind, and is the same whenever it is made."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from terrazzo.errors import DataError, RecipeError
from terrazzo.progress import Silent
from terrazzo.recipes.recipe import make_recipe
from terrazzo.recipes.settings import Setting
from terrazzo.training.finders.memory import Learner
from terrazzo.training.finders.rate import FIRST, LAST, STEPS, RangeTest, choose_rate, has_diverged, range_test, smoothed
from terrazzo.training.fit import Task, Trainer
from terrazzo.training.metrics import MetricsLog
from terrazzo.training.options import TrainingOptions

RATES = np.geomspace(FIRST, LAST, STEPS).tolist()


def sinking(middle: float, width: float = 0.3) -> list[float]:
    """Losses that sink from 2 to 1 about a rate, and rise again from a hundred times it on."""
    powers = np.log10(RATES)
    sunk = 1 / (1 + np.exp(-(powers - math.log10(middle)) / width))
    raised = np.maximum(0, powers - math.log10(100 * middle))
    losses: list[float] = (2 - sunk + 9 * raised).tolist()
    return losses


def found(trainer: Trainer, task: Task, **options: Any) -> RangeTest:
    learner = Learner(network=trainer.network, runtime=trainer.runtime, loss=trainer.loss)
    return range_test(learner, trainer.options.model_copy(update={"learning_rate": "find", **options}), task, Silent())


class TestWhatIsChosen:
    @pytest.mark.parametrize("middle", [1e-4, 3e-3, 5e-2])
    def test_a_tenth_of_where_the_loss_falls_fastest(self, middle: float) -> None:
        # the moving average lags behind by less than its memory, ten steps
        assert middle / 10 <= choose_rate(RATES, sinking(middle)) <= middle / 10 * (LAST / FIRST) ** (10 / STEPS)

    def test_it_has_two_digits(self) -> None:
        rate = choose_rate(RATES, sinking(1e-3))
        assert rate == float(f"{rate:.1e}")

    def test_noise_changes_little(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.02, STEPS)
        rates = [choose_rate(RATES, (np.array(sinking(1e-2)) + factor * noise).tolist()) for factor in (0, 1, -1)]
        assert max(rates) < 3 * min(rates)

    def test_a_loss_that_only_rises_is_told(self) -> None:
        with pytest.raises(DataError, match="falls at no learning rate"):
            choose_rate(RATES, np.linspace(1, 9, STEPS).tolist())

    def test_the_average_begins_with_the_first_loss_and_follows(self) -> None:
        assert smoothed([3.0]) == pytest.approx([3.0])
        assert smoothed([1.0] * 5) == pytest.approx([1.0] * 5)
        assert smoothed([0.0, 1.0])[1] == pytest.approx(0.1 / 0.19)

    def test_it_has_diverged_where_the_average_is_three_times_the_least(self) -> None:
        assert not has_diverged([1.0, 9.0])
        assert has_diverged([1.0] * 12 + [3.1])
        assert not has_diverged([1.0] * 12 + [2.9])


class TestTheTest:
    def test_network_generator_and_training_stay_as_they_are(self, make_trainer: Any, task: Task) -> None:
        trainer = make_trainer()
        before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
        generator, state = torch.get_rng_state(), trainer.state
        found(trainer, task)
        assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())
        assert torch.equal(torch.get_rng_state(), generator)
        assert trainer.state == state
        assert not trainer.optimizer.state

    def test_it_ends_alike_each_time_and_goes_over_several_epochs(self, make_trainer: Any, task: Task) -> None:
        one, other = (found(make_trainer(batch_size=2, accumulate=2), task) for _ in range(2))
        assert one == other
        assert len(one.losses) == len(one.rates) == len(one.smooth) > 9
        assert one.rates[0] == pytest.approx(FIRST)
        assert FIRST < one.found < LAST

    def test_its_first_step_is_that_of_the_training(
        self, make_trainer: Any, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first loss does not depend on the rate."""
        trainer = make_trainer(epochs=1)
        tried = found(trainer, task)
        losses: list[float] = []
        original = Trainer._step

        def told(trainer: Trainer, *args: Any) -> Any:
            done = original(trainer, *args)
            losses.append(done[0])
            return done

        monkeypatch.setattr(Trainer, "_step", told)
        trainer.fit(tmp_path, MetricsLog(tmp_path / "metrics.jsonl"), Silent())
        assert losses[0] == tried.losses[0]

    def test_where_the_loss_is_no_number_any_more_it_ends(self, make_trainer: Any, task: Task) -> None:
        trainer = make_trainer()
        original, calls = trainer.loss, []

        def exploding(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            calls.append(1)
            loss: torch.Tensor = original(logits, target)
            return loss * (0.99 ** len(calls) if len(calls) < 40 else math.inf)

        trainer.loss = exploding
        assert len(found(trainer, task).losses) == 39


def test_rampup_has_rates_of_its_own() -> None:
    with pytest.raises(ValidationError, match="goes by start_lr, max_lr and min_lr"):
        TrainingOptions(learning_rate="find", schedule="rampup")
    with pytest.raises(RecipeError, match="Take another schedule"):
        make_recipe(
            [
                Setting(table="training", key="learning_rate", value="find", source="--learning-rate"),
                Setting(table="training", key="schedule", value="rampup", source="--schedule"),
            ]
        )


def test_what_is_not_found_yet_cannot_be_used() -> None:
    options = TrainingOptions(learning_rate="find")
    assert options.open == ["learning_rate"]
    with pytest.raises(ValueError, match="what trains settles it first"):
        print(options.largest_rate)  # noqa: T201 - reading it fails
