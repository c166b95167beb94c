"""Whether one way to compute agrees with another, and which is faster: seen on a window of the work itself."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.models.network import LEAST_AGREEMENT
from terrazzo.prediction.engines.forward import Forward

LARGEST_DIFFERENCE = 0.01
"""Of a probability, where both ways are in float32."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is to be predicted."""

    pixels: int
    """Of all windows."""
    window: Callable[[], NDArray[np.float32]]
    """Gives the pixels of one of them, (bands, height, width), scaled; noise if none can be read."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a way to compute made of a window."""

    probabilities: Tensor
    """(1, classes, height, width)."""
    seconds: float
    """That a pass takes, without what only the first one needs."""


def noise(bands: int, height: int, width: int) -> NDArray[np.float32]:
    """A window of made-up pixels, as scaled ones are spread."""
    return np.random.default_rng(0).standard_normal((bands, height, width), np.float32)


def tried(forward: Forward, chip: NDArray[np.float32]) -> Tried:
    """Compute one window as an engine does, twice: the first pass sets up what others find."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_tried, forward, chip).result()


def fault_of(found: Tensor, exact: Tensor, *, rounded: bool) -> str | None:
    """What is wrong with probabilities (batch, classes, height, width), measured by those of float32; None if they agree.

    rounded: whether the way to compute rounds more than float32 does.
    """
    if not bool(found.isfinite().all()):
        return "not all of its probabilities are numbers"
    agreement = float((found.argmax(1) == exact.argmax(1)).double().mean())
    if agreement < LEAST_AGREEMENT:
        return f"its classes are those of torch in float32 in {agreement:.1%} of the pixels only"
    difference = float((found - exact).abs().max())
    if not rounded and difference > LARGEST_DIFFERENCE:
        return f"a probability differs by {difference:.3f} from that of torch"
    return None


def _tried(forward: Forward, chip: NDArray[np.float32]) -> Tried:
    threads = torch.get_num_threads()
    images = torch.from_numpy(chip[np.newaxis]).to(forward.device)
    try:
        if forward.alone:
            torch.set_num_threads(1)
        probabilities = forward(images).cpu()
        started = time.perf_counter()
        forward(images).cpu()
        return Tried(probabilities=probabilities, seconds=time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
