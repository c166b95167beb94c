"""The engine of an ensemble: the exact mean of what its networks find, each computed with what is chosen for it alone."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.engines.choose import Chooser
from terrazzo.prediction.engines.engine import Engine, ReadWindow
from terrazzo.prediction.engines.ensemble import EnsembleChooser, runtime_facts
from terrazzo.prediction.engines.forward import Means
from terrazzo.prediction.engines.probe import Work, noise
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.views import ONLY_AS_IT_IS
from terrazzo.rasters.window import Window

SMALL, LARGE = (Work(pixels=pixels, window=lambda: noise(2, 16, 16)) for pixels in (1000, 2**30))
Shares = st.floats(0, 1, width=32)


class Says:
    """A network that finds one probability everywhere, and knows the band that it was given."""

    device = torch.device("cpu")

    def __init__(self, share: float, engine: Any = "torch", *, alone: bool = True) -> None:
        self.means = Means(engine=engine, device="cpu", precision="float32")
        self.alone = alone
        self._share = torch.tensor(share, dtype=torch.float32)
        self.seen: list[float] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += images[:, 0, 0, 0].tolist()
        return torch.stack([self._share, 1 - self._share]).reshape(1, 2, 1, 1).expand(len(images), 2, *images.shape[2:])


def window(*bands: float) -> ReadWindow:
    chip = np.array(bands, np.float32)[:, np.newaxis, np.newaxis] * np.ones((1, 4, 6), np.float32)
    return ReadWindow(window=Window(col_off=0, row_off=0, width=6, height=4), chip=chip, valid=np.ones((4, 6), np.bool_))


def found(networks: Sequence[Any]) -> NDArray[np.uint16]:
    """The probabilities of one window."""
    result = next(iter(Engine(networks, 1).run([window(*range(len(networks)))])))[1]
    assert result is not None
    return result


@given(st.lists(Shares, min_size=1, max_size=6))
def test_the_mean_is_exact_and_rounded_once(shares: list[float]) -> None:
    """That of quantised probabilities would be another."""
    first = np.float32(math.fsum(shares) / len(shares))
    second = np.float32(math.fsum(1 - np.float32(share) for share in shares) / len(shares))
    expected = np.rint(np.array([first, second], np.float32) * np.float32(PROBABILITY_ONE))
    result = found([Says(share) for share in shares])
    assert np.array_equal(result, np.broadcast_to(expected[:, np.newaxis, np.newaxis], (2, 4, 6)))


@given(Shares, st.integers(2, 7))
def test_of_equal_networks_it_is_what_each_says(share: float, count: int) -> None:
    assert np.array_equal(found([Says(share) for _ in range(count)]), found([Says(share)]))


@pytest.mark.parametrize("alone", [True, False])
def test_each_network_gets_its_own_bands(alone: bool) -> None:  # noqa: FBT001
    networks = [Says(share, alone=alone) for share in (0.25, 0.5, 1)]
    engine = Engine(networks, 2)
    results = [result for _, result in engine.run([window(1, 2, 3), window(4, 5, 6), window(7, 8, 9)])]
    assert all(result is not None and np.unique(result[0]).tolist() == [round(1.75 / 3 * PROBABILITY_ONE)] for result in results)
    # the last batch is padded
    assert [sorted(set(network.seen) - {0}) for network in networks] == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]


class TestChoice:
    @pytest.fixture
    def choose(self, make_bundle: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Engine]:
        """An ensemble of a narrow and a wide network, of which OpenVINO is quicker for the wide one."""
        narrow, wide = make_bundle(), make_bundle(filters=6)
        monkeypatch.setattr(Chooser, "_possible", lambda _: ["openvino", "torch"])
        monkeypatch.setattr(Chooser, "_quickest", lambda self, plain, _, __: Says(0, "openvino") if self._bundle is wide else plain)
        monkeypatch.setattr(Chooser, "_made", lambda _, name, __: Says(0, name))
        chooser = EnsembleChooser([narrow, wide], "cpu", PredictionOptions(precision="float32"))

        def choose(*works: Work, kept: Any = None) -> Engine:
            engine = chooser.engine_for([works[0], works[0]], kept)
            for work in works[1:]:
                engine = chooser.engine_for([work, work])
            return engine

        return choose

    def test_is_made_for_each_network(self, choose: Callable[..., Engine]) -> None:
        engine = choose(LARGE)
        assert [forward.means.engine for forward in engine.forwards] == ["torch", "openvino"]
        facts = {"engine": "torch", "device": "cpu", "precision": "float32"}
        second = {"engine of model 2": "openvino", "device of model 2": "cpu", "precision of model 2": "float32"}
        assert runtime_facts(engine) == {**facts, **second}

    def test_is_made_once(self, choose: Callable[..., Engine]) -> None:
        """But what was chosen for small work is no choice for large work."""
        assert choose(LARGE) is choose(LARGE) is choose(SMALL)

    def test_of_small_work_is_none_for_large_work(self, choose: Callable[..., Engine]) -> None:
        assert [forward.means.engine for forward in choose(SMALL, LARGE).forwards] == ["torch", "openvino"]

    def test_that_was_kept_is_obeyed_by_each(self, choose: Callable[..., Engine]) -> None:
        kept = {"engine": "openvino", "device": "cpu", "precision": "float32"}
        kept |= {f"{name} of model 2": value for name, value in {**kept, "engine": "torch"}.items()}
        assert [forward.means.engine for forward in choose(LARGE, kept=kept).forwards] == ["openvino", "torch"]

    def test_of_the_batch_is_what_all_allow(self) -> None:
        engines = [Engine([Says(0, alone=False)], size, ONLY_AS_IT_IS) for size in (8, 3, 5)]
        joined = Engine.joined(engines)
        assert joined.batch_size == runtime_facts(joined)["batch_size"] == 3
        assert len(joined.forwards) == 3
