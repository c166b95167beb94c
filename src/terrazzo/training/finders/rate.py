"""A learning rate by a range test: a short training at rising rates, of a copy of the network that nobody sees again.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, with rates that rise exponentially, as fast.ai does it.
"""

import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from terrazzo.errors import DataError, DivergedError
from terrazzo.progress import Progress
from terrazzo.training.feed import Fed, feed
from terrazzo.training.finders.memory import Learner
from terrazzo.training.fit import Task, Trainer
from terrazzo.training.options import TrainingOptions

FIRST, LAST, STEPS = 1e-6, 10.0, 100
"""The rates and how many there are at most."""
MEMORY = 0.9
"""Of the moving average of the losses."""
DIVERGED = 3.0
"""The test ends where the average is so many times the least one."""
LEAST_STEPS = 10


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """A learning rate and what it was found from."""

    rates: Sequence[float]
    losses: Sequence[float]
    """Of the steps at these rates."""
    smooth: Sequence[float]
    """Their moving average."""
    found: float
    """Two digits of it: no more are known."""


def range_test(learner: Learner, options: TrainingOptions, task: Task, progress: Progress) -> RangeTest:
    """Train a copy of the network at rising rates until it diverges; the network, and all that is drawn at random, stay as they are.

    Raises DataError if the loss falls at none of the rates.
    """
    rates = np.geomspace(FIRST, LAST, STEPS).tolist()
    trial = _Trial(copy.deepcopy(learner.network), learner.runtime, learner.loss, options.model_copy(update={"learning_rate": FIRST}), task)
    losses: list[float] = []
    with progress.task("find the learning rate", STEPS, "steps") as advance, closing(trial.losses(rates)) as coming:
        try:
            for loss in coming:
                losses.append(loss)
                advance(1)
                if has_diverged(smoothed(losses)):
                    break
        except DivergedError:
            pass  # as far as rates can rise: what was seen until then tells
    return RangeTest(rates=rates[: len(losses)], losses=losses, smooth=smoothed(losses), found=choose_rate(rates, losses))


class _Trial(Trainer):
    """A training whose rates are given, and that leaves nothing."""

    def losses(self, rates: Sequence[float]) -> Generator[float]:
        """The loss of a step at each rate, one epoch after another. Raises DivergedError if one is not finite."""
        self.network.train()
        with self._own_draws():
            coming: Iterator[Fed] = iter(())
            for rate in rates:
                if self.state.batch == self.batches:
                    self.state = self.state.next_epoch()
                if self.state.batch == 0:
                    shown = self.task.draw.epoch(self.state.epoch, self.options.seed)
                    coming = feed(self._batches(shown), self.runtime, self.task.preparation.scaling)
                batches = min(self.options.accumulate, self.batches - self.state.batch)
                loss, windows = self._step(islice(coming, batches), rate, self.state.step)
                self.state = self.state.after(loss, batches=batches, samples=len(windows), seconds=0.0)
                yield loss


def smoothed(losses: Sequence[float]) -> list[float]:
    """The moving average of losses, without the pull of its beginning."""
    found, average = [], 0.0
    for number, loss in enumerate(losses, start=1):
        average = MEMORY * average + (1 - MEMORY) * loss
        found.append(average / (1 - MEMORY**number))
    return found


def has_diverged(smooth: Sequence[float]) -> bool:
    return len(smooth) > LEAST_STEPS and smooth[-1] > DIVERGED * min(smooth)


def choose_rate(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A tenth of the rate at which the loss falls fastest, to two digits.

    At rates that rise the loss falls fastest where a training would soon leap about. Raises DataError if it falls nowhere.
    """
    smooth = smoothed(losses)
    falls = -np.diff(smooth)
    lowest = int(np.argmin(smooth))
    if lowest < LEAST_STEPS or falls[:lowest].max() <= 0:
        raise DataError(
            "the loss falls at no learning rate, so that none can be found. Look at the labels, or give training.learning_rate."
        )
    return float(f"{rates[int(falls[:lowest].argmax())] / 10:.2g}")
