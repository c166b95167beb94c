"""From the samples table to batches of arrays: order, jitter and augmentation are a function of (seed, epoch, sample)."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.augment import augment
from terrazzo.samples.chip import to_chip
from terrazzo.samples.ground import HeldOut
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.scaling import Scaling
from terrazzo.samples.store import Source
from terrazzo.samples.table import Samples

AHEAD = 3
"""Batches prepared ahead of the one in use."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of the samples table."""

    id: int
    scene: str
    window: Window


def rows_of(samples: Samples) -> list[Sample]:
    """The rows of a samples table."""
    pairs = zip(samples.frame.index, samples.frame["scene"], samples.windows(), strict=True)
    return [Sample(id=int(number), scene=str(scene), window=window) for number, scene, window in pairs]


def rows_by_scene(samples: Samples) -> dict[str, list[Sample]]:
    """The rows of a samples table, scene by scene in the order of their first rows."""
    found: dict[str, list[Sample]] = {}
    for sample in rows_of(samples):
        found.setdefault(sample.scene, []).append(sample)
    return found


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples as the network sees them."""

    ids: tuple[int, ...]
    images: NDArray[np.float32]
    """(batch, bands, height, width), scaled."""
    labels: NDArray[np.uint8]
    """(batch, height, width), class indices, 255 ignored."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """All that turns a sample into a chip."""

    store: Source
    scaling: Scaling
    size: Shape
    """(height, width) of every chip; smaller windows are padded with ignored pixels."""
    seed: int
    augment: AugmentOptions
    held_out: HeldOut | None = None
    """Ground that a jittered window must not touch; None: no jitter."""

    def plain(self, sample: Sample) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The chip as it is: image (bands, height, width) scaled, labels (height, width)."""
        return self._read(sample.scene, sample.window)

    def augmented(self, sample: Sample, epoch: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """The chip as an epoch sees it."""
        rng = np.random.default_rng((self.seed, epoch, sample.id))
        window = self._jitter(sample, rng)
        image, labels = self._read(sample.scene, window)
        return augment(image, labels, self.augment, rng)

    def _read(self, scene: str, window: Window) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        pixels, known = self.store.read(scene, window)
        labels = np.full(self.size, IGNORE, np.uint8)
        labels[: window.height, : window.width] = known
        return to_chip(pixels, self.scaling, self.size), labels

    def _jitter(self, sample: Sample, rng: np.random.Generator) -> Window:
        """Move the window by up to half its size, inside its scene and clear of held-out ground; else leave it."""
        move_x, move_y = rng.uniform(-0.5, 0.5, 2)
        if self.held_out is None:
            return sample.window
        window = sample.window
        scene = whole(self.store.shape(sample.scene))
        moved = Window(
            col_off=int(np.clip(window.col_off + round(move_x * window.width), 0, scene.width - window.width)),
            row_off=int(np.clip(window.row_off + round(move_y * window.height), 0, scene.height - window.height)),
            width=window.width,
            height=window.height,
        )
        return window if self.held_out.touches(sample.scene, moved) else moved


def epoch_order(ids: int, epoch: int, seed: int, per_epoch: int | None) -> NDArray[np.int64]:
    """The positions that an epoch draws, each once before any twice."""
    rng = np.random.default_rng((seed, epoch))
    wanted = per_epoch or ids
    rounds = [rng.permutation(ids) for _ in range(-(-wanted // ids))]
    return np.concatenate(rounds)[:wanted]


def batches(samples: Sequence[Sample], size: int) -> list[Sequence[Sample]]:
    """Cut a sequence into batches; the last may be smaller."""
    return [samples[first : first + size] for first in range(0, len(samples), size)]


def stream(groups: Sequence[Sequence[Sample]], preparation: Preparation, epoch: int | None, workers: int = 2) -> Iterator[Batch]:
    """Prepare batches ahead on threads, in order; epoch None gives plain chips.

    The batches do not depend on the number of workers: every chip draws from its own generator.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="chips") as pool:
        pending: deque[list[Future[tuple[NDArray[np.float32], NDArray[np.uint8]]]]] = deque()
        upcoming = iter(groups)
        for group in groups:
            while len(pending) <= AHEAD and (following := next(upcoming, None)) is not None:
                pending.append([pool.submit(_chip, preparation, sample, epoch) for sample in following])
            chips = [future.result() for future in pending.popleft()]
            yield Batch(
                ids=tuple(sample.id for sample in group),
                images=np.stack([image for image, _ in chips]),
                labels=np.stack([labels for _, labels in chips]),
            )


def _chip(preparation: Preparation, sample: Sample, epoch: int | None) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return preparation.plain(sample) if epoch is None else preparation.augmented(sample, epoch)
