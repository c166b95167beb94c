"""The forward pass: chips in, quantised probabilities out, always in batches of one shape."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.models.bundle import Bundle
from terrazzo.models.network import LAYOUT, Runtime
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.refine.views import ONLY_AS_IT_IS, View, mean_over
from terrazzo.rasters.window import Window

LONGEST_WAIT = 4
"""Windows that wait for a batch at most, in batches."""


@dataclass(frozen=True, kw_only=True)
class ReadWindow:
    """A window that was read: what the network needs and what the map needs."""

    window: Window
    chip: NDArray[np.float32] | None
    """(bands, height, width), scaled, full size; None where no pixel is valid or none is wanted."""
    valid: NDArray[np.bool_]
    """(height, width) of the window, which is cut to the raster."""


class Engine:
    """Runs a model's network. A batch is padded to its full size: its shape, and so its arithmetic, never changes."""

    def __init__(self, bundle: Bundle, runtime: Runtime, batch_size: int, views: Sequence[View] = ONLY_AS_IT_IS) -> None:
        """views: the ways in which each window is looked at; the mean of their probabilities counts."""
        self.batch_size = batch_size
        self.runtime = runtime
        self._views = views
        self._network = runtime.place(bundle.network).eval()

    def run(self, windows: Iterable[ReadWindow]) -> Iterator[tuple[ReadWindow, NDArray[np.uint16] | None]]:
        """Each window with its probabilities (classes, height, width), 65535 = 1, in order; None where it has no valid pixel.

        Windows of different rasters share a batch, so that many small images are as quick as a big one.
        """
        waiting: list[ReadWindow] = []
        chips: list[NDArray[np.float32]] = []
        for window in windows:
            waiting.append(window)
            if window.chip is not None:
                chips.append(window.chip)
            # a sea of windows without data must not pile up behind a batch that is not full
            if len(chips) == self.batch_size or not chips or len(waiting) == LONGEST_WAIT * self.batch_size:
                yield from _paired(waiting, self._forward(chips) if chips else None)
                waiting, chips = [], []
        yield from _paired(waiting, self._forward(chips) if chips else None)

    @torch.inference_mode()
    def _forward(self, chips: Sequence[NDArray[np.float32]]) -> NDArray[np.uint16]:
        """Chips (bands, height, width), at most batch_size, to probabilities (chips, classes, height, width)."""
        images = np.zeros((self.batch_size, *chips[0].shape), np.float32)
        for number, chip in enumerate(chips):
            images[number] = chip
        batch = torch.from_numpy(images).to(self.runtime.device, memory_format=LAYOUT)
        probabilities = mean_over(self._views, self._probabilities, batch)[: len(chips)]
        # through int32: torch has no uint16 arithmetic on every device
        return (probabilities * PROBABILITY_ONE).round_().to(torch.int32).cpu().numpy().astype(np.uint16)

    def _probabilities(self, batch: Tensor) -> Tensor:
        """(batch, bands, height, width) to (batch, classes, height, width), float32."""
        return self.runtime.logits(self._network, batch.contiguous(memory_format=LAYOUT)).softmax(1)


def _paired(waiting: Sequence[ReadWindow], results: NDArray[np.uint16] | None) -> Iterator[tuple[ReadWindow, NDArray[np.uint16] | None]]:
    remaining = iter(results if results is not None else ())
    for window in waiting:
        yield window, next(remaining) if window.chip is not None else None
