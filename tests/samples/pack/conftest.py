"""Two small sets to pack: scenes of odd sizes with holes and touching objects, one of them on the ground."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.index import build_index
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.pack.frame import Codec, Form
from terrazzo.samples.pack.manifest import Manifest
from terrazzo.samples.pack.plan import Content, plan_shards
from terrazzo.samples.pack.write import write_store
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

LEGEND = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=3, name="yes", color=(255, 0, 0))))
DATA = DataOptions()

MakeContent = Callable[..., Content]
Pack = Callable[..., Manifest]


@pytest.fixture
def content(tmp_path: Path, write_image: Any, rng: np.random.Generator) -> MakeContent:
    """Two images of 2 bands, 29 x 34 and 13 x 9 pixels, cut into windows of 10 that overlap; every third window is for validation."""

    def make(codec: Codec = "zstd", dtype: str = "int16", origin: str = "{}") -> Content:
        scenes = []
        for name, shape, place in (("a", (29, 34), (500_000.0, 5_000_000.0)), ("f/b", (13, 9), (600_000.0, 5_000_000.0))):
            values = rng.integers(1, 100, (2, *shape)).astype(dtype)
            values[:, 3:5, 2:8] = 0
            values[1, 7, 1:4] = 0
            labels = np.where(values[0] > 50, 3, 0).astype(np.uint8)
            labels[9, 3:6] = 255
            image = write_image(tmp_path / f"images/{name}.tif", values, nodata=0, origin=place)
            scenes.append(Scene(name=name, image=image, label=write_image(tmp_path / f"labels/{name}.png", labels)))
        reader = LabelReader(LEGEND, DATA)
        samples = build_index(check_scenes(scenes, DATA), reader, SamplesOptions(size=10, overlap=0.3), Silent())
        parts = np.where(np.arange(len(samples)) % 3 == 1, "validation", "train").astype(object)
        return Content(
            samples=replace(samples, frame=samples.frame.assign(split=parts)),
            source=SceneStore(scenes, reader),
            form=Form(bands=2, dtype=np.dtype(dtype), codec=codec),
            band_names=("red", None),
            nodata=(0.0, 0.0),
            reading=DATA,
            instances=False,
            origin=origin,
        )

    return make


@pytest.fixture
def pack() -> Pack:
    """Packs a content into a folder."""

    def write(content: Content, folder: Path, each: int | None = 5) -> Manifest:
        return write_store(content, plan_shards(content, each), folder, Silent(), 2)

    return write
