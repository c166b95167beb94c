"""Networks whose answer is known: what they say of each pixel is what the map holds, exactly, however it is cut into windows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from terrazzo.labels.legend import IGNORE
from terrazzo.models.bundle import Bundle
from terrazzo.prediction.blend import PROBABILITY_ONE
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.chain import finished_rows
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling

CERTAIN = 60.0
"""A difference of logits beyond which a probability is 1 in float32."""
NODATA = -9999.0


class Constant(nn.Module):
    """Gives every pixel the same logits."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(logits)[None, :, None, None])

    def forward(self, images: Tensor) -> Tensor:
        return self.values.expand(len(images), -1, *images.shape[2:])


@st.composite
def cuts(draw: st.DrawFn) -> dict[str, Any]:
    """A raster's shape, a window, and how windows are joined."""
    return {
        "shape": (draw(st.integers(1, 60)), draw(st.integers(1, 50))),
        "window": (draw(st.integers(8, 24)), draw(st.integers(8, 24))),
        "overlap": draw(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.75])),
        "blend": draw(st.sampled_from(["hann", "linear", "flat", "crop"])),
        "tta": draw(st.sampled_from(["none", "flips", "d4"])),
        "batch_size": draw(st.integers(1, 5)),
        "seed": draw(st.integers(0, 999)),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def bundle(make_bundle: Any) -> Bundle:
    """Of three bands that are seen as they are, and three classes."""
    statistics = BandStatistics(mean=0, sd=1, median=0, spread=1, low=0, high=1)
    made: Bundle = make_bundle(bands=3)
    scaling = Scaling(bands=(BandScaling.of("none", statistics),) * 3)
    return replace(made, scaling=scaling, card=made.card.model_copy(update={"reading": DataOptions(nodata=NODATA)}))


def predicted(bundle: Bundle, network: nn.Module, path: Path, cut: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class indices (height, width) and probabilities (classes, height, width) of an image."""
    options = PredictionOptions(precision="float32", engine="torch", **{key: cut[key] for key in ("overlap", "blend", "tta", "batch_size")})
    model = replace(bundle, network=network, card=bundle.card.model_copy(update={"window": cut["window"]}))
    predictor = Predictor.of(model, "cpu", options)
    rows = list(finished_rows([predictor.job(open_raster(path, model.card.reading))], predictor, lambda _: None))
    return np.concatenate([each.indices for each in rows]), np.concatenate([each.blended.probabilities() for each in rows], axis=1)


def drawn(cut: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_], np.random.Generator]:
    """Classes, and where there is no data."""
    rng = np.random.default_rng(cut["seed"])
    return rng.integers(0, 3, cut["shape"], np.uint8), rng.random(cut["shape"]) < rng.choice([0, 0.3]), rng


def saved(folder: Path, values: NDArray[np.floating], hole: NDArray[np.bool_]) -> Path:
    np.save(folder / "image.npy", np.where(hole, NODATA, values).astype(np.float32))
    return folder / "image.npy"


@settings(max_examples=40, deadline=None)
@given(cut=cuts())
def test_a_network_that_gives_back_its_image_gives_back_its_classes(folder: Path, bundle: Bundle, cut: dict[str, Any]) -> None:
    classes, hole, _ = drawn(cut)
    certain = np.arange(3)[:, None, None] == classes
    indices, probabilities = predicted(bundle, nn.Identity(), saved(folder, certain * CERTAIN, hole), cut)
    assert np.array_equal(indices, np.where(hole, IGNORE, classes))
    assert np.array_equal(probabilities, np.where(certain & ~hole, PROBABILITY_ONE, 0))


@settings(max_examples=40, deadline=None)
@given(cut=cuts())
def test_a_network_that_gives_back_its_image_gives_back_its_probabilities(folder: Path, bundle: Bundle, cut: dict[str, Any]) -> None:
    """To the last step of their quantisation, for the last digit of a softmax is that of its shape."""
    _, hole, rng = drawn(cut)
    logits = rng.normal(0, 2, (3, *cut["shape"])).astype(np.float32)
    expected = torch.from_numpy(logits).double().softmax(0).numpy() * PROBABILITY_ONE
    _, probabilities = predicted(bundle, nn.Identity(), saved(folder, logits, hole), cut)
    assert np.abs(probabilities - np.where(hole, 0, expected)).max() < 0.55
    assert (probabilities[:, hole] == 0).all()


@settings(max_examples=40, deadline=None)
@given(cut=cuts(), logits=st.lists(st.floats(-6, 6, width=32), min_size=3, max_size=3))
def test_a_network_that_always_says_the_same_makes_a_map_of_one_class(
    folder: Path, bundle: Bundle, cut: dict[str, Any], logits: list[float]
) -> None:
    values, hole, _ = drawn(cut)
    indices, probabilities = predicted(bundle, Constant(logits), saved(folder, np.stack([values] * 3), hole), cut)
    shares = torch.tensor(logits).double().softmax(0).numpy() * PROBABILITY_ONE
    assert len(np.unique(indices[~hole])) <= 1
    assert np.array_equal(indices == IGNORE, hole)
    for share, found in zip(shares, probabilities, strict=True):
        assert len(np.unique(found[~hole])) <= 1
        assert np.abs(found[~hole] - share).max(initial=0) < 0.55
        assert (found[hole] == 0).all()
