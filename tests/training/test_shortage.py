"""A training that runs out of memory says which settings to lower, and leaves what it had."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from terrazzo.errors import EnvironmentFault
from terrazzo.progress import Silent
from terrazzo.training.checkpoint import load_checkpoint
from terrazzo.training.fit import LAST, Trainer
from terrazzo.training.metrics import MetricsLog
from terrazzo.training.options import TrainingOptions
from terrazzo.training.shortage import telling_what_to_lower

CPU = torch.device("cpu")
LIMITED = """
import resource
import torch
from terrazzo.models.network import Runtime, build_network
from terrazzo.models.options import ModelOptions
from terrazzo.training.options import TrainingOptions
from terrazzo.training.shortage import telling_what_to_lower

runtime = Runtime(device=torch.device("cpu"), precision="float32")
network = runtime.place(build_network(ModelOptions(filters=8, depth=2), 3, 2))

def step(batch):
    images = torch.ones(batch, 3, 192, 256).contiguous(memory_format=torch.channels_last)
    runtime.logits(network, images).sum().backward()

step(1)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
step(1)
with telling_what_to_lower(TrainingOptions(batch_size=64), (192, 256), runtime.device):
    step(64)
"""
"""Learns from a batch for which there is room, and from one for which there is none."""


def sentence(**options: int) -> str:
    with pytest.raises(EnvironmentFault) as caught, telling_what_to_lower(TrainingOptions(**options), (96, 128), CPU):
        raise MemoryError
    return str(caught.value)


def test_half_the_batch_and_twice_as_many_learn_from_as_many_samples() -> None:
    assert sentence(batch_size=8) == (
        "out of memory on the machine with batches of 8, windows of 96 x 128 pixels. Set training.batch_size = 4 and "
        "training.accumulate = 2, which learns from as many samples a step, or lower samples.size or the network (model.filters, or a "
        "smaller model.encoder)."
    )


@pytest.mark.parametrize(
    ("batch", "accumulate", "words"), [(6, 2, "3 and training.accumulate = 4,"), (7, 1, "1 and training.accumulate = 7,")]
)
def test_the_samples_of_a_step_stay(batch: int, accumulate: int, words: str) -> None:
    assert words in sentence(batch_size=batch, accumulate=accumulate)


def test_of_a_single_sample_the_window_or_the_network_is_too_large() -> None:
    assert "single samples" in sentence(batch_size=1, accumulate=4)
    assert "pixels. Lower samples.size or the network" in sentence(batch_size=1, accumulate=4)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes$"), telling_what_to_lower(TrainingOptions(), (9, 9), CPU):
        raise RuntimeError("shapes")


@pytest.mark.parametrize("place", ["_gradient", "_score"])
def test_the_checkpoint_before_it_stays(make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Met in a step or in an evaluation of the second epoch."""
    original = getattr(Trainer, place)

    def short(trainer: Trainer, *args: Any) -> Any:
        if trainer.state.epoch == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return original(trainer, *args)

    monkeypatch.setattr(Trainer, place, short)
    with pytest.raises(EnvironmentFault, match=r"training\.batch_size = 2 and training\.accumulate = 2"):
        make_trainer(epochs=2).fit(tmp_path, MetricsLog(tmp_path / "metrics.jsonl"), Silent())
    assert load_checkpoint(tmp_path / LAST, CPU).state.epoch == 1


def test_a_network_that_asks_for_too_much(make_trainer: Any, tmp_path: Path) -> None:
    def greedy(logits: Tensor, target: Tensor) -> Tensor:
        return logits.sum() + torch.empty(2**55).sum()

    with pytest.raises(EnvironmentFault, match=r"^out of memory on the machine with batches of 4, windows of 16 x 16 pixels"):
        make_trainer(loss=greedy).fit(tmp_path, MetricsLog(tmp_path / "metrics.jsonl"), Silent())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the address space cannot be limited")
def test_a_real_shortage() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "terrazzo.errors.EnvironmentFault: out of memory on the machine with batches of 64, windows of 192 x 256 pixels."
    )
