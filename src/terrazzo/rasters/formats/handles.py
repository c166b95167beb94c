"""Open GeoTIFF handles, each used by one thread at a time, and never too many."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rasterio.io import DatasetReader

IDLE_LIMIT = 64
"""Idle handles that stay open; systems allow a process as few as 256 open files."""

_numbers = itertools.count()


def ticket() -> int:
    """A number that tells one opened raster from all others of this process."""
    return next(_numbers)


class Handles:
    """Datasets by ticket. As many are open for one raster as threads read it at once; idle ones are reused, oldest closed first."""

    def __init__(self, idle_limit: int = IDLE_LIMIT) -> None:
        self._idle_limit = idle_limit
        self._idle: list[tuple[int, int, DatasetReader]] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, number: int, opener: Callable[[], DatasetReader]) -> Iterator[DatasetReader]:
        """A dataset that no other thread uses meanwhile; one that failed is closed instead of reused."""
        dataset = self._take(number) or opener()
        try:
            yield dataset
        except BaseException:
            dataset.close()
            raise
        self._put(number, dataset)

    def close(self, number: int) -> None:
        """Close the idle datasets of a raster."""
        with self._lock:
            mine = [entry for entry in self._idle if entry[1] == number]
            self._idle = [entry for entry in self._idle if entry[1] != number]
        for _, _, dataset in mine:
            dataset.close()

    def _take(self, number: int) -> DatasetReader | None:
        # a forked process shares the parent's file positions, so it must not use the parent's handles
        process = os.getpid()
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][:2] == (process, number):
                    return self._idle.pop(place)[2]
        return None

    def _put(self, number: int, dataset: DatasetReader) -> None:
        with self._lock:
            self._idle.append((os.getpid(), number, dataset))
            surplus = self._idle.pop(0)[2] if len(self._idle) > self._idle_limit else None
        if surplus is not None:
            surplus.close()


HANDLES = Handles()
