"""Models with random weights, and images, all built in code."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.models.bundle import Bundle, ModelCard
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.scaling import measure

LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in ((1, "sea"), (4, "sand"), (9, "wood")))
)

MakeBundle = Callable[..., Bundle]
MakePredictor = Callable[..., Predictor]
WriteTiff = Callable[..., Path]


@pytest.fixture(scope="session")
def make_bundle() -> MakeBundle:
    """A model of random weights that is unsure everywhere: its probabilities differ from pixel to pixel."""

    def make(bands: int = 2, window: tuple[int, int] = (16, 16), **model: Any) -> Bundle:
        options = ModelOptions(**{"filters": 4, "depth": 2, **model})
        network = build_network(options, bands, 3, seed=3).eval()
        with torch.no_grad():
            network.head.weight.mul_(60)  # type: ignore[operator, union-attr]
        values = np.random.default_rng(0).normal(50, 20, (bands, 30, 30)).astype(np.float32)
        pixels = Pixels(values=values, valid=np.ones((30, 30), np.bool_), holes=None)
        scaling = measure([(pixels, pixels.valid)], "standard", 900)
        card = ModelCard(
            network=options,
            bands=bands,
            window=window,
            cell_size=None,
            crs=None,
            reading=DataOptions(),
            legend=json.loads(LEGEND.to_json()),
            scaling=asdict(scaling),
            recipe={"prediction": {"precision": "float32"}},
            versions={},
        )
        return Bundle(network=network, card=card, legend=LEGEND, scaling=scaling, identity="abc")

    return make


@pytest.fixture(scope="session")
def make_predictor(make_bundle: MakeBundle) -> MakePredictor:
    def make(bundle: Bundle | None = None, **options: Any) -> Predictor:
        chosen = PredictionOptions(**{"batch_size": 4, "precision": "float32", **options})
        return Predictor.of(bundle or make_bundle(), "cpu", chosen)

    return make


@pytest.fixture
def write_tiff(tmp_path: Path) -> WriteTiff:
    """An image of (height, width) whose values go over land and sea; nodata where asked."""

    def write(
        height: int, width: int, name: str = "image.tif", bands: int = 2, hole: NDArray[np.bool_] | None = None, **profile: Any
    ) -> Path:
        rng = np.random.default_rng(height * 1000 + width)
        values = rng.normal(50, 20, (bands, height, width)).astype(np.float32)
        if hole is not None:
            values[:, hole] = -9999
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = {"driver": "GTiff", "dtype": "float32", "count": bands, "height": height, "width": width, "nodata": -9999, **profile}
        with rasterio.open(path, "w", **settings) as dataset:
            dataset.write(values)
        return path

    return write
