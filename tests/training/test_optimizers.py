"""Optimisers by name: each is torch's, and remembers what it did across a restart."""

from typing import Any, get_args

import pytest
import torch
from torch import nn

from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.models.start import head_of
from terrazzo.training.optimizers import build_optimizer, optimizer_tensors, parameter_groups, penalize, restore_optimizer
from terrazzo.training.options import TrainingOptions

NAMES = get_args(TrainingOptions.model_fields["optimizer"].annotation)


def network() -> nn.Module:
    return build_network(ModelOptions(filters=2, depth=1), 2, 2)


def learn(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        images = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({"optimizer": "adamw", "weight_decay": 0.0}, lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.99), weight_decay=0.0)),
        ({"optimizer": "adam", "betas": (0.8, 0.999)}, lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.999))),
        ({"optimizer": "sgd", "momentum": 0.0}, lambda p: torch.optim.SGD(p, lr=0.01)),
        ({"optimizer": "sgd", "nesterov": True}, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True)),
        ({"optimizer": "rmsprop", "momentum": 0.5, "rho": 0.8}, lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, momentum=0.5)),
        ({"optimizer": "adadelta", "rho": 0.95}, lambda p: torch.optim.Adadelta(p, lr=0.01, rho=0.95)),
    ],
)
def test_it_is_the_one_of_torch(options: Any, theirs: Any) -> None:
    ours, other = network(), network()
    learn(ours, build_optimizer(ours, TrainingOptions(learning_rate=0.01, **options)), range(4))
    learn(other, theirs(other.parameters()), range(4))
    for one, two in zip(ours.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_exactly_where_it_was(name: Any, momentum: float) -> None:
    options = TrainingOptions(optimizer=name, momentum=momentum, learning_rate=0.01)
    whole = network()
    learn(whole, build_optimizer(whole, options), range(6))
    first = network()
    optimizer = build_optimizer(first, options)
    learn(first, optimizer, range(3))
    kept, weights = {key: value.clone() for key, value in optimizer_tensors(optimizer).items()}, first.state_dict()
    second = network()
    second.load_state_dict(weights)
    optimizer = build_optimizer(second, options)
    restore_optimizer(optimizer, kept)
    learn(second, optimizer, range(3, 6))
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), second.parameters(), strict=True))


def test_weights_decay_but_biases_and_norms_do_not() -> None:
    model = network()
    groups = parameter_groups(model, weight_decay=0.1, head_rate=1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}  # type: ignore[attr-defined]
    assert decay.keys() == set(names.values())
    kernels = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    assert {name for name, share in decay.items() if share == 0.1} == kernels
    assert {share for name, share in decay.items() if name not in kernels} == {0.0}


@pytest.mark.parametrize(("name", "factor"), [("adamw", 5), ("adam", 5), ("rmsprop", 5), ("sgd", 1), ("adadelta", 1)])
@pytest.mark.parametrize("model", [ModelOptions(filters=4, depth=1), ModelOptions(architecture="Unet", encoder="resnet18")])
def test_the_last_convolution_has_a_rate_of_its_own(model: ModelOptions, name: Any, factor: float) -> None:
    built = build_network(model, 3, 2)
    optimizer = build_optimizer(built, TrainingOptions(optimizer=name, head_rate=5))
    factors = {id(parameter): group["rate_factor"] for group in optimizer.param_groups for parameter in group["params"]}
    head = head_of(built)
    for parameter_name, parameter in built.named_parameters():
        assert factors[id(parameter)] == (factor if parameter_name.startswith(f"{head}.") else 1)
    assert sum(parameter_name.startswith(f"{head}.") for parameter_name, _ in built.named_parameters()) == 2


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop", "adadelta"])
def test_only_adamw_decays_by_itself(name: Any) -> None:
    optimizer = build_optimizer(network(), TrainingOptions(optimizer=name, weight_decay=0.5))
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0}


def test_the_penalty_has_the_gradient_of_the_sum_of_squares() -> None:
    ours, theirs = network(), network()
    images = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    ours(images).square().mean().backward()
    penalize(ours, 0.3)
    kernels = sum(parameter.square().sum() for parameter in theirs.parameters() if parameter.ndim > 1)
    (theirs(images).square().mean() + 0.3 * kernels).backward()
    for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.allclose(one.grad, two.grad, atol=1e-5)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValueError, match="nesterov is true and momentum 0"):
        TrainingOptions(optimizer="sgd", nesterov=True, momentum=0.0)
