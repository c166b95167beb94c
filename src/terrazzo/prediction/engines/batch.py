"""How many windows are computed at once: never more than memory holds, and what that was found to be."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from terrazzo.errors import EnvironmentFault
from terrazzo.models.shortage import KINDS, is_shortage

logger = logging.getLogger(__name__)
LARGEST = 256
"""Windows that are tried at most."""
WORTH_IT = 1.05
"""A batch of twice as many windows is taken if it maps so many times as many windows a second."""


class Allowance:
    """So many windows may be computed at once. Where memory is short, half as many; threads share it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._changed = Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait until one window more may be computed, and hold its place."""
        with self._changed:
            self._changed.wait_for(lambda: self._used < self.size)
            self._used += 1
        try:
            yield
        finally:
            with self._changed:
                self._used -= 1
                self._changed.notify_all()

    def halve(self, failed: int, shape: tuple[int, ...]) -> None:
        """Allow half of what failed, unless another thread has done so already.

        failed: how many were allowed when memory did not suffice. shape: of a window's pixels, (bands, height, width).
        Raises EnvironmentFault if that was a single one.
        """
        if failed == 1:
            _, height, width = shape
            raise EnvironmentFault(
                f"out of memory with a single window of {height} x {width} pixels. "
                "Set prediction.window to a smaller one, or use another device."
            )
        with self._changed:
            if self.size >= failed:
                self.size = failed // 2
                logger.warning("Memory does not suffice for %d windows at once; going on with %d.", failed, self.size)


def quickest_batch(seconds: Callable[[int], float], largest: int = LARGEST) -> int:
    """The batch that maps most windows a second: doubled until that no longer helps, or memory is short; 1 at least.

    seconds: how long a pass of so many windows takes.
    """
    size, rate = 1, 0.0
    while True:
        try:
            found = size / seconds(size)
        except KINDS as error:
            if not is_shortage(error):
                raise
            return max(1, size // 2)
        if found < rate * WORTH_IT:
            return size // 2
        rate = found
        if size * 2 > largest:
            return size
        size *= 2
