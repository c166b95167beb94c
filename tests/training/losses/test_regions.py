from itertools import product

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score

from terrazzo.training.losses import pixels
from terrazzo.training.losses.pixels import Pixels
from terrazzo.training.losses.regions import dice, jaccard, lovasz, tversky


def pixels_of(probabilities: list[float], target: list[int]) -> Pixels:
    """A row of pixels of two classes, from the probability of class 1."""
    share = torch.tensor(probabilities)
    return Pixels(torch.stack([torch.log(1 - share), torch.log(share)]).reshape(1, 2, 1, -1), torch.tensor([[target]]))


ROW = pixels_of([0.8, 0.3, 0.9], [1, 0, 255])
ONE, ZERO = (0.8, 1 + 1.1), (0.7, 1 + 0.9)
"""Of each class the sums of y p, and of y and p."""
WEIGHTS = torch.tensor([1.0, 3.0])


def test_dice_is_the_formula_of_the_parity_table() -> None:
    one, zero = ((2 * both + 1) / (either + 1) for both, either in (ONE, ZERO))
    assert float(dice(ROW, None)) == pytest.approx(1 - (one + zero) / 2, rel=1e-5)
    assert float(dice(ROW, WEIGHTS)) == pytest.approx(1 - (3 * one + zero) / 4, rel=1e-5)


def test_dice_may_square() -> None:
    one = (2 * 0.8 + 0.5) / (1 + 0.8**2 + 0.3**2 + 0.5)
    zero = (2 * 0.7 + 0.5) / (1 + 0.7**2 + 0.2**2 + 0.5)
    assert float(dice(ROW, None, smooth=0.5, squared=True)) == pytest.approx(1 - (one + zero) / 2, rel=1e-5)


def test_jaccard_is_its_formula() -> None:
    one, zero = ((both + 1) / (either - both + 1) for both, either in (ONE, ZERO))
    assert float(jaccard(ROW, None)) == pytest.approx(1 - (one + zero) / 2, rel=1e-5)


def test_tversky_is_its_formula() -> None:
    one = (0.8 + 1) / (0.8 + 0.2 * 0.3 + 0.9 * 0.2 + 1)
    zero = (0.7 + 1) / (0.7 + 0.2 * 0.2 + 0.9 * 0.3 + 1)
    assert float(tversky(ROW, None, balance=(0.2, 0.9))) == pytest.approx(1 - (one + zero) / 2, rel=1e-5)
    powered = ((1 - one) ** 0.75 + (1 - zero) ** 0.75) / 2
    assert float(tversky(ROW, None, balance=(0.2, 0.9), power=0.75)) == pytest.approx(powered, abs=1e-4)


def test_tversky_holds_dice_and_jaccard() -> None:
    assert float(tversky(ROW, None, balance=(0.5, 0.5), smooth=0.5)) == pytest.approx(float(dice(ROW, None)), rel=1e-5)
    assert float(tversky(ROW, None, balance=(1, 1))) == pytest.approx(float(jaccard(ROW, None)), rel=1e-5)


def test_over_images_is_the_mean_of_their_losses() -> None:
    numbers = torch.Generator().manual_seed(0)
    logits, target = torch.randn(3, 4, 7, 5, generator=numbers), torch.randint(0, 4, (3, 7, 5), generator=numbers)
    target[1, :3] = 255
    weights = torch.tensor([0.5, 1.0, 1.5, 1.0])
    alone = [float(dice(Pixels(logits[i : i + 1], target[i : i + 1]), weights)) for i in range(3)]
    assert float(dice(Pixels(logits, target), weights, over="image")) == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_of_certain_maps_they_are_the_scores() -> None:
    numbers = torch.Generator().manual_seed(0)
    guess, target = (torch.randint(0, 3, (2, 9, 7), generator=numbers) for _ in range(2))
    pixels = Pixels(100 * torch.nn.functional.one_hot(guess, 3).permute(0, 3, 1, 2).float(), target)
    flat = target.flatten().numpy(), guess.flatten().numpy()
    assert float(dice(pixels, None, smooth=0.0)) == pytest.approx(1 - f1_score(*flat, average="macro"), rel=1e-5)
    assert float(jaccard(pixels, None, smooth=0.0)) == pytest.approx(1 - jaccard_score(*flat, average="macro"), rel=1e-5)
    # on the corners of the cube the extension is the set function itself
    assert float(lovasz(pixels, None)) == pytest.approx(1 - jaccard_score(*flat, average="macro"), rel=1e-5)


def test_lovasz_is_the_interpolation_between_corners() -> None:
    """For errors m in falling order: the sum of m_i times what pixel i adds to the loss of the set of the i worst."""
    probabilities, target = [0.8, 0.3, 0.6, 0.1], [1, 0, 0, 1]
    losses = []
    for label in (0, 1):
        errors = [1 - p if y == 1 else p for p, y in zip(probabilities, target, strict=True)]
        order = sorted(range(4), key=lambda pixel: -errors[pixel])

        def lost(wrong: set[int], label: int = label) -> float:
            truth = {pixel for pixel in range(4) if target[pixel] == label}
            return len(wrong) / len(truth | wrong) if wrong else 0.0

        sets = [set(order[:count]) for count in range(5)]
        losses.append(sum(errors[order[i]] * (lost(sets[i + 1]) - lost(sets[i])) for i in range(4)))
    assert float(lovasz(pixels_of(probabilities, target), None)) == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert float(lovasz(pixels_of(probabilities, target), WEIGHTS)) == pytest.approx((losses[0] + 3 * losses[1]) / 4, rel=1e-5)


@pytest.mark.parametrize(("over", "squared"), [*product(["batch", "image"], [False, True])])
def test_counted_by_bins_or_by_comparison_sums_are_the_same(over: str, squared: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """The way of the CPU, and that of devices with many threads."""
    numbers = torch.Generator().manual_seed(0)
    logits, target = torch.randn(3, 4, 7, 5, generator=numbers), torch.randint(0, 4, (3, 7, 5), generator=numbers)
    target[1, :3] = 255
    by_bins = Pixels(logits, target).sums(over, squared=squared)  # type: ignore[arg-type]
    monkeypatch.setattr(pixels, "_binned", pixels._masked)
    by_comparison = Pixels(logits, target).sums(over, squared=squared)  # type: ignore[arg-type]
    for name in ("both", "predicted", "truth"):
        assert torch.allclose(getattr(by_bins, name), getattr(by_comparison, name))
