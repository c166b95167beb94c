import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional

from terrazzo.training.losses.pixels import Pixels
from terrazzo.training.losses.pixelwise import binary, border, cross_entropy, focal, nearness


def pixels_of(probabilities: list[float], target: list[int]) -> Pixels:
    """A row of pixels of two classes, from the probability of class 1."""
    share = torch.tensor(probabilities)
    return Pixels(torch.stack([torch.log(1 - share), torch.log(share)]).reshape(1, 2, 1, -1), torch.tensor([[target]]))


def test_cross_entropy_is_the_mean_over_valid_pixels() -> None:
    found = cross_entropy(pixels_of([0.8, 0.3, 0.999], [1, 0, 255]), None)
    assert float(found) == pytest.approx(log_loss([1, 0], [0.8, 0.3]), rel=1e-5)


def test_weighted_cross_entropy_is_that_of_torch() -> None:
    numbers = torch.Generator().manual_seed(0)
    logits, target = torch.randn(2, 4, 7, 5, generator=numbers), torch.randint(0, 4, (2, 7, 5), generator=numbers)
    target[1, :3] = 255
    weights = torch.tensor([0.0, 0.5, 1.5, 2.0])
    expected = functional.cross_entropy(logits, target, weights, ignore_index=255)
    assert float(cross_entropy(Pixels(logits, target), weights)) == pytest.approx(float(expected), rel=1e-5)


def test_focal_is_its_formula() -> None:
    found = focal(pixels_of([0.8, 0.3, 0.9], [1, 0, 255]), torch.tensor([1.0, 3.0]), gamma=2.0)
    expected = -(3 * 0.2**2 * math.log(0.8) + 0.3**2 * math.log(0.7)) / 4
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_focal_without_gamma_is_cross_entropy() -> None:
    pixels = pixels_of([0.8, 0.3], [1, 0])
    assert float(focal(pixels, None, gamma=0.0)) == pytest.approx(float(cross_entropy(pixels, None)))


def test_binary_is_the_sum_of_the_parity_table() -> None:
    found = binary(pixels_of([0.8, 0.3, 0.6, 0.9], [1, 0, 1, 255]), None)
    dice = (2 * (0.8 + 0.6) + 1) / (2 + 0.8 + 0.3 + 0.6 + 1)
    assert float(found) == pytest.approx(log_loss([1, 0, 1], [0.8, 0.3, 0.6]) + 1 - dice, rel=1e-5)


@pytest.mark.parametrize("sigma_px", [1.0, 2.5])
def test_nearness_is_that_of_the_exact_distance(sigma_px: float) -> None:
    numbers = np.random.default_rng(1)
    target = np.kron(numbers.integers(0, 3, (2, 4, 3)), np.ones((1, 7, 11))).astype(np.int64)
    found = nearness(torch.from_numpy(target), torch.ones(target.shape, dtype=torch.bool), sigma_px).numpy()
    for one, classes in zip(found, target, strict=True):
        edge = np.zeros(classes.shape, bool)
        down, right = classes[1:] != classes[:-1], classes[:, 1:] != classes[:, :-1]
        edge[1:] |= down
        edge[:-1] |= down
        edge[:, 1:] |= right
        edge[:, :-1] |= right
        away = np.argwhere(edge)[:, None, None] - np.moveaxis(np.indices(classes.shape), 0, -1)
        expected = np.exp(-(away**2).sum(-1).min(0) / (2 * sigma_px**2))
        assert np.abs(one - expected).max() < math.exp(-4.4)
        close = expected > 0.02
        assert one[close] == pytest.approx(expected[close], rel=1e-4)


def test_ignored_pixels_make_no_border() -> None:
    target = torch.zeros(1, 9, 9, dtype=torch.int64)
    target[:, :, 4:] = 1
    valid = torch.ones(1, 9, 9, dtype=torch.bool)
    assert nearness(target, valid, 2.0).max() == 1
    valid[:, :, 4] = False
    assert not nearness(target, valid, 2.0).any()


def test_border_weighs_what_lies_at_one() -> None:
    found = border(pixels_of([0.2, 0.3, 0.6], [0, 0, 1]), None, strength=3.0, sigma_px=1.0)
    weights = [1 + 3 * math.exp(-0.5), 4.0, 4.0]
    expected = -sum(weight * math.log(share) for weight, share in zip(weights, [0.8, 0.7, 0.6], strict=True)) / sum(weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_without_borders_border_is_cross_entropy() -> None:
    pixels = pixels_of([0.8, 0.3], [1, 1])
    assert float(border(pixels, None)) == pytest.approx(float(cross_entropy(pixels, None)))
