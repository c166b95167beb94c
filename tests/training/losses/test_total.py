"""Sums of losses, and what every loss keeps: valid pixels alone count, and it stays finite."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from terrazzo.errors import RecipeError
from terrazzo.training.losses.total import balanced_weights, build_loss, check_loss, factors
from terrazzo.training.options import LossName, TrainingOptions

CPU = torch.device("cpu")
NAMES = get_args(LossName)
WEIGHTS = (0.5, 1.5)


def gradient_of(options: TrainingOptions, logits: Tensor, target: Tensor, weights: tuple[float, ...] | None = None) -> tuple[float, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = build_loss(options, weights, CPU)(leaf, target)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return value.item(), leaf.grad


def some(classes: int = 2, shape: tuple[int, int, int] = (2, 13, 9)) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(3)
    logits = torch.randn(shape[0], classes, *shape[1:], generator=numbers)
    return logits, torch.randint(0, classes, shape, generator=numbers)


def certain(target: Tensor, classes: int, size: float) -> Tensor:
    """Logits that are sure of the truth."""
    return size * (2 * torch.nn.functional.one_hot(target, classes).permute(0, 3, 1, 2).float() - 1)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> LossName:
    found: LossName = request.param
    return found


@pytest.fixture(params=["batch", "image", "no smoothing"])
def options(request: pytest.FixtureRequest, name: LossName) -> TrainingOptions:
    over = "image" if request.param == "image" else "batch"
    return TrainingOptions(loss=[name], dice_over=over, smooth=0.0 if request.param == "no smoothing" else 1.0)


class TestEveryLoss:
    """The contract."""

    @pytest.mark.parametrize("weights", [None, WEIGHTS])
    def test_a_perfect_map_costs_nothing_and_any_other_more(self, options: TrainingOptions, weights: tuple[float, ...] | None) -> None:
        logits, target = some()
        best, _ = gradient_of(options, certain(target, 2, 30), target, weights)
        assert best == pytest.approx(0, abs=2e-6)
        assert gradient_of(options, logits, target, weights)[0] > best + 0.05
        assert gradient_of(options, certain(1 - target, 2, 30), target, weights)[0] > gradient_of(options, logits, target, weights)[0]

    def test_it_falls_along_its_gradient(self, options: TrainingOptions) -> None:
        logits, target = some()
        value, slope = gradient_of(options, logits, target)
        assert gradient_of(options, logits - 0.1 * slope / slope.norm(), target)[0] < value

    @pytest.mark.parametrize("weights", [None, WEIGHTS])
    def test_ignored_pixels_change_neither_value_nor_gradient(self, options: TrainingOptions, weights: tuple[float, ...] | None) -> None:
        logits, target = some()
        target[:, 4:7, 2:] = 255
        value, slope = gradient_of(options, logits, target, weights)
        ignored = (target == 255).unsqueeze(1)
        other, others = gradient_of(options, torch.where(ignored, 1e4 * logits.flip(1), logits), target, weights)
        assert value == other
        assert not slope.masked_select(ignored).any()
        assert torch.equal(slope, others)

    def test_padding_that_is_ignored_changes_nothing(self, options: TrainingOptions) -> None:
        logits, target = some()
        wide = torch.nn.functional.pad(logits, (0, 5, 3, 0), value=2.0), torch.nn.functional.pad(target, (0, 5, 3, 0), value=255)
        assert gradient_of(options, *wide)[0] == pytest.approx(gradient_of(options, logits, target)[0], rel=1e-5)

    @pytest.mark.parametrize("weights", [None, WEIGHTS])
    def test_a_batch_without_valid_pixels_costs_nothing(self, options: TrainingOptions, weights: tuple[float, ...] | None) -> None:
        logits, target = some()
        value, slope = gradient_of(options, logits, torch.full_like(target, 255), weights)
        assert value == 0
        assert not slope.any()

    @pytest.mark.parametrize("size", [1e4, -1e4])
    def test_extreme_logits_have_a_finite_gradient(self, options: TrainingOptions, size: float) -> None:
        _, target = some()
        target[0, :2] = 255
        value, slope = gradient_of(options, certain(target.where(target != 255, 0), 2, size), target)
        assert math.isfinite(value)
        assert slope.isfinite().all()

    @pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
    def test_absent_classes_do_no_harm(self, name: LossName, gamma: float) -> None:
        classes = 2 if name == "binary" else 5
        logits, _ = some(classes)
        target = torch.ones(2, 13, 9, dtype=torch.int64)
        weights = (0.0, *[1.0] * (classes - 1))
        value, slope = gradient_of(TrainingOptions(loss=[name], focal_gamma=gamma, smooth=0.0), logits, target, weights)
        assert math.isfinite(value)
        assert slope.isfinite().all()
        assert slope[:, 1].abs().sum() > 0

    def test_the_layout_in_memory_does_not_matter(self, options: TrainingOptions) -> None:
        logits, target = some()
        last = logits.contiguous(memory_format=torch.channels_last)
        one, other = gradient_of(options, logits, target, WEIGHTS), gradient_of(options, last, target, WEIGHTS)
        assert one[0] == pytest.approx(other[0], rel=1e-5)
        assert torch.allclose(one[1], other[1], atol=1e-6)

    def test_half_precision_is_computed_in_float32(self, name: LossName) -> None:
        logits, target = some()
        coarse = logits.bfloat16()
        value = build_loss(TrainingOptions(loss=[name]), None, CPU)(coarse, target)
        assert value.dtype == torch.float32
        assert float(value) == float(build_loss(TrainingOptions(loss=[name]), None, CPU)(coarse.float(), target))

    def test_the_gradient_is_that_of_small_differences(self, name: LossName) -> None:
        logits, target = some(shape=(1, 3, 2))
        target[0, 0, 0] = 255
        options = TrainingOptions(loss=[name])
        _, slope = gradient_of(options, logits, target, WEIGHTS)
        loss = build_loss(options, WEIGHTS, CPU)
        step = 1e-2
        for index in [(0, 0, 1, 0), (0, 1, 2, 1), (0, 1, 0, 0)]:
            beyond, before = logits.clone(), logits.clone()
            beyond[index] += step
            before[index] -= step
            assert float(slope[index]) == pytest.approx(float(loss(beyond, target) - loss(before, target)) / (2 * step), abs=2e-3)


def test_losses_are_added() -> None:
    logits, target = some()
    one, other = (gradient_of(TrainingOptions(loss=[name]), logits, target, WEIGHTS) for name in ("ce", "dice"))
    value, slope = gradient_of(TrainingOptions(loss=["ce", "dice"]), logits, target, WEIGHTS)
    assert value == pytest.approx(one[0] + other[0])
    assert torch.allclose(slope, one[1] + other[1], atol=1e-6)


def test_losses_are_added_with_their_factors() -> None:
    logits, target = some()
    one, other = (gradient_of(TrainingOptions(loss=[name]), logits, target)[0] for name in ("focal", "lovasz"))
    assert gradient_of(TrainingOptions(loss={"focal": 2.0, "lovasz": 0.5}), logits, target)[0] == pytest.approx(2 * one + 0.5 * other)


def test_a_loss_named_twice_counts_once() -> None:
    assert factors(TrainingOptions(loss=["ce", "ce"])) == {"ce": 1.0}


def test_binary_wants_two_classes() -> None:
    options = TrainingOptions(loss={"binary": 1.0})
    check_loss(options, ["no", "yes"])
    with pytest.raises(RecipeError, match=r"training.loss names binary, .* has 3 \(a, b, c\)\. Take ce and dice"):
        check_loss(options, ["a", "b", "c"])


def test_balanced_weights_are_those_of_the_parity_table() -> None:
    weights = balanced_weights([900, 90, 10])
    inverse = [1 / 0.9, 1 / 0.09, 1 / 0.01]
    assert weights == pytest.approx([value / sum(inverse) * 3 for value in inverse])


def test_an_absent_class_keeps_its_place_in_the_weights() -> None:
    assert balanced_weights([50, 0, 50]) == pytest.approx([1.0, 0.0, 1.0])
