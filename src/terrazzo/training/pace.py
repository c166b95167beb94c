"""What happens between two steps: progress is told, a checkpoint is kept now and then, and whoever asked to stop is heard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from terrazzo.progress import Advance
from terrazzo.training.stopping import Stop

logger = logging.getLogger(__name__)


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

    def step(self) -> None:
        """After a step. What stops the training here, a signal or a progress that cancels, leaves a checkpoint."""
        try:
            self.advance(1)
            self.stop.check()
        except BaseException:
            self._leave()
            raise
        if time.monotonic() - self._kept_at >= self.every_s:
            self.keep()
            self.kept()

    def kept(self) -> None:
        """There is a checkpoint of just now."""
        self._kept_at = time.monotonic()

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
