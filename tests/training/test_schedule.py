from itertools import pairwise

import pytest
import torch

from terrazzo.training.options import TrainingOptions
from terrazzo.training.schedule import Moment, rate


def at(step: int, steps: int = 100, epoch: int = 0, drops: int = 0) -> Moment:
    return Moment(step=step, steps=steps, epoch=epoch, drops=drops)


def test_warms_up_then_falls_along_a_cosine() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup=0.1, final_rate=0.01)
    rates = [rate(at(step), options) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert rates[10] == 1.0
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.01)


def test_constant_stays_after_the_warm_up() -> None:
    options = TrainingOptions(learning_rate=0.5, warmup=0.5, schedule="constant")
    assert {rate(at(step, 10), options) for step in range(5, 10)} == {0.5}


@pytest.mark.parametrize("schedule", ["cosine", "constant", "one_cycle", "step", "plateau"])
def test_a_single_step_has_a_rate(schedule: str) -> None:
    assert rate(at(0, 1), TrainingOptions(learning_rate=0.5, warmup=0.0, schedule=schedule)) == 0.5


def test_rampup_is_the_curve_of_the_zoo() -> None:
    options = TrainingOptions(
        schedule="rampup", rampup_epochs=20, sustain_epochs=5, exp_decay=0.8, start_lr=1e-7, max_lr=1e-5, min_lr=1e-8, warmup=0.5
    )
    rates = [rate(at(0, epoch=epoch), options) for epoch in range(200)]
    assert rates[0] == 1e-7
    assert rates[1] == pytest.approx(5.95e-7)
    assert rates[10] == pytest.approx(5.05e-6)
    assert rates[20:25] == [1e-5] * 5
    assert rates[25] == pytest.approx(1e-5)
    assert rates[26] == pytest.approx((1e-5 - 1e-8) * 0.8 + 1e-8)
    assert rates[35] == pytest.approx((1e-5 - 1e-8) * 0.8**10 + 1e-8)
    assert rates[-1] == pytest.approx(1e-8, rel=1e-3)


def test_rampup_may_begin_at_the_top() -> None:
    options = TrainingOptions(schedule="rampup", rampup_epochs=0, exp_decay=0.5, max_lr=4e-3, min_lr=0.0, start_lr=0.0)
    assert [rate(at(0, epoch=epoch), options) for epoch in range(3)] == [4e-3, 2e-3, 1e-3]


def test_rampup_rises_to_its_largest_rate() -> None:
    with pytest.raises(ValueError, match=r"max_lr is 1e-05; it must not be below start_lr \(0.001\)"):
        TrainingOptions(schedule="rampup", start_lr=1e-3)


def test_step_falls_every_so_many_epochs() -> None:
    options = TrainingOptions(schedule="step", learning_rate=1.0, warmup=0.0, step_factor=0.5, step_epochs=3)
    assert [rate(at(epoch, epoch=epoch), options) for epoch in range(8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_plateau_falls_with_each_of_them_to_min_lr() -> None:
    options = TrainingOptions(schedule="plateau", learning_rate=1.0, warmup=0.0, plateau_factor=0.1, min_lr=0.005)
    assert [rate(at(0, drops=drops), options) for drops in range(4)] == pytest.approx([1, 0.1, 0.01, 0.005])


def test_plateau_never_raises_a_rate_below_min_lr() -> None:
    options = TrainingOptions(schedule="plateau", learning_rate=1e-8, warmup=0.0)
    assert {rate(at(0, drops=drops), options) for drops in range(4)} == {1e-8}


def test_one_cycle_is_that_of_torch() -> None:
    options = TrainingOptions(schedule="one_cycle", learning_rate=0.3, warmup=0.3, final_rate=1e-3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # torch ends its rise a step before pct_start says
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.3, total_steps=100, pct_start=0.31, div_factor=25, final_div_factor=1 / (25 * 1e-3), cycle_momentum=False
    )
    for step in range(100):
        assert rate(at(step), options) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        if step < 99:
            theirs.step()
