"""Batches, made ahead on threads, in order. They do not depend on the number of threads, nor on where one begins."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.loader.batch import Allocate, Batch, GrowingBatch
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.loader.stored import GrowingStored, StoredBatch, StoredChip
from terrazzo.samples.rows import Sample

AHEAD = 3
"""Batches that are begun before the one in use is done with."""

Made = TypeVar("Made")
Finished_co = TypeVar("Finished_co", covariant=True)


class Growing(Protocol[Finished_co]):
    """A batch that threads are making."""

    def finish(self) -> Finished_co:
        """Wait for it. The first sample that failed, in their order, raises."""
        ...


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
        return self._ahead(shown, start, lambda pool, members: self._begin(pool, members, epoch))

    def stored(self, shown: Sequence[Drawn], epoch: int, start: int = 0) -> Iterator[StoredBatch]:
        """The same batches as they are stored, with what is to be done to each sample: for a device that does it."""
        return self._ahead(shown, start, lambda pool, members: self._begin_stored(pool, members, epoch))

    def _ahead(
        self, shown: Sequence[Drawn], start: int, begin: Callable[[ThreadPoolExecutor, Sequence[Drawn]], Growing[Made]]
    ) -> Iterator[Made]:
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="chips")
        pending: deque[Growing[Made]] = deque()
        numbers = iter(range(start, self.count(len(shown))))
        try:
            while True:
                while len(pending) <= AHEAD and (number := next(numbers, None)) is not None:
                    pending.append(begin(pool, shown[number * self.batch_size : (number + 1) * self.batch_size]))
                if not pending:
                    return
                yield pending.popleft().finish()
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, members: Sequence[Drawn], epoch: int | None) -> GrowingBatch:
        shape = self.preparation.size
        images = self.allocate((len(members), self.preparation.bands, *shape), np.dtype(np.float32))
        labels = self.allocate((len(members), *shape), np.dtype(np.uint8))

        def fill(run: slice) -> list[Sample]:
            places = zip(members[run], images[run], labels[run], strict=True)
            return [_named(drawn, partial(self.preparation.chip, drawn, epoch, image, label)) for drawn, image, label in places]

        return GrowingBatch(images=images, labels=labels, parts=self._shared(pool, len(members), fill))

    def _begin_stored(self, pool: ThreadPoolExecutor, members: Sequence[Drawn], epoch: int) -> GrowingStored:
        def read(run: slice) -> list[StoredChip]:
            return [_named(drawn, partial(self.preparation.stored, drawn, epoch)) for drawn in members[run]]

        return GrowingStored(allocate=self.allocate, parts=self._shared(pool, len(members), read))

    def _shared(self, pool: ThreadPoolExecutor, size: int, work: Callable[[slice], list[Made]]) -> list[Future[list[Made]]]:
        """Share a batch out among the threads, a run of its samples to each."""
        each = -(-size // self.workers)
        try:
            return [pool.submit(work, slice(first, first + each)) for first in range(0, size, each)]
        except RuntimeError as error:
            raise EnvironmentFault(f"no thread can be started to read samples ({error}). Lower training.workers.") from error


def _named(drawn: Drawn, make: Callable[[], Made]) -> Made:
    """What is made of a sample; who cannot make it is told which sample it was."""
    try:
        return make()
    except DataError as error:
        sample, window = drawn.sample, drawn.sample.window
        where = f"rows {window.row_off} to {window.row_end - 1}, columns {window.col_off} to {window.col_end - 1}"
        raise type(error)(f"{error}\nIt was met at sample {sample.id} of scene {sample.scene}, {where}.") from error
