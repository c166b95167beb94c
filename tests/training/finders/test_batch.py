"""The batch for which there is memory; a step learns from as many samples, whatever the batch."""

import logging

import pytest
from pydantic import ValidationError

from terrazzo.training.finders.batch import choose_batch
from terrazzo.training.finders.memory import MemoryNeed
from terrazzo.training.options import TrainingOptions


def need_of(count: int) -> MemoryNeed:
    """100 bytes for the weights, 100 a sample."""
    return MemoryNeed(weights=100, step=100 * count, evaluation=0, checkpoint=0, samples=0, mapping=0)


def chosen(free: int | None, **options: int) -> tuple[int, int]:
    found = choose_batch(TrainingOptions(batch_size="auto", **options), need_of, free)
    return found.batch, found.accumulate


@pytest.mark.parametrize(
    ("free", "batch"), [(10_000, 8), (1125, 8), (1124, 4), (626, 4), (624, 2), (375, 2), (374, 1), (250, 1), (249, 1), (0, 1)]
)
def test_it_is_the_largest_power_of_two_that_takes_four_fifths_of_what_is_free(free: int, batch: int) -> None:
    assert chosen(free) == (batch, 8 // batch)


@pytest.mark.parametrize(("accumulate", "free", "found"), [(4, 10_000, (32, 1)), (4, 1125, (8, 4)), (3, 10_000, (8, 3)), (3, 400, (2, 12))])
def test_with_accumulate_a_step_is_so_many_times_eight_samples(accumulate: int, free: int, found: tuple[int, int]) -> None:
    assert chosen(free, accumulate=accumulate) == found
    assert found[0] * found[1] == 8 * accumulate


def test_where_nobody_knows_what_is_free_it_is_the_usual_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert chosen(None, accumulate=2) == (8, 2)
    assert "does not say how much memory is free" in caplog.text


def test_single_samples_that_do_not_fit_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert chosen(200) == (1, 8)
    assert "Even single samples may be too much" in caplog.text


def test_a_number_stays() -> None:
    options = TrainingOptions(batch_size=5, accumulate=3)
    assert choose_batch(options, need_of, 0) is options
    assert options.open == []


def test_what_is_not_settled_cannot_be_used() -> None:
    options = TrainingOptions(batch_size="auto")
    assert options.open == ["batch_size", "accumulate"]
    with pytest.raises(ValueError, match="what trains settles it first"):
        print(options.batch)  # noqa: T201 - reading it fails
    with pytest.raises(ValidationError):
        TrainingOptions(batch_size="largest")
