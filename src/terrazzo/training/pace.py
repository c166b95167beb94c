"""What happens between two steps: progress is told, a checkpoint is kept now and then, and whoever asked to stop is heard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from terrazzo.progress import Advance
from terrazzo.training.stopping import Stop

logger = logging.getLogger(__name__)
WORTH_KEEPING = 20
"""The end of an epoch is kept if the last checkpoint is so many times older than it took: small data have short epochs."""


@dataclass(kw_only=True)
class Pace:
    """The pauses of a training."""

    stop: Stop
    advance: Advance
    keep: Callable[[], None]
    """Leaves a checkpoint."""
    every_s: float
    """Seconds between two checkpoints."""
    _kept_at: float = field(default_factory=time.monotonic)
    _took_s: float = 0.0
    """What the last checkpoint took."""

    def step(self) -> None:
        """After a step. What stops the training here, a signal or a progress that cancels, leaves a checkpoint."""
        try:
            self.advance(1)
            self.stop.check()
        except BaseException:
            self._leave()
            raise
        if self._age_s >= self.every_s:
            self._keep()

    def epoch(self, *, last: bool) -> None:
        """After an epoch. The last one is kept in any case."""
        if last or self._age_s >= WORTH_KEEPING * self._took_s:
            self._keep()

    @property
    def _age_s(self) -> float:
        return time.monotonic() - self._kept_at

    def _keep(self) -> None:
        started = time.monotonic()
        self.keep()
        self._kept_at = time.monotonic()
        self._took_s = self._kept_at - started

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """While the steps of an epoch are done and it is not closed: a signal that `stop.check` hears leaves a checkpoint too."""
        try:
            yield
        except KeyboardInterrupt:
            self._leave()
            raise

    def _leave(self) -> None:
        self.keep()
        logger.info("Stopped after a whole step, with a checkpoint; --resume goes on from there.")
