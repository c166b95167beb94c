"""Optimisers by name, their state as tensors, and the L2 penalty."""

import torch
from torch import Tensor, nn

from terrazzo.training.options import TrainingOptions

ADADELTA_EPSILON = 1e-6


def build_optimizer(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """The optimiser of [training]; the weight decay is for adamw alone."""
    groups = parameter_groups(network, options.weight_decay if options.optimizer == "adamw" else 0.0)
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


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights of convolutions decay; biases and normalisation do not."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


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
