"""Checkpoints come back as they were, whole or not at all, and are never unpickled."""

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from terrazzo.errors import EnvironmentFault, ModelError
from terrazzo.models import tensors
from terrazzo.training.checkpoint import Checkpoint, TrainingState, load_checkpoint, load_means, save_checkpoint
from terrazzo.training.means import Means

CPU = torch.device("cpu")
STATE = TrainingState(
    epoch=3,
    step=21,
    batch=4,
    samples=15,
    loss_sum=0.1 + 0.7,
    seconds=2.5,
    best_score=0.1 + 0.2,
    best_epoch=2,
    without_gain=1,
    gain_score=0.1 + 0.1,
    since_drop=1,
    drops=2,
)
MEANS = Means(device="cpu", precision="bfloat16", threads=3, torch="2.15.0")


def some_tensors() -> dict[str, torch.Tensor]:
    numbers = torch.Generator().manual_seed(0)
    return {
        "network.weight": torch.randn(4, 3, 3, 3, generator=numbers).to(memory_format=torch.channels_last),
        "network.count": torch.tensor(7),
        "optimizer.0.step": torch.tensor(21.0),
        "average.weight": torch.randn(3, 4, generator=numbers).T,
    }


@pytest.mark.parametrize("state", [STATE, TrainingState.start()])
def test_round_trip(tmp_path: Path, state: TrainingState) -> None:
    given = some_tensors()
    save_checkpoint(tmp_path / "new" / "last.safetensors", Checkpoint(state=state, means=MEANS, tensors=given))
    found = load_checkpoint(tmp_path / "new" / "last.safetensors", CPU)
    assert (found.state, found.means) == (state, MEANS)
    assert load_means(tmp_path / "new" / "last.safetensors") == MEANS
    assert found.tensors.keys() == given.keys()
    assert all(torch.equal(found.tensors[name], tensor) and found.tensors[name].dtype == tensor.dtype for name, tensor in given.items())


def test_killed_while_writing_the_previous_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint(path, Checkpoint(state=STATE, means=MEANS, tensors=some_tensors()))
    before = path.read_bytes()

    def half(_: object, temporary: Path, __: object) -> None:
        temporary.write_bytes(before[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(tensors, "save_file", half)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, Checkpoint(state=STATE, means=MEANS, tensors={}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_fault_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensors, "save_file", full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        save_checkpoint(tmp_path / "last.safetensors", Checkpoint(state=STATE, means=MEANS, tensors={}))
    assert list(tmp_path.iterdir()) == []


class Trap:
    """Whoever unpickles it is caught."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def broken(path: Path, kind: str) -> None:
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif kind == "torch":
        torch.save({"state": Trap()}, path)
    elif kind == "cut":
        save_checkpoint(path, Checkpoint(state=STATE, means=MEANS, tensors=some_tensors()))
        path.write_bytes(path.read_bytes()[:-20])
    elif kind == "weights":
        save_file({"a": torch.zeros(2)}, path)
    elif kind == "other state":
        save_file({"a": torch.zeros(2)}, path, {"training": json.dumps({"state": {"epoch": 1}, "means": asdict(MEANS)})})
    else:
        path.write_bytes(b"" if kind == "empty" else b"\x00" * 1000)


@pytest.mark.parametrize("kind", ["pickle", "torch", "cut", "weights", "other state", "empty", "zeros"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "last.safetensors"
    broken(path, kind)
    with pytest.raises(ModelError, match=r"last\.safetensors is not a checkpoint of Terrazzo") as caught:
        load_checkpoint(path, CPU)
    assert caught.value.exit_code == 4
    if kind != "other state":
        with pytest.raises(ModelError, match="is not a checkpoint"):
            load_means(path)
