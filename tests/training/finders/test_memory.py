"""The memory of a training, told before it begins, is that of a step that is really made."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from terrazzo.models.network import LAYOUT, Precision, Runtime, build_network
from terrazzo.models.options import ModelOptions
from terrazzo.training.finders.ledger import Ledger
from terrazzo.training.finders.memory import HEAP, Batches, Learner, MemoryNeed, memory_need
from terrazzo.training.losses.total import build_loss
from terrazzo.training.optimizers import build_optimizer, optimizer_tensors
from terrazzo.training.options import TrainingOptions

CPU = torch.device("cpu")
BATCHES = Batches(count=3, bands=2, classes=3, size=(37, 52))
SMALL = ModelOptions(filters=4, depth=2)
NETWORKS = [
    pytest.param(ModelOptions(filters=4, depth=2, norm="group", dropout=0.5, dropout_in="blocks"), id="dropout"),
    pytest.param(ModelOptions(kind="resunet", filters=6, depth=1, activation="elu"), id="resunet"),
    pytest.param(ModelOptions(filters=8, depth=2, subpixel=2, upsample="bilinear", pooling="average"), id="subpixel"),
    pytest.param(ModelOptions(architecture="Unet", encoder="resnet18"), id="resnet18", marks=pytest.mark.slow),
    pytest.param(ModelOptions(architecture="Segformer", encoder="mit_b0"), id="attention", marks=pytest.mark.slow),
]


def placed(model: ModelOptions, precision: Precision = "float32") -> tuple[nn.Module, Runtime]:
    runtime = Runtime(device=CPU, precision=precision)
    return runtime.place(build_network(model, BATCHES.bands, BATCHES.classes)), runtime


def need_of(model: ModelOptions = SMALL, batches: Batches = BATCHES, precision: Precision = "float32", **options: Any) -> MemoryNeed:
    network, runtime = placed(model, precision)
    chosen = TrainingOptions(**options)
    return memory_need(Learner(network=network, runtime=runtime, loss=build_loss(chosen, None, CPU)), chosen, batches, 2)


def really(model: ModelOptions, precision: Precision, **options: Any) -> tuple[int, int]:
    """What lasts after a step, and what the next step holds beside it, in bytes, counted with real tensors."""
    network, runtime = placed(model, precision)
    chosen = TrainingOptions(**options)
    loss, optimizer = build_loss(chosen, None, CPU), build_optimizer(network, chosen)
    images = torch.rand(BATCHES.count, BATCHES.bands, *BATCHES.size).contiguous(memory_format=LAYOUT)
    target = torch.randint(0, BATCHES.classes, (BATCHES.count, *BATCHES.size))
    target[:, :3] = 255
    ledger, before = Ledger(), 0
    for _ in range(2):
        optimizer.zero_grad(set_to_none=True)
        ledger = Ledger()
        # what views of the weights share is not made by the step
        ledger.hold(network.parameters())
        before = ledger.live
        with ledger:
            loss(runtime.logits(network, images), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    state, gradients = network.state_dict(), [parameter.grad for parameter in network.parameters()]
    lasting = [*state.values(), *state.values(), *state.values(), *gradients, *optimizer_tensors(optimizer).values()]
    weights = sum(tensor.nbytes for tensor in lasting if tensor is not None)
    # the gradients are a part of what lasts
    step = ledger.peak - before - sum(tensor.nbytes for tensor in gradients if tensor is not None)
    return weights, round(HEAP * step)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_step_holds_what_was_told(model: ModelOptions) -> None:
    need = need_of(model)
    weights, step = really(model, "float32")
    assert need.weights == pytest.approx(weights, rel=0.01)
    assert need.step == pytest.approx(step, rel=0.03 if model.architecture != "Segformer" else 0.3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_deep_step_holds_what_was_told_in_either_precision(precision: Precision) -> None:
    model = ModelOptions(filters=16, depth=3)
    weights, step = really(model, precision)
    need = need_of(model, precision=precision)
    assert need.weights == pytest.approx(weights, rel=0.01)
    # fake tensors come in other layouts here and there, and are copied less often
    assert need.step == pytest.approx(step, rel=0.1)


OPTIMIZERS: list[dict[str, Any]] = [
    {"optimizer": "adamw"},
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "rmsprop"},
    {"optimizer": "adadelta"},
]


@pytest.mark.parametrize("options", OPTIMIZERS, ids=["adamw", "sgd", "plain", "rmsprop", "adadelta"])
def test_what_the_optimiser_remembers_counts(options: dict[str, Any]) -> None:
    assert need_of(**options).weights == pytest.approx(really(SMALL, "float32", **options)[0], rel=0.01)


@pytest.mark.parametrize("loss", [["lovasz"], ["ce", "dice", "border"], ["focal", "jaccard"]])
def test_whatever_the_loss(loss: list[str]) -> None:
    assert need_of(loss=loss).step == pytest.approx(really(SMALL, "float32", loss=loss)[1], rel=0.05)


def test_it_grows_with_the_batch_and_the_window() -> None:
    one, two, four = (need_of(batches=replace(BATCHES, count=count)) for count in (1, 2, 4))
    assert one.weights == two.weights == four.weights
    assert four.step - two.step == pytest.approx(2 * (two.step - one.step), rel=0.02)
    assert four.samples == 4 * one.samples
    wide = need_of(batches=replace(BATCHES, size=(2 * 36, 52)))
    assert wide.step == pytest.approx(2 * need_of(batches=replace(BATCHES, size=(36, 52))).step, rel=0.02)


def test_bfloat16_takes_less() -> None:
    assert need_of(precision="bfloat16").step < 0.8 * need_of().step


def test_the_total_is_that_of_the_worst_moment() -> None:
    need = MemoryNeed(weights=10, step=5, evaluation=3, checkpoint=7, samples=2, mapping=4)
    assert need.total == 10 + 2 + 7
    assert replace(need, mapping=30).total == 40


def test_the_network_stays_as_it_is() -> None:
    network, runtime = placed(ModelOptions(filters=4, depth=2, dropout=0.5))
    network.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.get_rng_state()
    options = TrainingOptions()
    memory_need(Learner(network=network, runtime=runtime, loss=build_loss(options, None, CPU)), options, BATCHES, 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.training
