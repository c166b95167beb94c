"""By which ranges a trained network may be rounded to eight bits, and whether its maps stand that."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from terrazzo.models.int8 import Range, rounded
from terrazzo.samples.chip import to_chip
from terrazzo.samples.rows import Sample
from terrazzo.training import int8
from terrazzo.training.fit import Trainer
from terrazzo.training.int8 import int8_ranges

Fake = Callable[[nn.Module, Mapping[str, Range]], nn.Module]


@pytest.fixture
def trainer(make_trainer: Callable[..., Trainer]) -> Trainer:
    """Of a network that has learned a little, so that it is not unsure everywhere."""
    found = make_trainer()
    with torch.no_grad():
        found.network.head.weight.mul_(100)  # type: ignore[operator, union-attr]
    return found


@pytest.fixture
def _whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "LEAST_AGREEMENT", 0.0)
    monkeypatch.setattr(int8, "LARGEST_LOSS", 1.0)


def learned(trainer: Trainer) -> list[Sample]:
    return list(trainer.task.draw.samples)


@pytest.mark.usefixtures("_whatever_it_costs")
def test_ranges_are_of_the_training_windows(trainer: Trainer) -> None:
    inputs: list[Tensor] = []
    convolution = trainer.network.get_submodule("encoder.0.3")
    handle = convolution.register_forward_pre_hook(lambda _, given: inputs.append(given[0].clone()))
    preparation = trainer.task.preparation
    for sample in learned(trainer):
        chip = to_chip(preparation.store.image(sample.scene, sample.window), preparation.scaling, (16, 16))
        with torch.inference_mode():
            trainer.network.eval()(torch.from_numpy(chip)[None])
    handle.remove()
    steps: list[float] = []
    ranges = int8_ranges(trainer, learned(trainer), steps.append)
    assert ranges["encoder.0.3"] == pytest.approx((0, max(float(each.max()) for each in inputs)), rel=1e-5)
    assert "head" not in ranges
    assert "encoder.0.0" not in ranges
    assert sum(steps) == len(learned(trainer)) + len(trainer.task.validation)


@pytest.mark.usefixtures("_whatever_it_costs")
def test_of_many_windows_some_are_seen_from_first_to_last(trainer: Trainer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "MOST_WINDOWS", 3)
        steps: list[float] = []
        few = int8_ranges(trainer, learned(trainer), steps.append)
    assert sum(steps) == 3 + len(trainer.task.validation)
    assert few == int8_ranges(trainer, [learned(trainer)[place] for place in (0, 3, 6)], lambda _: None)
    assert few


def test_the_network_that_learned_stays_as_it_is(trainer: Trainer) -> None:
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    int8_ranges(trainer, learned(trainer), lambda _: None)
    assert list(trainer.network.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())


class Other(nn.Module):
    """Answers with the first class in some pixels, and else as the network."""

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images).clone()
        changed = torch.arange(logits[0, 0].numel()).reshape(logits.shape[2:]) < self.share * logits[0, 0].numel()
        logits[..., changed] = -logits[..., changed]
        return logits


@pytest.mark.parametrize(("share", "stands"), [(0.0, True), (0.02, False)])
def test_maps_whose_classes_change_speak_against_it(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, share: float, *, stands: bool
) -> None:
    monkeypatch.setattr(int8, "rounded", lambda network, _: Other(network, share))
    monkeypatch.setattr(int8, "LARGEST_LOSS", 1.0)
    assert bool(int8_ranges(trainer, learned(trainer), lambda _: None)) is stands


@pytest.mark.parametrize("right", [True, False])
def test_so_does_a_lower_iou(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, *, right: bool) -> None:
    """A network that gains by being rounded, and one that loses all."""
    store = trainer.task.preparation.store
    truth = np.stack([store.labels(sample.scene, sample.window) for sample in trainer.task.validation])

    class Knows(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            told = torch.from_numpy(truth[: len(images)] == right).long()
            return nn.functional.one_hot(told, 2).permute(0, 3, 1, 2).float()

    monkeypatch.setattr(int8, "rounded", lambda _, __: Knows())
    monkeypatch.setattr(int8, "LEAST_AGREEMENT", 0.0)
    assert bool(int8_ranges(trainer, learned(trainer), lambda _: None)) is right


def test_without_a_validation_part_the_training_part_is_judged(make_trainer: Callable[..., Trainer]) -> None:
    trainer = make_trainer()
    alone = make_trainer(replace(trainer.task, validation=[]))
    steps: list[float] = []
    int8_ranges(alone, learned(alone), steps.append)
    assert sum(steps) == 2 * len(learned(alone))


@pytest.mark.usefixtures("_whatever_it_costs")
def test_it_says_what_the_engine_will_do(trainer: Trainer) -> None:
    ranges = int8_ranges(trainer, learned(trainer), lambda _: None)
    coarse = rounded(trainer.network, ranges)
    shown = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact, found = trainer.network.eval()(shown), coarse(shown)
    assert not torch.equal(exact, found)
    assert float((exact.argmax(1) == found.argmax(1)).float().mean()) > 0.95
