"""Checkpoints: everything that a resumed run needs to end with the same weights, in one safetensors file; never pickle."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from terrazzo.errors import ModelError
from terrazzo.rasters.write import writing


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands after a whole epoch."""

    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    best_score: float | None
    best_epoch: int
    without_gain: int
    """Evaluations since the best one."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    state: TrainingState
    tensors: dict[str, Tensor]
    """Flat names to tensors: 'network.', 'average.' and 'optimizer.' come first in each name."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically: whoever is killed in between leaves the previous checkpoint whole."""
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in checkpoint.tensors.items()}
    with writing(path) as temporary:
        save_file(tensors, temporary, {"state": json.dumps(asdict(checkpoint.state))})


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Raises ModelError if the file is not a whole checkpoint."""
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            state = TrainingState(**json.loads(file.metadata()["state"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a checkpoint of Terrazzo ({error}). Start anew without --resume, in a new folder.") from error
    return Checkpoint(state=state, tensors=tensors)
