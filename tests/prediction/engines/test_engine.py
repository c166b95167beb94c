"""The forward pass: batches of one shape, windows in order, memory bounded."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from terrazzo.models.network import choose_runtime
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.engines.engine import LONGEST_WAIT, Engine, ReadWindow
from terrazzo.prediction.engines.torch_engine import TorchForward
from terrazzo.rasters.window import Window


def window(number: int, *, valid: bool = True) -> ReadWindow:
    rng = np.random.default_rng(number)
    return ReadWindow(
        window=Window(col_off=number, row_off=0, width=16, height=16),
        chip=rng.standard_normal((2, 16, 16), np.float32) if valid else None,
        valid=np.full((16, 16), valid),
    )


@pytest.fixture(scope="session")
def engine(make_bundle: Any) -> Engine:
    return Engine([TorchForward(make_bundle(), choose_runtime("cpu", "float32"))], 4)


def results(engine: Engine, windows: list[ReadWindow]) -> list[tuple[int, NDArray[np.uint16] | None]]:
    return [(each.window.col_off, probabilities) for each, probabilities in engine.run(windows)]


def predicted(engine: Engine, numbers: Sequence[int]) -> list[NDArray[np.uint16]]:
    return [probabilities for _, probabilities in results(engine, [window(number) for number in numbers]) if probabilities is not None]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8])
def test_every_window_comes_back_in_order(engine: Engine, count: int) -> None:
    found = results(engine, [window(number) for number in range(count)])
    assert [number for number, _ in found] == list(range(count))
    for _, probabilities in found:
        assert probabilities is not None
        assert probabilities.shape == (3, 16, 16)
        assert probabilities.dtype == np.uint16
        sums = probabilities.sum(axis=0, dtype=np.int64)
        assert np.abs(sums - PROBABILITY_ONE).max() <= 2


def test_a_window_is_predicted_alike_whatever_shares_its_batch(engine: Engine) -> None:
    """Bit for bit in float32: the batch is padded to one shape, and its members never meet."""
    alone = [predicted(engine, [number])[0] for number in range(6)]
    together, turned = predicted(engine, range(6)), predicted(engine, range(5, -1, -1))[::-1]
    for one, other, third in zip(alone, together, turned, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, third)


def test_windows_without_pixels_are_skipped_in_their_place(engine: Engine) -> None:
    windows = [window(number, valid=number % 3 != 1) for number in range(9)]
    found = results(engine, windows)
    assert [number for number, _ in found] == list(range(9))
    assert [probabilities is None for _, probabilities in found] == [number % 3 == 1 for number in range(9)]


@pytest.mark.parametrize("first", [[], [0]])
def test_a_sea_without_data_does_not_pile_up(engine: Engine, first: list[int]) -> None:
    """Not even behind a batch that has just begun."""
    drawn = 0

    def windows() -> Iterator[ReadWindow]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield window(number, valid=number in first)

    furthest = max(drawn - number for number, _ in enumerate(engine.run(windows())))
    assert furthest <= LONGEST_WAIT * engine.batch_size
    assert drawn == 1000


def test_predictions_of_a_sure_network_are_whole(make_bundle: Any) -> None:
    bundle = make_bundle()
    with torch.no_grad():
        bundle.network.head.weight.zero_()
        bundle.network.head.bias.copy_(torch.tensor([0.0, 200.0, 0.0]))
    found = results(Engine([TorchForward(bundle, choose_runtime("cpu", "float32"))], 2), [window(0)])[0][1]
    assert found is not None
    assert found.reshape(3, -1).max(axis=1).tolist() == [0, PROBABILITY_ONE, 0]
    assert found[1].min() == PROBABILITY_ONE
