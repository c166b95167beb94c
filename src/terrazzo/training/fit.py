"""The fit loop: steps, moving average, evaluation, checkpoints. The same recipe gives the same weights."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from terrazzo.errors import DivergedError, ModelError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.models.network import Runtime
from terrazzo.progress import Progress
from terrazzo.samples.batches import Batch, Preparation, batches, stream
from terrazzo.samples.draw.epoch import Draw, Drawn
from terrazzo.samples.rows import Sample
from terrazzo.training.checkpoint import Checkpoint, TrainingState, load_checkpoint, save_checkpoint
from terrazzo.training.losses import Loss
from terrazzo.training.metrics import MetricsLog, MetricsRow, ValidationRow, validation_row
from terrazzo.training.options import TrainingOptions
from terrazzo.training.schedule import rate

LAST = "last.safetensors"
BEST = "best.safetensors"
BETAS = (0.9, 0.99)
"""Memory of AdamW: runs of some hundred steps are too short for the usual 0.999, which remembers the first steps to the end."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to fit on."""

    draw: Draw
    validation: Sequence[Sample]
    """May be empty: then the last weights are the best."""
    preparation: Preparation
    classes: int


class Trainer:
    """Fits one network. All state that outlives an epoch is in the network, the optimiser, the average and `state`."""

    def __init__(self, network: nn.Module, runtime: Runtime, loss: Loss, options: TrainingOptions, task: Task) -> None:
        self.network = runtime.place(network)
        self.runtime = runtime
        self.loss = loss
        self.options = options
        self.task = task
        self.optimizer = torch.optim.AdamW(
            parameter_groups(network, options.weight_decay), lr=options.learning_rate, betas=BETAS, fused=True
        )
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.state = TrainingState(epoch=0, step=0, best_score=None, best_epoch=0, without_gain=0)
        self.steps = options.epochs * math.ceil(task.draw.size / options.batch_size)

    def fit(self, folder: Path, log: MetricsLog, progress: Progress) -> TrainingState:
        """Train to the last epoch or until early stopping; leaves LAST and BEST in the folder.

        Raises DivergedError if the loss is NaN or infinite; the best weights so far are kept.
        """
        with progress.task("train", self.steps, "steps") as advance:
            advance(self.state.step)
            while self.state.epoch < self.options.epochs and not self._exhausted():
                started = time.monotonic()
                loss = self._epoch(advance)
                score, row = self._evaluate()
                seconds, last_rate = time.monotonic() - started, self._rate(self.state.step - 1)
                # the line first: one too many is cut when a killed run goes on, a missing one would stay missing
                log.write(
                    MetricsRow(
                        epoch=self.state.epoch, step=self.state.step, loss=loss, learning_rate=last_rate, seconds=seconds, validation=row
                    )
                )
                self._conclude(folder, score)
        return self.state

    def resume(self, folder: Path) -> None:
        """Take up the last checkpoint of a folder. Raises ModelError if it is of another network."""
        checkpoint = load_checkpoint(folder / LAST, self.runtime.device)
        tensors = checkpoint.tensors
        try:
            self.network.load_state_dict(_under(tensors, "network."))
            self.average = _under(tensors, "average.")
            _restore_optimizer(self.optimizer, _under(tensors, "optimizer."))
        except (RuntimeError, LookupError) as error:
            raise ModelError(f"{folder / LAST} holds another network than the recipe describes. Start anew in a new folder.") from error
        self.state = checkpoint.state

    def _epoch(self, advance: Callable[[float], None]) -> float:
        self.network.train()
        groups = batches(self.task.draw.epoch(self.state.epoch, self.options.seed), self.options.batch_size)
        total, count = torch.zeros(()), 0
        with self._seeded():
            for done, batch in enumerate(stream(groups, self.task.preparation, self.state.epoch)):
                step = self.state.step + done
                loss = self._step(batch, self._rate(step), step)
                total, count = total + loss * len(batch.ids), count + len(batch.ids)
                advance(1)
        self.state = replace(self.state, epoch=self.state.epoch + 1, step=self.state.step + len(groups))
        self._check_weights()
        return float(total / count)

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Dropout draws from torch's global generator: in an epoch it depends on (seed, epoch) alone, afterwards it is as before."""
        devices = [self.runtime.device] if self.runtime.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(np.random.SeedSequence((self.options.seed, self.state.epoch)).generate_state(1, np.uint64)[0]))
            yield

    def _check_weights(self) -> None:
        # a gradient may be infinite where the loss is not, and the epoch's last step is followed by no loss
        if not all(bool(parameter.isfinite().all()) for parameter in self.network.parameters()):
            raise DivergedError(f"the weights are no longer finite after step {self.state.step}. Lower training.learning_rate.")

    def _step(self, batch: Batch, learning_rate: float, step: int) -> Tensor:
        images, target = self._tensors(batch)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = self.loss(self.runtime.logits(self.network, images), target)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at step {step} (samples {', '.join(map(str, batch.ids))}). Lower training.learning_rate."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.options.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self._update_average(step)
        return loss.detach().cpu()

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        # a short memory at first, so that the first random weights are soon forgotten
        decay = min(self.options.average, (1 + step) / (10 + step)) if self.options.average else 0.0
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def _evaluate(self) -> tuple[float | None, ValidationRow | None]:
        due = self.state.epoch % self.options.evaluate_every == 0 or self.state.epoch == self.options.epochs
        if not self.task.validation or not due:
            return None, None
        held = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        try:
            row = self._validate()
        finally:
            self.network.load_state_dict(held)
        return row["mean_dice"], row

    @torch.inference_mode()
    def _validate(self) -> ValidationRow:
        self.network.eval()
        confusion, total, count = Confusion(self.task.classes), 0.0, 0
        groups = batches([Drawn(sample=sample) for sample in self.task.validation], self.options.batch_size)
        for batch in stream(groups, self.task.preparation, None):
            images, target = self._tensors(batch)
            logits = self.runtime.logits(self.network, images)
            total, count = total + float(self.loss(logits, target)) * len(batch.ids), count + len(batch.ids)
            confusion.add(batch.labels, logits.argmax(1).to(torch.uint8).cpu().numpy())
        return validation_row(total / count, confusion)

    def _conclude(self, folder: Path, score: float | None) -> None:
        best = score is not None and (self.state.best_score is None or score > self.state.best_score)
        if best:
            self.state = replace(self.state, best_score=score, best_epoch=self.state.epoch, without_gain=0)
        elif score is not None:
            self.state = replace(self.state, without_gain=self.state.without_gain + 1)
        elif not self.task.validation:
            best, self.state = True, replace(self.state, best_epoch=self.state.epoch)
        if best:
            save_checkpoint(folder / BEST, Checkpoint(state=self.state, tensors=_named("average.", self.average)))
        tensors = (
            _named("network.", self.network.state_dict())
            | _named("average.", self.average)
            | _named("optimizer.", _optimizer_tensors(self.optimizer))
        )
        save_checkpoint(folder / LAST, Checkpoint(state=self.state, tensors=tensors))

    def _exhausted(self) -> bool:
        return bool(self.options.early_stop) and self.state.without_gain >= self.options.early_stop

    def _rate(self, step: int) -> float:
        return rate(step, self.steps, self.options)

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(batch.images).to(self.runtime.device, memory_format=self.runtime.layout, non_blocking=True)
        target = torch.from_numpy(batch.labels.astype(np.int64)).to(self.runtime.device, non_blocking=True)
        return images, target


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights of convolutions decay; biases and normalisation do not."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def best_weights(folder: Path, device: torch.device) -> dict[str, Tensor]:
    """The averaged weights of the best epoch, as the network's state dict."""
    return _under(load_checkpoint(folder / BEST, device).tensors, "average.")


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": tensor for index, entry in state.items() for key, tensor in entry.items()}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters: list[Tensor] = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        # in the parameter's memory layout: the fused step walks through both side by side
        laid_out = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
        state.setdefault(int(index), {})[key] = laid_out
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
