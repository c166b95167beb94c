from itertools import pairwise

import pytest

from terrazzo.training.options import TrainingOptions
from terrazzo.training.schedule import rate


def test_warms_up_then_falls_along_a_cosine() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup=0.1, final_rate=0.01)
    rates = [rate(step, 100, options) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert rates[10] == 1.0
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.01)


def test_constant_stays_after_the_warm_up() -> None:
    options = TrainingOptions(learning_rate=0.5, warmup=0.5, schedule="constant")
    assert {rate(step, 10, options) for step in range(5, 10)} == {0.5}


def test_a_single_step_has_a_rate() -> None:
    assert rate(0, 1, TrainingOptions(learning_rate=0.5, warmup=0.0)) == 0.5
