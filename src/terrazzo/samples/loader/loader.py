"""Batches, made ahead on threads, in order. They do not depend on the number of threads, nor on where one begins."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.rows import Sample

AHEAD = 3
"""Batches that are begun before the one in use is done with."""

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Makes room for the arrays of a batch, such as memory that an accelerator copies from; what the arrays hold does not matter."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples as the network sees them."""

    windows: tuple[Sample, ...]
    """The samples, each with the window that is shown."""
    images: NDArray[np.float32]
    """(batch, bands, height, width), scaled."""
    labels: NDArray[np.uint8]
    """(batch, height, width), class indices, 255 ignored."""

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(sample.id for sample in self.windows)


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Makes the batches of epochs."""

    preparation: Preparation
    batch_size: int
    workers: int
    """Threads that read and augment. OpenCV, GDAL, zstd and numpy let the others run while they compute."""
    allocate: Allocate = np.empty

    def count(self, samples: int) -> int:
        """Batches of so many samples; the last may be smaller."""
        return -(-samples // self.batch_size)

    def batches(self, shown: Sequence[Drawn], epoch: int | None, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on; nothing of those before it is computed. Epoch None: chips as they are.

        shown: all that the epoch shows, in its order. At most AHEAD + 1 batches are in memory beside the one in use.
        Raises DataError that names image and sample if one cannot be read, EnvironmentFault if no thread can be started.
        """
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="chips")
        pending: deque[_Growing] = deque()
        numbers = iter(range(start, self.count(len(shown))))
        try:
            while True:
                while len(pending) <= AHEAD and (number := next(numbers, None)) is not None:
                    members = shown[number * self.batch_size : (number + 1) * self.batch_size]
                    pending.append(self._begin(pool, members, epoch))
                if not pending:
                    return
                yield pending.popleft().finish()
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, members: Sequence[Drawn], epoch: int | None) -> "_Growing":
        """Share a batch out among the threads, a run of its samples to each."""
        growing = self._room(len(members))
        each = -(-len(members) // self.workers)
        try:
            for first in range(0, len(members), each):
                run = slice(first, first + each)
                growing.parts.append(pool.submit(self._fill, growing.images[run], growing.labels[run], members[run], epoch))
        except RuntimeError as error:
            raise EnvironmentFault(f"no thread can be started to read samples ({error}). Lower training.workers.") from error
        return growing

    def _room(self, size: int) -> "_Growing":
        shape = self.preparation.size
        images = self.allocate((size, self.preparation.bands, *shape), np.dtype(np.float32))
        return _Growing(images=images, labels=self.allocate((size, *shape), np.dtype(np.uint8)), parts=[])

    def _fill(self, images: NDArray[np.float32], labels: NDArray[np.uint8], members: Sequence[Drawn], epoch: int | None) -> list[Sample]:
        """Write the chips of some samples into their places of a batch."""
        return [_chip(self.preparation, drawn, epoch, (image, label)) for drawn, image, label in zip(members, images, labels, strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Growing:
    """A batch that threads write into."""

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    parts: list[Future[list[Sample]]]
    """Runs of its samples in order; the result of each: its samples as they were placed."""

    def finish(self) -> Batch:
        """Wait for all parts. The first that failed, in the order of the samples, raises."""
        windows = tuple(sample for part in self.parts for sample in part.result())
        return Batch(windows=windows, images=self.images, labels=self.labels)


def _chip(preparation: Preparation, drawn: Drawn, epoch: int | None, into: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> Sample:
    try:
        return preparation.chip(drawn, epoch, *into)
    except DataError as error:
        sample, window = drawn.sample, drawn.sample.window
        where = f"rows {window.row_off} to {window.row_end - 1}, columns {window.col_off} to {window.col_end - 1}"
        raise type(error)(f"{error}\nIt was met at sample {sample.id} of scene {sample.scene}, {where}.") from error
