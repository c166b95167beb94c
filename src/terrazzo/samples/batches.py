"""From the samples table to batches of arrays: order, place and augmentation are a function of (seed, epoch, sample)."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.samples.augment.draw import AS_IS, Augmentation, draw_augmentation
from terrazzo.samples.chip import to_chip, to_labels
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.store import Source

AHEAD = 3
"""Batches prepared ahead of the one in use."""
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples as the network sees them."""

    windows: tuple[Sample, ...]
    """The samples, with the windows that are shown of them."""
    images: NDArray[np.float32]
    """(batch, bands, height, width), scaled."""
    labels: NDArray[np.uint8]
    """(batch, height, width), class indices, 255 ignored."""

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(sample.id for sample in self.windows)


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One sample as the network sees it."""

    sample: Sample
    """With the window that is shown."""
    image: NDArray[np.float32]
    """(bands, height, width), scaled."""
    labels: NDArray[np.uint8]
    """(height, width), class indices, 255 ignored."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """All that turns a sample into a chip."""

    store: Source
    scaling: Scaling
    size: Shape
    """(height, width) of every chip; smaller windows are padded with ignored pixels."""
    seed: int
    augment: AugmentOptions
    placer: Placer

    def plain(self, sample: Sample) -> Chip:
        """The chip as it is."""
        return self._read(sample, AS_IS)

    def augmented(self, drawn: Drawn, epoch: int) -> Chip:
        """The chip as an epoch sees it."""
        return self._read(self.placer.place(drawn, epoch), self.augmentation(drawn, epoch))

    def augmentation(self, drawn: Drawn, epoch: int) -> Augmentation:
        """How an epoch moves and shades what it draws."""
        rng = np.random.default_rng((self.seed, epoch, drawn.sample.id, drawn.repeat))
        return draw_augmentation(self.augment, rng, self.size, len(self.scaling.bands))

    def _read(self, sample: Sample, augmentation: Augmentation) -> Chip:
        pixels, labels = self.store.read(sample.scene, sample.window)
        image, labels = to_chip(pixels, self.scaling, self.size, augmentation), to_labels(labels, self.size, augmentation)
        return Chip(sample=sample, image=image, labels=labels)


def batches(samples: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Cut a sequence into batches; the last may be smaller."""
    return [samples[first : first + size] for first in range(0, len(samples), size)]


def stream(groups: Sequence[Sequence[Drawn]], preparation: Preparation, epoch: int | None, workers: int = 2) -> Iterator[Batch]:
    """Prepare batches ahead on threads, in order; epoch None gives plain chips.

    The batches do not depend on the number of workers: every chip draws from its own generator.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="chips") as pool:
        pending: deque[list[Future[Chip]]] = deque()
        upcoming = iter(groups)
        for _ in groups:
            while len(pending) <= AHEAD and (following := next(upcoming, None)) is not None:
                pending.append([pool.submit(_chip, preparation, drawn, epoch) for drawn in following])
            chips = [future.result() for future in pending.popleft()]
            yield Batch(
                windows=tuple(chip.sample for chip in chips),
                images=np.stack([chip.image for chip in chips]),
                labels=np.stack([chip.labels for chip in chips]),
            )


def _chip(preparation: Preparation, drawn: Drawn, epoch: int | None) -> Chip:
    return preparation.plain(drawn.sample) if epoch is None else preparation.augmented(drawn, epoch)
