"""Checkpoints: everything that a resumed run needs to end with the same weights, in one safetensors file; never pickle."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from terrazzo.errors import ModelError
from terrazzo.models.tensors import write_tensors
from terrazzo.training.means import Means

ABOUT = "training"
"""What the file's metadata call state and means."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a training stands after a step. The figures of the epoch under way are 0 when it is closed."""

    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    batch: int
    """Batches done of the epoch under way."""
    samples: int
    """Samples in these batches."""
    loss_sum: float
    """Sum of their losses."""
    seconds: float
    """Time spent on the epoch under way."""
    best_score: float | None
    best_epoch: int
    without_gain: int
    """Evaluations since the last gain."""
    gain_score: float | None
    """The score of the last gain."""
    since_drop: int
    """Evaluations since the last gain, or since the rate was lowered for the want of one."""
    drops: int
    """How often the rate was lowered."""

    @classmethod
    def start(cls) -> "TrainingState":
        """Nothing is done yet."""
        return cls(
            epoch=0,
            step=0,
            batch=0,
            samples=0,
            loss_sum=0.0,
            seconds=0.0,
            best_score=None,
            best_epoch=0,
            without_gain=0,
            gain_score=None,
            since_drop=0,
            drops=0,
        )

    def after(self, loss: float, *, batches: int, samples: int, seconds: float) -> "TrainingState":
        """One step on: the mean loss of its samples, and the time spent on the epoch so far."""
        return replace(
            self,
            step=self.step + 1,
            batch=self.batch + batches,
            samples=self.samples + samples,
            loss_sum=self.loss_sum + loss * samples,
            seconds=seconds,
        )

    def next_epoch(self) -> "TrainingState":
        """The epoch under way is done."""
        return replace(self, epoch=self.epoch + 1, batch=0, samples=0, loss_sum=0.0, seconds=0.0)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    state: TrainingState
    means: Means
    tensors: dict[str, Tensor]
    """Flat names to tensors: 'network.', 'average.' and 'optimizer.' come first in each name."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically: whoever is killed in between, or fills the disk, leaves the previous checkpoint whole."""
    # one entry: of several, their order in the file is by chance
    told = {"state": asdict(checkpoint.state), "means": asdict(checkpoint.means)}
    write_tensors(path, checkpoint.tensors, {ABOUT: json.dumps(told)})


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Raises ModelError if the file is not a whole checkpoint."""
    with _opened(path, device) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        told = json.loads(file.metadata()[ABOUT])
        return Checkpoint(state=TrainingState(**told["state"]), means=Means(**told["means"]), tensors=tensors)


def load_means(path: Path) -> Means:
    """What the training that left a checkpoint computed with. Raises ModelError if the file is not a whole checkpoint."""
    with _opened(path, torch.device("cpu")) as file:
        return Means(**json.loads(file.metadata()[ABOUT])["means"])


@contextmanager
def _opened(path: Path, device: torch.device) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            yield file
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a checkpoint of Terrazzo ({error}). Start anew without --resume, in a new folder.") from error
