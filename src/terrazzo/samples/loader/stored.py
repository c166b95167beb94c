"""Batches as they are stored, for a device that moves, scales and shades them itself."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.augment.draw import Augmentation
from terrazzo.samples.loader.batch import Allocate
from terrazzo.samples.rows import Sample


@dataclass(frozen=True, kw_only=True)
class StoredChip:
    """A sample that is read, and what is to be done to it."""

    sample: Sample
    """With the window that is shown."""
    values: NDArray[Any]
    """(bands, height, width) as stored."""
    holes: NDArray[np.bool_] | None
    """(bands, height, width), True where a value is missing; None: nowhere."""
    labels: NDArray[np.uint8]
    """(height, width), class indices, 255 ignored."""
    augmentation: Augmentation


@dataclass(frozen=True, kw_only=True)
class StoredBatch:
    """Chips of a batch, stacked."""

    windows: tuple[Sample, ...]
    values: NDArray[Any]
    """(batch, bands, height, width), of a type that holds those of all."""
    holes: NDArray[np.bool_] | None
    labels: NDArray[np.uint8]
    augmentations: tuple[Augmentation, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(sample.id for sample in self.windows)


@dataclass(frozen=True, kw_only=True)
class GrowingStored:
    """A batch whose chips threads are reading."""

    allocate: Allocate
    parts: Sequence[Future[list[StoredChip]]]

    def finish(self) -> StoredBatch:
        """Wait for all parts. The first that failed, in the order of the samples, raises."""
        chips = [chip for part in self.parts for chip in part.result()]
        return StoredBatch(
            windows=tuple(chip.sample for chip in chips),
            values=self._stacked([chip.values for chip in chips]),
            holes=self._holes(chips),
            labels=self._stacked([chip.labels for chip in chips]),
            augmentations=tuple(chip.augmentation for chip in chips),
        )

    def _stacked(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        room = self.allocate((len(arrays), *arrays[0].shape), np.result_type(*arrays))
        return np.stack(arrays, out=room)

    def _holes(self, chips: Sequence[StoredChip]) -> NDArray[np.bool_] | None:
        if all(chip.holes is None for chip in chips):
            return None
        return self._stacked([np.zeros(chip.values.shape, np.bool_) if chip.holes is None else chip.holes for chip in chips])
