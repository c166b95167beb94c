"""Losses of classes that overlap: one sigmoid a class, against plain formulas and against the softmax of two classes."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from terrazzo.errors import RecipeError
from terrazzo.training.fit import likely_sets
from terrazzo.training.losses.overlapping import OverlappingPixels, to_flags
from terrazzo.training.losses.regions import dice
from terrazzo.training.losses.total import build_loss, check_loss, odds_weights
from terrazzo.training.options import TrainingOptions

CPU = torch.device("cpu")
NAMES = ["ce", "focal", "border", "dice", "jaccard", "lovasz", "tversky", "focal_tversky"]


def drawn(classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 6, 9, generator=rng)
    target = torch.randint(2**classes, (2, 6, 9), generator=rng)
    target[0, :2, 3:] = 255
    return logits, target


def test_flags_are_the_bits() -> None:
    assert to_flags(torch.tensor([[[5, 2]]]), 3).int().tolist() == [[[[1, 0]], [[0, 1]], [[1, 0]]]]


def test_likely_sets_are_the_classes_above_a_half() -> None:
    logits = torch.tensor([3.0, -1.0, 0.0, -9.0, 2.0, 1.0, 5.0]).view(1, 7, 1, 1)
    assert int(likely_sets(logits)) == 0b1110101
    assert likely_sets(logits).dtype == torch.uint8


def test_cross_entropy_is_that_of_every_class_by_itself() -> None:
    logits, target = drawn()
    valid = (target != 255).unsqueeze(1).expand_as(logits)
    truth = to_flags(target, 3).float()
    weights = torch.tensor([1.0, 4.0, 0.5])
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    plain = build_loss(TrainingOptions(loss=["ce"]), None, CPU, overlapping=True)
    assert float(plain(logits, target)) == pytest.approx(float(each[valid].mean()), rel=1e-5)
    share = torch.where(truth == 1, weights.view(1, 3, 1, 1), 1.0)
    weighted = build_loss(TrainingOptions(loss=["ce"]), weights.tolist(), CPU, overlapping=True)
    assert float(weighted(logits, target)) == pytest.approx(float((each * share)[valid].sum() / share[valid].sum()), rel=1e-5)


@pytest.mark.parametrize("over", ["batch", "image"])
def test_dice_is_the_mean_of_that_of_each_class(over: str) -> None:
    logits, target = drawn()
    groups = [slice(None)] if over == "batch" else [slice(0, 1), slice(1, 2)]
    scores = []
    for group in groups:
        for number in range(3):
            valid = target[group] != 255
            probability = logits[group, number].sigmoid()[valid]
            truth = to_flags(target[group], 3)[:, number][valid].float()
            scores.append(float((2 * (probability * truth).sum() + 1) / (probability.sum() + truth.sum() + 1)))
    found = dice(OverlappingPixels(logits, target), None, over="image" if over == "image" else "batch")
    assert float(found) == pytest.approx(1 - np.mean(scores), rel=1e-5)


@pytest.mark.parametrize("name", ["ce", "focal", "border"])
def test_a_single_class_is_the_softmax_of_two(name: str) -> None:
    logits, target = drawn(classes=1)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    options = TrainingOptions.model_validate({"loss": [name]})
    alone = build_loss(options, [3.0], CPU, overlapping=True)(logits, target)
    assert float(alone) == pytest.approx(float(build_loss(options, [1.0, 3.0], CPU)(two, target)), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_ignores_and_learns(name: str) -> None:
    logits, target = drawn()
    loss = build_loss(TrainingOptions.model_validate({"loss": [name]}), [1.0, 2.0, 0.5], CPU, overlapping=True)
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    ignored = (target == 255).unsqueeze(1).expand_as(leaf)
    assert not leaf.grad[ignored].any()
    assert leaf.grad[~ignored].abs().sum() > 0
    right = torch.where(to_flags(target, 3), 30.0, -30.0)
    assert 0 <= float(loss(right, target)) < 0.01 < value.item()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_labels_teaches_nothing(name: str) -> None:
    leaf = drawn()[0].requires_grad_()
    value = build_loss(TrainingOptions.model_validate({"loss": [name]}), None, CPU, overlapping=True)(leaf, torch.full((2, 6, 9), 255))
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    assert torch.isfinite(value)
    assert not leaf.grad.any()


def test_binary_is_for_classes_that_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match="binary, which is for two classes that exclude each other; these overlap"):
        check_loss(TrainingOptions(loss=["binary"]), ["a", "b"], overlapping=True)
    check_loss(TrainingOptions(), ["a", "b"], overlapping=True)


def test_weights_make_up_for_rarity() -> None:
    assert odds_weights([10, 50, 0, 100], 100) == [9.0, 1.0, 0.0, 0.0]
    assert odds_weights([10], 100, 0.5) == [3.0]
