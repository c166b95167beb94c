import math

import pytest
import torch

from terrazzo.training.losses import balanced_weights, build_loss, cross_entropy, dice

CPU = torch.device("cpu")


def logits_of(probabilities: list[float]) -> torch.Tensor:
    """Logits of two classes for a row of pixels, from the probability of class 1."""
    share = torch.tensor(probabilities)
    return torch.stack([torch.log(1 - share), torch.log(share)]).reshape(1, 2, 1, -1)


def test_cross_entropy_is_the_mean_over_valid_pixels() -> None:
    target = torch.tensor([[[1, 0, 255]]])
    expected = -(math.log(0.8) + math.log(0.7)) / 2
    assert float(cross_entropy(logits_of([0.8, 0.3, 0.999]), target, None)) == pytest.approx(expected, rel=1e-5)


def test_weighted_cross_entropy_is_the_weighted_mean() -> None:
    target, weights = torch.tensor([[[1, 0]]]), torch.tensor([0.5, 1.5])
    expected = -(1.5 * math.log(0.8) + 0.5 * math.log(0.7)) / 2
    assert float(cross_entropy(logits_of([0.8, 0.3]), target, weights)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_the_formula_of_the_parity_table() -> None:
    target = torch.tensor([[[1, 0, 255]]])
    one = (2 * 0.8 + 1) / (1 + 1.1 + 1)
    zero = (2 * 0.7 + 1) / (1 + 0.9 + 1)
    assert float(dice(logits_of([0.8, 0.3, 0.9]), target, None)) == pytest.approx(1 - (one + zero) / 2, rel=1e-5)


def test_ignored_pixels_have_no_gradient() -> None:
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    build_loss(["ce", "dice"], None, CPU)(logits, torch.tensor([[[0, 255], [2, 255]]])).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[..., 1].abs().max() == 0
    assert logits.grad[..., 0].abs().min() > 0


def test_an_image_without_valid_pixels_costs_nothing() -> None:
    logits = torch.randn(1, 2, 4, 4)
    assert float(build_loss(["ce", "dice"], None, CPU)(logits, torch.full((1, 4, 4), 255))) == pytest.approx(0, abs=1e-6)


def test_balanced_weights_are_those_of_the_parity_table() -> None:
    weights = balanced_weights([900, 90, 10])
    inverse = [1 / 0.9, 1 / 0.09, 1 / 0.01]
    assert weights == pytest.approx([value / sum(inverse) * 3 for value in inverse])


def test_an_absent_class_keeps_its_place_in_the_weights() -> None:
    assert balanced_weights([50, 0, 50]) == pytest.approx([1.0, 0.0, 1.0])
