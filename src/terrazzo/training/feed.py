"""Batches as tensors on the device that computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.models.network import Runtime
from terrazzo.samples.loader.loader import Allocate, Batch


@dataclass(frozen=True, kw_only=True)
class Fed:
    """A batch and its tensors."""

    batch: Batch
    images: Tensor
    """(batch, bands, height, width) float32 in the runtime's layout."""
    target: Tensor
    """(batch, height, width) int64, 255 ignored."""


def room_for(runtime: Runtime) -> Allocate:
    """Room for the arrays of batches: for CUDA memory from which the device copies by itself."""
    return _pinned if runtime.device.type == "cuda" else np.empty


def feed(batches: Iterator[Batch], runtime: Runtime) -> Iterator[Fed]:
    """The batches in their order; to CUDA each is on its way while the one before it is computed."""
    return _ahead(batches, runtime) if runtime.device.type == "cuda" else (_fed(batch, runtime) for batch in batches)


def _fed(batch: Batch, runtime: Runtime) -> Fed:
    # what is cheap to copy travels: the layout changes and labels grow where they arrive
    images = torch.from_numpy(batch.images).to(runtime.device, non_blocking=True).contiguous(memory_format=runtime.layout)
    target = torch.from_numpy(batch.labels).to(runtime.device, non_blocking=True).long()
    return Fed(batch=batch, images=images, target=target)


def _ahead(batches: Iterator[Batch], runtime: Runtime) -> Iterator[Fed]:
    aside = torch.cuda.Stream(runtime.device)  # type: ignore[no-untyped-call]
    coming: tuple[Fed, torch.cuda.Event] | None = None
    for batch in batches:
        with torch.cuda.stream(aside):
            after = _fed(batch, runtime), aside.record_event()
        if coming is not None:
            yield _arrived(*coming)
        coming = after
    if coming is not None:
        yield _arrived(*coming)


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
