"""The fit loop: steps, moving average, evaluation, checkpoints. The same recipe gives the same weights."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from terrazzo.errors import DivergedError, ModelError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.models.allocation import keep_freed_memory
from terrazzo.models.compiled import compile_network
from terrazzo.models.network import Runtime
from terrazzo.progress import Progress
from terrazzo.samples.draw.epoch import Draw, Drawn
from terrazzo.samples.loader.batch import Batch
from terrazzo.samples.loader.loader import Loader
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.loader.stored import StoredBatch
from terrazzo.samples.loader.workers import workers_for
from terrazzo.samples.rows import Sample
from terrazzo.training.aim import MEAN_DICE, Aim, judged
from terrazzo.training.checkpoint import Checkpoint, TrainingState, load_checkpoint, save_checkpoint
from terrazzo.training.diverged import LossDivergedError
from terrazzo.training.epoch_files import epoch_file, keep_epoch
from terrazzo.training.feed import Fed, feed, room_for
from terrazzo.training.losses.total import Loss
from terrazzo.training.means import Means
from terrazzo.training.metrics import MetricsLog, MetricsRow, ValidationRow, validation_row
from terrazzo.training.objects import ChipObjects
from terrazzo.training.optimizers import build_optimizer, optimizer_tensors, penalize, restore_optimizer
from terrazzo.training.options import TrainingOptions
from terrazzo.training.pace import Pace
from terrazzo.training.schedule import Moment, rate
from terrazzo.training.shortage import telling_what_to_lower
from terrazzo.training.stopping import put_off
from terrazzo.training.windows import WindowLog

LAST = "last.safetensors"
BEST = "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to fit on."""

    draw: Draw
    validation: Sequence[Sample]
    """May be empty: then the last weights are the best."""
    preparation: Preparation
    classes: int
    """Channels of the network's logits."""
    overlapping: bool = False
    """Whether labels are bit sets of the classes, and each class has its sigmoid."""
    objects: ObjectRule | None = None
    """Which objects of the validation chips are matched at each evaluation; None: none are."""
    aim: Aim = MEAN_DICE
    """What tells the best epoch."""


class Trainer:
    """Fits one network. All state that outlives a step is in the network, the optimiser, the average and `state`."""

    def __init__(self, network: nn.Module, runtime: Runtime, loss: Loss, options: TrainingOptions, task: Task) -> None:
        self.network = runtime.place(network)
        if options.compile:
            compile_network(self.network)
        self.runtime = runtime
        self.loss = loss
        self.options = options
        self.task = task
        self.windows: WindowLog | None = None
        """Where the windows are written that steps consume."""
        self.loader = Loader(
            preparation=task.preparation,
            batch_size=options.batch,
            workers=workers_for(options.workers),
            allocate=room_for(runtime),
        )
        self.optimizer = build_optimizer(network, options)
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        self.best: Checkpoint | None = None
        """Of the best epoch, as long as BEST is that of an earlier one."""
        self.state = TrainingState.start()
        self.batches = self.loader.count(task.draw.size)
        """Batches of an epoch."""
        self.steps = options.epochs * math.ceil(self.batches / options.accumulate)

    def fit(self, folder: Path, log: MetricsLog, progress: Progress) -> TrainingState:
        """Train to the last epoch or until early stopping; leaves LAST and BEST in the folder.

        Ctrl-C, SIGTERM and a progress that cancels take effect after a step, with a checkpoint.
        Raises DivergedError if the loss is NaN or infinite, EnvironmentFault if memory runs out; what was kept so far stays.
        """
        if self.runtime.device.type == "cpu":
            keep_freed_memory()
        enough = telling_what_to_lower(self.options, self.task.preparation.size, self.runtime.device)
        with enough, progress.task("train", self.steps, "steps") as advance, put_off() as stop:
            advance(self.state.step)
            pace = Pace(stop=stop, advance=advance, keep=lambda: self.keep(folder), every_s=60 * self.options.checkpoint_minutes)
            try:
                while not self._done:
                    self._epoch(pace)
                    score, row = self._evaluate(pace)
                    # the line first: one too many is cut when a killed run goes on, a missing one would stay missing
                    metrics = self._row(row)
                    log.write(metrics)
                    self._conclude(folder, score, metrics)
                    pace.epoch(last=self._done)
            except Exception:
                self._keep_best(folder)
                raise
        return self.state

    def resume(self, folder: Path) -> None:
        """Take up the last checkpoint of a folder. Raises ModelError if it is of another network."""
        checkpoint = load_checkpoint(folder / LAST, self.runtime.device)
        tensors = checkpoint.tensors
        try:
            self.network.load_state_dict(_under(tensors, "network."))
            self.average = _under(tensors, "average.")
            restore_optimizer(self.optimizer, _under(tensors, "optimizer."))
        except (RuntimeError, LookupError) as error:
            raise ModelError(f"{folder / LAST} holds another network than the recipe describes. Start anew in a new folder.") from error
        self.state = checkpoint.state

    def keep(self, folder: Path) -> None:
        """Leave LAST in the folder, from which `resume` goes on exactly here. Raises DivergedError if the weights are not finite."""
        self._check_weights()
        self._keep_best(folder)
        if self.windows is not None:
            self.windows.sync()
        tensors = (
            _named("network.", self.network.state_dict())
            | _named("average.", self.average)
            | _named("optimizer.", optimizer_tensors(self.optimizer))
        )
        save_checkpoint(folder / LAST, self._checkpoint(tensors))

    def _keep_best(self, folder: Path) -> None:
        if self.best is not None:
            save_checkpoint(folder / BEST, self.best)
            self.best = None

    def _checkpoint(self, tensors: dict[str, Tensor]) -> Checkpoint:
        return Checkpoint(state=self.state, means=Means.now(self.runtime), tensors=tensors)

    def _epoch(self, pace: Pace) -> None:
        """The steps of an epoch that are not done yet."""
        self.network.train()
        shown = self.task.draw.epoch(self.state.epoch, self.options.seed)
        before_s = self.state.seconds
        started = time.monotonic()
        with self._own_draws():
            coming = feed(self._batches(shown), self.runtime, self.task.preparation.scaling)
            while self.state.batch < self.batches:
                batches = min(self.options.accumulate, self.batches - self.state.batch)
                loss, windows = self._step(islice(coming, batches), self._rate(self.state.step), self.state.step)
                seconds = before_s + time.monotonic() - started
                self.state = self.state.after(loss, batches=batches, samples=len(windows), seconds=seconds)
                self._tell_windows("train", windows)
                pace.step()
        self._check_weights()

    def _batches(self, shown: Sequence[Drawn]) -> Iterator[Batch] | Iterator[StoredBatch]:
        """What is left of the epoch; CUDA augments by itself."""
        make = self.loader.stored if self.runtime.device.type == "cuda" else self.loader.batches
        return make(shown, self.state.epoch, self.state.batch)

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        """Dropout draws from torch's global generator, which is afterwards as it was before."""
        devices = [self.runtime.device] if self.runtime.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            yield

    def _seed(self, batch: int) -> None:
        """What the network draws for a batch depends on (seed, number of the batch) alone."""
        torch.manual_seed(int(np.random.SeedSequence((self.options.seed, batch)).generate_state(1, np.uint64)[0]))

    def _check_weights(self) -> None:
        # a gradient may be infinite where the loss is not, and the epoch's last step is followed by no loss
        if not all(bool(parameter.isfinite().all()) for parameter in self.network.parameters()):
            raise DivergedError(f"the weights are no longer finite after step {self.state.step}. Lower training.learning_rate.")

    def _step(self, batches: Iterator[Fed], learning_rate: float, step: int) -> tuple[float, list[Sample]]:
        """Learn from batches as if they were a single one; their mean loss, and their windows."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["rate_factor"]
        self.optimizer.zero_grad(set_to_none=True)
        first = self.state.batch
        samples = min(self.options.accumulate * self.options.batch, self.task.draw.size - first * self.options.batch)
        total = 0.0
        windows: list[Sample] = []
        for number, fed in enumerate(batches, start=self.state.epoch * self.batches + first):
            self._seed(number)
            total += self._gradient(fed, len(fed.target) / samples, step)
            windows += fed.batch.windows
        if self.options.l2:
            penalize(self.network, self.options.l2)
        if self.options.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm, foreach=True)
        self.optimizer.step()
        self._update_average(step)
        return total, windows

    def _gradient(self, fed: Fed, share: float, step: int) -> float:
        """Add the gradient of a share of the loss, and return that share."""
        loss = self.loss(self.runtime.logits(self.network, fed.images), fed.target) * share
        value = loss.item()
        if not math.isfinite(value):
            raise LossDivergedError(value, step, fed.batch.windows)
        loss.backward()  # type: ignore[no-untyped-call]
        return value

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        # a short memory at first, so that the first random weights are soon forgotten
        decay = min(self.options.average, (1 + step) / (10 + step)) if self.options.average else 0.0
        now = self.network.state_dict()
        floating = [name for name, tensor in now.items() if tensor.is_floating_point()]
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average([self.average[name] for name in floating], [now[name] for name in floating], None)
        for name in now.keys() - set(floating):
            self.average[name].copy_(now[name])

    def _evaluate(self, pace: Pace) -> tuple[float | None, ValidationRow | None]:
        epoch = self.state.epoch + 1
        due = epoch % self.options.evaluate_every == 0 or epoch == self.options.epochs
        if not self.task.validation or not due:
            return None, None
        started = time.monotonic()
        held = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        with pace.evaluating():
            try:
                row = self._validate(pace)
            finally:
                self.network.load_state_dict(held)
        self.state = replace(self.state, seconds=self.state.seconds + time.monotonic() - started)
        return self.task.aim.score(row), row

    def _validate(self, pace: Pace) -> ValidationRow:
        if self.task.objects is None:
            return self._score(pace)
        with ChipObjects(self.task.objects, self.task.preparation.store) as objects:
            return {**self._score(pace, objects), "object_f2": objects.f2()}

    @torch.inference_mode()
    def _score(self, pace: Pace, objects: ChipObjects | None = None) -> ValidationRow:
        self.network.eval()
        classes = self.task.classes
        confusion, total, count = Confusion(2**classes if self.task.overlapping else classes), 0.0, 0
        shown = [Drawn(sample=sample) for sample in self.task.validation]
        for fed in feed(self.loader.batches(shown, None), self.runtime, self.task.preparation.scaling):
            logits = self.runtime.logits(self.network, fed.images)
            total, count = total + float(self.loss(logits, fed.target)) * len(fed.target), count + len(fed.target)
            predicted = likely_classes(logits, overlapping=self.task.overlapping).cpu().numpy()
            confusion.add(fed.batch.labels, predicted)
            self._tell_windows("validation", fed.batch.windows)
            if objects is not None:
                objects.add(fed.batch.windows, fed.batch.labels, predicted)
            pace.stop.check()
        return validation_row(total / count, confusion, overlapping=self.task.overlapping)

    def _tell_windows(self, mode: Literal["train", "validation"], windows: Sequence[Sample]) -> None:
        if self.windows is not None:
            self.windows.write(self.state, mode, windows)

    def _row(self, row: ValidationRow | None) -> MetricsRow:
        state = self.state
        return MetricsRow(
            epoch=state.epoch + 1,
            step=state.step,
            loss=state.loss_sum / state.samples,
            learning_rate=self._rate(state.step - 1),
            seconds=state.seconds,
            validation=row,
        )

    def _conclude(self, folder: Path, score: float | None, row: MetricsRow) -> None:
        """Close the epoch, and remember its weights if they are the best."""
        self.state = judged(self.state.next_epoch(), score, self.options)
        if self.state.best_score is None:
            # as long as nothing is scored, the last weights are the best
            self.state = replace(self.state, best_epoch=self.state.epoch)
        if self.state.best_epoch == self.state.epoch:
            self.best = self._checkpoint(_named("average.", {name: tensor.clone() for name, tensor in self.average.items()}))
        keep_epoch(folder / epoch_file(row["epoch"], row["loss"], self.task.aim.name, score), self.average, self.options.keep)

    @property
    def _done(self) -> bool:
        """Whether no epoch is left, or none that would gain."""
        exhausted = bool(self.options.early_stop) and self.state.without_gain >= self.options.early_stop
        return self.state.epoch >= self.options.epochs or exhausted

    def _rate(self, step: int) -> float:
        return rate(Moment(step=step, steps=self.steps, epoch=self.state.epoch, drops=self.state.drops), self.options)


def likely_classes(logits: Tensor, *, overlapping: bool) -> Tensor:
    """(batch, height, width) uint8: the most likely class of each pixel; of classes that overlap, the set of those that are."""
    return likely_sets(logits) if overlapping else logits.argmax(1).to(torch.uint8)


def likely_sets(logits: Tensor) -> Tensor:
    """(batch, height, width) uint8 bit sets of the classes that are more likely than not. logits: (batch, classes, height, width)."""
    bits = torch.ones(logits.shape[1], dtype=torch.uint8, device=logits.device) << torch.arange(logits.shape[1], device=logits.device)
    return ((logits >= 0) * bits.view(1, -1, 1, 1)).sum(1).to(torch.uint8)


def best_weights(folder: Path, device: torch.device) -> dict[str, Tensor]:
    """The averaged weights of the best epoch, as the network's state dict."""
    return _under(load_checkpoint(folder / BEST, device).tensors, "average.")


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
