"""Batches of chips that are ready for the network."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.rows import Sample

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
class GrowingBatch:
    """A batch that threads write into."""

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    parts: Sequence[Future[list[Sample]]]
    """Runs of its samples in order; the result of each: its samples as they were placed."""

    def finish(self) -> Batch:
        """Wait for all parts. The first that failed, in the order of the samples, raises."""
        windows = tuple(sample for part in self.parts for sample in part.result())
        return Batch(windows=windows, images=self.images, labels=self.labels)
