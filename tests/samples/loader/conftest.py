"""A scene of which every pixel tells where it lies, and samples of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrazzo.labels.legend import IGNORE, Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions, WindowRule
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import measure
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

Prepare = Callable[..., Preparation]
LEGEND = Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(value, 0, 0)) for value in range(4)))
STILL = AugmentOptions(hflip=False, vflip=False, quarter_turns=False)


@pytest.fixture
def prepare(tmp_path: Path, write_image: Any, rng: np.random.Generator) -> Callable[..., Preparation]:
    """A scene of two bands: the first is unlike at every pixel, the second is its label, in blotches of 0 and 3."""

    def make(shape: Shape = (40, 56), size: Shape = (16, 16), rule: WindowRule = "listed", **options: Any) -> Preparation:
        blotches = rng.integers(0, 2, (-(-shape[0] // 5), -(-shape[1] // 5))) * 3
        labels = np.kron(blotches, np.ones((5, 5)))[: shape[0], : shape[1]].astype(np.uint8)
        labels[0, 0] = IGNORE
        values = np.stack([np.arange(labels.size, dtype=np.float32).reshape(shape), labels])
        values[:, -1, -1] = np.nan
        scene = Scene(name="a", image=write_image(tmp_path / "a.tif", values), label=write_image(tmp_path / "a.png", labels))
        store = SceneStore([scene], LabelReader(LEGEND, DataOptions()))
        everything = store.image("a", whole(shape))
        scaling = measure([(everything, everything.valid)], "none", everything.valid.size)
        placer = Placer(source=store, size=size, seed=7, rule=rule)
        made = Preparation(store=store, scaling=scaling, size=size, seed=7, augment=STILL, placer=placer)
        return replace(made, **options)

    return make


@pytest.fixture
def samples() -> list[Sample]:
    """Overlapping windows of the scene."""
    shape, side = (40, 56), 16
    return [
        Sample(id=number, scene="a", window=Window(col_off=column, row_off=row, width=side, height=side))
        for number, (row, column) in enumerate(
            (row, column) for row in range(0, shape[0] - side + 1, 8) for column in range(0, shape[1] - side + 1, 8)
        )
    ]


@pytest.fixture
def shown(samples: list[Sample]) -> list[Drawn]:
    """An epoch that shows every sample once, in the order of their ids."""
    return [Drawn(sample=sample) for sample in samples]
