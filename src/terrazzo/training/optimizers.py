"""Optimisers by name, their state as tensors, and the L2 penalty."""

import torch
from torch import Tensor, nn

from terrazzo.models.start import head_of
from terrazzo.training.options import TrainingOptions

ADADELTA_EPSILON = 1e-6


def build_optimizer(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """The optimiser of [training]. The rate of a group is that of the schedule times its `rate_factor`; weights decay with adamw alone."""
    steps_as_long_as_the_rate = options.optimizer in ("adamw", "adam", "rmsprop")
    groups = parameter_groups(
        network,
        weight_decay=options.weight_decay if options.optimizer == "adamw" else 0.0,
        head_rate=options.head_rate if steps_as_long_as_the_rate else 1.0,
    )
    first, momentum = options.largest_rate, options.momentum
    match options.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, lr=first, betas=options.betas, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=first, betas=options.betas, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=first, momentum=momentum, nesterov=options.nesterov, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=first, alpha=options.rho, momentum=momentum)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=first, rho=options.rho, eps=ADADELTA_EPSILON)


def parameter_groups(network: nn.Module, *, weight_decay: float, head_rate: float) -> list[dict[str, object]]:
    """Weights of convolutions decay; biases and normalisation do not. The last convolution has another rate: head_rate times as large."""
    head = f"{head_of(network)}."
    groups: list[dict[str, object]] = []
    for are_kernels, decay in ((True, weight_decay), (False, 0.0)):
        chosen = [(name, parameter) for name, parameter in network.named_parameters() if (parameter.ndim > 1) == are_kernels]
        for are_heads, factor in ((False, 1.0), (True, head_rate)):
            parameters = [parameter for name, parameter in chosen if name.startswith(head) == are_heads]
            if parameters:
                groups.append({"params": parameters, "weight_decay": decay, "rate_factor": factor})
    return groups


@torch.no_grad()
def penalize(network: nn.Module, l2: float) -> None:
    """Add the gradient of l2 times the sum of the squares of all kernels, as a kernel regularizer of Keras does."""
    for parameter in network.parameters():
        if parameter.ndim > 1 and parameter.grad is not None:
            parameter.grad.add_(parameter, alpha=2 * l2)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that it remembers, by flat names."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": value for index, entry in state.items() for key, value in entry.items() if value is not None}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Have it remember what `optimizer_tensors` gave."""
    parameters: list[Tensor] = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        # in the parameter's memory layout: the fused step walks through both side by side
        laid_out = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
        state.setdefault(int(index), {})[key] = laid_out
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
