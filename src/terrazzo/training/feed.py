"""Batches as tensors on the device that computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.models.network import LAYOUT, Runtime
from terrazzo.samples.augment.device import augment_batch
from terrazzo.samples.loader.batch import Allocate, Batch
from terrazzo.samples.loader.stored import StoredBatch
from terrazzo.samples.scaling import Scaling


@dataclass(frozen=True, kw_only=True)
class Fed:
    """A batch and its tensors."""

    batch: Batch | StoredBatch
    images: Tensor
    """(batch, bands, height, width) float32 in the runtime's layout."""
    target: Tensor
    """(batch, height, width) int64, 255 ignored."""


def room_for(runtime: Runtime) -> Allocate:
    """Room for the arrays of batches: for CUDA memory from which the device copies by itself."""
    return _pinned if runtime.device.type == "cuda" else np.empty


def feed(batches: Iterator[Batch] | Iterator[StoredBatch], runtime: Runtime, scaling: Scaling) -> Iterator[Fed]:
    """The batches in their order; to CUDA each is on its way while the one before it is computed.

    What is stored is moved, scaled and shaded on the device.
    """
    fed = (_fed(batch, runtime, scaling) for batch in batches)
    return _ahead(fed, runtime.device) if runtime.device.type == "cuda" else fed


def _fed(batch: Batch | StoredBatch, runtime: Runtime, scaling: Scaling) -> Fed:
    labels = _there(batch.labels, runtime)
    if isinstance(batch, Batch):
        images = _there(batch.images, runtime)
    else:
        holes = _there(batch.holes, runtime) if batch.holes is not None else None
        images, labels = augment_batch(_there(batch.values, runtime), labels, holes, batch.augmentations, scaling)
    # the layout changes and labels grow where they arrive: what travels is small
    return Fed(batch=batch, images=images.contiguous(memory_format=LAYOUT), target=labels.long())


def _there(array: NDArray[Any], runtime: Runtime) -> Tensor:
    return torch.from_numpy(array).to(runtime.device, non_blocking=True)


def _ahead(batches: Iterator[Fed], device: torch.device) -> Iterator[Fed]:
    """Begin each on a stream of its own before the one in front of it is given away."""
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    coming: tuple[Fed, torch.cuda.Event] | None = None
    while True:
        with torch.cuda.stream(aside):
            fed = next(batches, None)
            after = (fed, aside.record_event()) if fed is not None else None
        if coming is not None:
            yield _arrived(*coming)
        if after is None:
            return
        coming = after


def _arrived(fed: Fed, there: torch.cuda.Event) -> Fed:
    """Let what is computed next wait for the copy, and keep its memory for as long as it is used there."""
    current = torch.cuda.current_stream(fed.images.device)
    current.wait_event(there)
    for tensor in (fed.images, fed.target):
        tensor.record_stream(current)
    return fed


def _pinned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    room: NDArray[Any] = torch.empty(shape, dtype=kind, pin_memory=True).numpy()
    return room
