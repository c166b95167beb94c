"""A tiny thing to learn: two scenes of 40 x 40 pixels, two classes, a network of a few hundred weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.models.network import build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import cover, whole
from terrazzo.samples.draw.contents import Contents
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions, DrawOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import measure
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore
from terrazzo.training.fit import Task, Trainer
from terrazzo.training.losses.total import Loss, build_loss
from terrazzo.training.options import TrainingOptions

LEGEND = Legend(classes=(LegendClass(value=0, name="no", color=(0, 0, 0)), LegendClass(value=1, name="yes", color=(255, 0, 0))))
MODEL = ModelOptions(filters=4, depth=2)

MakeTrainer = Callable[..., Trainer]


@pytest.fixture(scope="session")
def torch_is_ready() -> None:
    """The first optimiser of a process imports torch's compiler, which takes seconds."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


@pytest.fixture
def task(tmp_path: Path, torch_is_ready: None) -> Task:
    rng = np.random.default_rng(0)
    scenes = []
    for name in ("a", "b"):
        truth = np.kron(rng.integers(0, 2, (5, 5)), np.ones((8, 8))).astype(np.uint8)
        np.save(tmp_path / f"{name}.npy", (truth + 0.5 * rng.standard_normal((2, 40, 40))).astype(np.float32))
        Image.fromarray(truth).save(tmp_path / f"{name}.png")
        scenes.append(Scene(name=name, image=tmp_path / f"{name}.npy", label=tmp_path / f"{name}.png"))
    store = SceneStore(scenes, LabelReader(LEGEND, DataOptions()))
    pixels = store.image("a", whole((40, 40)))
    windows = [("a", window) for window in cover((40, 40), (16, 16), 0)] + [("b", whole((16, 16)))]
    samples = [Sample(id=number, scene=scene, window=window) for number, (scene, window) in enumerate(windows)]
    preparation = Preparation(
        store=store,
        scaling=measure([(pixels, pixels.valid)], "standard", 1600),
        size=(16, 16),
        seed=0,
        augment=AugmentOptions(),
        placer=Placer(source=store, size=(16, 16), seed=0, rule="jitter"),
    )
    contents = Contents(pixels=np.ones((9, 2), np.int64), objects=np.ones(9, np.int64))
    return Task(draw=Draw(samples[:9], contents, DrawOptions(foreground=0)), validation=samples[9:], preparation=preparation, classes=2)


@pytest.fixture
def make_trainer(task: Task) -> MakeTrainer:
    """A fresh trainer of the task; options as in [training]."""

    def make(task: Task = task, loss: Loss | None = None, model: ModelOptions = MODEL, **options: Any) -> Trainer:
        runtime = choose_runtime("cpu", "float32")
        network = build_network(model, 2, 2, seed=0)
        chosen = TrainingOptions(**{"epochs": 3, "batch_size": 4, **options})
        return Trainer(network, runtime, loss or build_loss(chosen, None, runtime.device), chosen, task)

    return make
