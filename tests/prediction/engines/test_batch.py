"""How many windows at once: the quickest batch, and half of it where memory is short."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import pytest
import torch
from torch import Tensor

from terrazzo.errors import EnvironmentFault
from terrazzo.prediction.engines.batch import Allowance, quickest_batch
from terrazzo.prediction.engines.engine import Engine, ReadWindow
from terrazzo.prediction.engines.forward import Means
from terrazzo.rasters.window import Window

SHORTAGES = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp:224: std::bad_alloc"),
]


class Small:
    """Something that maps windows, with memory for a few at once."""

    means = Means(engine="torch", device="cpu", precision="float32")
    device = torch.device("cpu")

    def __init__(self, room: int, error: Exception, *, alone: bool) -> None:
        self.room, self.error, self.alone = room, error, alone
        self.batches: list[int] = []
        self._inside, self._lock = 0, Lock()

    def __call__(self, images: Tensor) -> Tensor:
        with self._lock:
            self._inside += len(images)
            self.batches.append(len(images))
            full = self._inside > self.room
        try:
            if full:
                raise self.error
            time.sleep(0.005)  # long enough for the others to come in
            return torch.cat([images.sigmoid() * 0.5, 1 - images.sigmoid() * 0.5], dim=1)
        finally:
            with self._lock:
                self._inside -= len(images)


def windows(count: int) -> list[ReadWindow]:
    rng = np.random.default_rng(0)
    return [
        ReadWindow(
            window=Window(col_off=number, row_off=0, width=8, height=8),
            chip=rng.standard_normal((1, 8, 8), np.float32),
            valid=np.ones((8, 8), np.bool_),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_short_of_memory_the_batch_is_halved_and_the_result_is_the_same(*, alone: bool, error: Exception) -> None:
    large, small = (Engine([Small(room, error, alone=alone)], 8) for room in (1000, 2))
    expected, found = (list(engine.run(windows(21))) for engine in (large, small))
    assert large.batch_size == 8
    assert small.batch_size <= (7 if alone else 2)
    for one, other in zip(expected, found, strict=True):
        assert one[0].window == other[0].window
        assert one[1] is not None
        assert other[1] is not None
        assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("alone", [True, False])
def test_a_single_window_that_does_not_fit_ends_with_a_sentence(*, alone: bool) -> None:
    engine = Engine([Small(0, MemoryError(), alone=alone)], 4)
    with pytest.raises(EnvironmentFault, match=r"out of memory with a single window of 8 x 8 pixels\. Set prediction\.window"):
        list(engine.run(windows(5)))


def test_other_errors_are_no_shortage() -> None:
    engine = Engine([Small(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"), alone=False)], 4)
    with pytest.raises(RuntimeError, match="mat1"):
        list(engine.run(windows(5)))
    assert engine.batch_size == 4


def test_batches_are_padded_to_one_shape() -> None:
    network = Small(1000, MemoryError(), alone=False)
    assert len(list(Engine([network], 4).run(windows(10)))) == 10
    assert network.batches == [4, 4, 4]


class TestQuickestBatch:
    def test_is_doubled_until_windows_a_second_no_longer_rise(self) -> None:
        assert quickest_batch(lambda size: 1 + size / 10) > 8
        assert quickest_batch(float) == 1
        assert quickest_batch(lambda size: float(max(size, 8))) == 8

    @pytest.mark.parametrize("room", [0, 1, 16])
    def test_ends_where_memory_does(self, room: int) -> None:
        def seconds(size: int) -> float:
            if size > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return 1.0

        assert quickest_batch(seconds) == max(1, room)

    def test_ends_at_the_largest(self) -> None:
        assert quickest_batch(lambda _: 1.0, 32) == 32


def test_no_more_threads_than_allowed_are_inside() -> None:
    allowance, inside, most = Allowance(3), 0, 0
    lock = Lock()

    def enter(_: int) -> None:
        nonlocal inside, most
        with allowance.place():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.002)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(50)))
    assert most == 3


def test_threads_that_fail_together_halve_once() -> None:
    allowance = Allowance(8)
    for _ in range(4):
        allowance.halve(8, (1, 8, 8))
    assert allowance.size == 4
