"""Objects of validation chips, matched beside the network's work."""

import math
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.scores import image_f2
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.samples.rows import Sample
from terrazzo.samples.store import Source

WAITING = 4
"""Batches that wait to be looked at, at most."""


class ChipObjects:
    """The mean F2 of chips, each an image of its own; used as a context, on a thread that runs while the next batch is computed."""

    def __init__(self, rule: ObjectRule, source: Source) -> None:
        self._rule = rule
        self._source = source
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="objects")
        self._pending: deque[Future[list[float]]] = deque()
        self._scores: list[float] = []

    def add(self, samples: Sequence[Sample], labels: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        """Add chips. labels, predicted: (batch, height, width) class indices, 255 left out."""
        self._pending.append(self._pool.submit(self._f2, samples, labels, predicted))
        if len(self._pending) > WAITING:
            self._scores += self._pending.popleft().result()

    def f2(self) -> float | None:
        """The mean over all chips and IoU thresholds, as `image_f2` has it; None where no chip has ground that counts."""
        while self._pending:
            self._scores += self._pending.popleft().result()
        return math.fsum(self._scores) / len(self._scores) if self._scores else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _f2(self, samples: Sequence[Sample], labels: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> list[float]:
        scores = []
        for sample, truth, guess in zip(samples, labels, predicted, strict=True):
            tally = ObjectTally(self._rule)
            tally.add(0, truth, guess, self._instances(sample, truth.shape))
            found = tally.found()
            if not found.empty:
                scores.append(float(image_f2(found.counts(np.array(self._rule.thresholds))[None]).mean()))
        return scores

    def _instances(self, sample: Sample, shape: tuple[int, ...]) -> NDArray[np.uint32] | None:
        """Object numbers of a chip, 0 beyond its window."""
        numbers = self._source.instances(sample.scene, sample.window)
        if numbers is None or numbers.shape == shape:
            return numbers
        padded = np.zeros(shape, np.uint32)
        padded[: numbers.shape[0], : numbers.shape[1]] = numbers
        return padded
