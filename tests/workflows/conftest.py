"""One tiny trained run, shared by all tests: four georeferenced images of 40 x 48 pixels, two classes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from terrazzo.models.bundle import CARD
from terrazzo.workflows.context import Context, Result, open_context
from terrazzo.workflows.train import train

RECIPE = """
[data]
images = "images/*.tif"
labels = "labels/*.png"

[legend]
classes = ["land", "water"]
values = [0, 7]

[samples]
size = 16
overlap = 0.5

[split]
by = "given"
validation_scenes = ["c"]
test_scenes = ["d"]

[model]
filters = 4
depth = 2

[training]
epochs = 2
batch_size = 8
learning_rate = 1e-2
precision = "float32"

[prediction]
precision = "float32"
"""
SHAPE = (40, 48)


@dataclass(frozen=True, kw_only=True)
class TinyRun:
    """A trained run and what it learned from."""

    folder: Path
    """Holds recipe.toml, images and labels."""
    run: Path
    result: Result

    def context(self, *sets: str) -> Context:
        """The recipe with options over it, for one thread."""
        return tiny_context(self.folder / "recipe.toml", *sets)


def tiny_context(recipe: Path | None = None, *sets: str) -> Context:
    opened = open_context(recipe, sets)
    return Context(recipe=opened.recipe, folder=opened.folder, device="cpu", threads=1)


def write_data(folder: Path) -> Path:
    """Four images of two bands with a hole each, their labels, and the recipe, whose path is returned."""
    rng = np.random.default_rng(5)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number, name in enumerate("abcd"):
        truth = np.kron(rng.integers(0, 2, (5, 6)), np.ones((8, 8))).astype(np.uint8) * 7
        values = np.stack([truth * 10 + rng.normal(0, 8, SHAPE), rng.normal(300, 9, SHAPE)]).round() + 100
        values[:, 2:6, 3:8] = 0
        truth[20, 20] = 255
        place = Affine(2, 0, 500_000 + number * 1000, 0, -2, 5_000_000)
        with rasterio.open(
            folder / "images" / f"{name}.tif",
            "w",
            driver="GTiff",
            count=2,
            height=SHAPE[0],
            width=SHAPE[1],
            dtype="uint16",
            nodata=0,
            crs="EPSG:32633",
            transform=place,
        ) as file:
            file.write(values.astype(np.uint16))
        Image.fromarray(truth).save(folder / "labels" / f"{name}.png")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "recipe.toml"


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    folder = tmp_path_factory.mktemp("tiny")
    recipe = write_data(folder)
    result = train(recipe, folder / "run", context=tiny_context(recipe))
    return TinyRun(folder=folder, run=folder / "run", result=result)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Fresh data of its own, for tests that break something; the path of its recipe."""
    return write_data(tmp_path / "data")


@pytest.fixture
def context_of() -> Callable[..., Context]:
    """A recipe with options over it, for one thread."""
    return tiny_context


@pytest.fixture
def other_model(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """The same weights with another scaling."""
    folder: Path = shutil.copytree(tiny_run.run / "model", tmp_path / "other")
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["scaling"]["bands"][0]["offset"] += 1
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
    return folder
