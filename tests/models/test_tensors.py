"""Tensors come back bit for bit, and a disk that fails costs nothing that was there."""

import errno
import math
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from terrazzo.errors import EnvironmentFault
from terrazzo.models import tensors
from terrazzo.models.tensors import write_tensors

SmallDisk = Callable[[int], Path]

SOME = {
    "scalar": torch.tensor(7),
    "empty": torch.zeros(0, 3),
    "nan": torch.tensor([math.nan, math.inf, -0.0]),
    "half": torch.arange(6).to(torch.bfloat16).reshape(2, 3).T,
    "channels last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
}
LARGE = {"a": torch.arange(100_000.0)}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(tensors._same(one[name].contiguous(), other[name].contiguous()) for name in one)


def test_round_trip(tmp_path: Path) -> None:
    write_tensors(tmp_path / "new" / "a.safetensors", SOME, {"state": "x"})
    assert same(load_file(tmp_path / "new" / "a.safetensors"), SOME)
    with safe_open(tmp_path / "new" / "a.safetensors", framework="pt") as file:
        assert file.metadata() == {"state": "x"}


def test_layout_does_not_matter(tmp_path: Path) -> None:
    for name, layout in (("a", torch.contiguous_format), ("b", torch.channels_last)):
        write_tensors(tmp_path / name, {"w": torch.arange(120.0).reshape(2, 3, 4, 5).to(memory_format=layout)})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
def test_others_may_read_it_as_any_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", SOME)
    (tmp_path / "b").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_file_that_may_not_grow_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, SOME)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(EnvironmentFault, match=f"{path} cannot be written: File too large") as caught:
            write_tensors(path, LARGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.exit_code == 5
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_fault_of_the_environment(small_disk: SmallDisk) -> None:
    folder = small_disk(256)
    path = folder / "a.safetensors"
    write_tensors(path, SOME)
    before = path.read_bytes()
    with pytest.raises(EnvironmentFault, match=os.strerror(errno.ENOSPC)):
        write_tensors(path, LARGE)
    assert path.read_bytes() == before
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["cut", "changed", "no header"])
def test_a_disk_that_forgets_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, LARGE)
    before = path.read_bytes()

    def forgetting(given: dict[str, Tensor], temporary: Path, metadata: dict[str, str] | None) -> None:
        save_file(given, temporary, metadata)
        data = bytearray(temporary.read_bytes())
        if damage == "changed":
            data[-4096:] = bytes(4096)
        temporary.write_bytes(data[:-4096] if damage == "cut" else data if damage == "changed" else bytes(len(data)))

    monkeypatch.setattr(tensors, "save_file", forgetting)
    with pytest.raises(EnvironmentFault, match="what is read back is not what was written"):
        write_tensors(path, {"a": LARGE["a"] + 1})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
