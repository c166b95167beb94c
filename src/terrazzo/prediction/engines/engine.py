"""From windows to quantised probabilities: several at once, each computed in the same way whatever is computed beside it.

On a CPU every window is one pass on one thread, so that neither the batch nor the number of threads can change a bit of it. Accelerators
take a batch a pass, padded to its full size: its shape, and so its arithmetic, never changes. Of several networks each computes as it would
alone, and the mean of what they found is quantised.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.models.shortage import KINDS, is_shortage
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.engines.batch import Allowance
from terrazzo.prediction.engines.forward import Forward
from terrazzo.prediction.refine.views import ONLY_AS_IT_IS, View, mean_over
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.window import Window

LONGEST_WAIT = 4
"""Windows that wait for a pass at most, in passes."""


@dataclass(frozen=True, kw_only=True)
class ReadWindow:
    """A window that was read: what the network needs and what the map needs."""

    window: Window
    chip: NDArray[np.float32] | None
    """(bands, height, width), full size; the bands as each network takes them, scaled, one network after another. None where no pixel is
    valid or none is wanted."""
    valid: NDArray[np.bool_]
    """(height, width) of the window, which is cut to the raster."""


PredictedWindow = tuple[ReadWindow, NDArray[np.uint16] | None]
"""A window and its probabilities (classes, height, width), 65535 = 1; None where it has no valid pixel."""


class Engine:
    """Runs networks over windows."""

    def __init__(self, forwards: Sequence[Forward], batch_size: int, views: Sequence[View] = ONLY_AS_IT_IS) -> None:
        """forwards: one network, or several on one device, the mean of whose probabilities counts. batch_size: windows at once.

        views: the ways in which each network looks at each window; the mean of what it finds is what it says.
        """
        self.forwards = forwards
        self.views = views
        self._allowance = Allowance(batch_size)

    @classmethod
    def joined(cls, engines: Sequence["Engine"]) -> "Engine":
        """One for the networks of several, which have the same views: with as many windows at once as all of them allow."""
        if len(engines) == 1:
            return engines[0]
        forwards = [forward for engine in engines for forward in engine.forwards]
        return cls(forwards, min(engine.batch_size for engine in engines), engines[0].views)

    @property
    def alone(self) -> bool:
        """Whether each window is computed on a thread of its own; see Forward."""
        return self.forwards[0].alone

    @property
    def batch_size(self) -> int:
        """Windows that are computed at once; less than was asked for once memory was short."""
        return self._allowance.size

    def run(self, windows: Iterable[ReadWindow]) -> Iterator[PredictedWindow]:
        """Each window with its probabilities, in order.

        Windows of different rasters are computed together, so that many small images are as quick as a big one.
        Raises EnvironmentFault if memory does not suffice for a single window.
        """
        threads = self.batch_size if self.alone else 1
        with _threads_left_alone():
            for waiting, results in ahead(self._predicted, self._grouped(windows), threads):
                remaining = iter(results)
                for window in waiting:
                    yield window, next(remaining) if window.chip is not None else None

    def _grouped(self, windows: Iterable[ReadWindow]) -> Iterator[list[ReadWindow]]:
        """Windows for a pass each, and those without pixels that lie between."""
        waiting: list[ReadWindow] = []
        chips = 0
        for window in windows:
            waiting.append(window)
            chips += window.chip is not None
            size = 1 if self.alone else self.batch_size
            # a sea of windows without data must not pile up behind a batch that is not full
            if chips >= size or not chips or len(waiting) >= LONGEST_WAIT * size:
                yield waiting
                waiting, chips = [], 0
        if waiting:
            yield waiting

    def _predicted(self, waiting: list[ReadWindow]) -> tuple[list[ReadWindow], list[NDArray[np.uint16]]]:
        """Windows, and the probabilities of those with pixels."""
        chips = [window.chip for window in waiting if window.chip is not None]
        done: list[NDArray[np.uint16]] = []
        while len(done) < len(chips):
            size = self.batch_size
            try:
                done.extend(self._alone(chips[len(done)]) if self.alone else self._pass(chips[len(done) :][:size], size))
            except KINDS as error:
                if not is_shortage(error):
                    raise
                self._allowance.halve(size, chips[0].shape)
        return waiting, done

    def _alone(self, chip: NDArray[np.float32]) -> NDArray[np.uint16]:
        if torch.get_num_threads() != 1:
            # torch counts threads for each of ours
            torch.set_num_threads(1)
        with self._allowance.place():
            return self._pass([chip], 1)

    @torch.inference_mode()
    def _pass(self, chips: Sequence[NDArray[np.float32]], size: int) -> NDArray[np.uint16]:
        """Chips (bands, height, width), at most `size`, to probabilities (chips, classes, height, width)."""
        images = np.zeros((size, *chips[0].shape), np.float32)
        for number, chip in enumerate(chips):
            images[number] = chip
        # through int32: torch has no uint16 arithmetic on every device
        return (self._mean(images)[: len(chips)] * PROBABILITY_ONE).round_().to(torch.int32).cpu().numpy().astype(np.uint16)

    def _mean(self, images: NDArray[np.float32]) -> Tensor:
        """Of (batch, networks * bands, height, width) the mean of the networks' probabilities, (batch, classes, height, width) float32."""
        parts = zip(self.forwards, np.split(images, len(self.forwards), axis=1), strict=True)
        found = (mean_over(self.views, each, torch.from_numpy(np.ascontiguousarray(part)).to(each.device)) for each, part in parts)
        if len(self.forwards) == 1:
            return next(found)
        # in float64 the sum is exact, so that equal networks give what each gives alone; Apple's devices have none
        exact = torch.float32 if self.forwards[0].device.type == "mps" else torch.float64
        return (reduce(torch.add, (each.to(exact) for each in found)) / len(self.forwards)).float()


@contextmanager
def _threads_left_alone() -> Iterator[None]:
    """What threads of ours set is not what the next new thread begins with."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
