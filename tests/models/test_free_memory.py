"""Free memory is what the system says, within the limit of a container."""

import sys
from pathlib import Path

import pytest
import torch

from terrazzo.models import free_memory
from terrazzo.models.free_memory import free_bytes

CPU = torch.device("cpu")
GIB = 2**30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of which 8 GiB are available, and no group."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemFree: 5 kB\nMemAvailable:   {8 * GIB // 1024} kB\n")
    monkeypatch.setattr(free_memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(free_memory, "GROUPS", tmp_path)
    return tmp_path


def write_group(folder: Path, limit: str, used: int, droppable: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 7\ninactive_file {droppable}\n")


def test_what_is_available(system: Path) -> None:
    assert free_bytes(CPU) == 8 * GIB


def test_a_group_may_allow_less(system: Path) -> None:
    write_group(system, str(4 * GIB), 3 * GIB, GIB // 2)
    assert free_bytes(CPU) == 3 * GIB // 2


@pytest.mark.parametrize("limit", ["max", str(64 * GIB)])
def test_a_group_that_allows_more_does_not_count(system: Path, limit: str) -> None:
    write_group(system, limit, GIB, 0)
    assert free_bytes(CPU) == 8 * GIB


def test_groups_of_the_first_version(system: Path) -> None:
    (system / "memory").mkdir()
    (system / "memory" / "memory.limit_in_bytes").write_text(f"{2 * GIB}\n")
    (system / "memory" / "memory.usage_in_bytes").write_text(f"{3 * GIB}\n")
    (system / "memory" / "memory.stat").write_text("total_inactive_file 0\n")
    assert free_bytes(CPU) == 0
    (system / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert free_bytes(CPU) == 8 * GIB


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may not say")
def test_this_machine_has_some() -> None:
    found = free_bytes(CPU)
    assert found is not None
    assert found > 0
