"""Many small files, each whole or not there."""

import os
from pathlib import Path

import pytest

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.chips.batch import FileBatch


def test_files_appear_together(tmp_path: Path) -> None:
    with FileBatch() as batch:
        batch.add(tmp_path / "a" / "one.tif", b"1")
        batch.add(tmp_path / "two.tif", b"22")
        assert not (tmp_path / "a" / "one.tif").exists()
    assert (tmp_path / "a" / "one.tif").read_bytes() == b"1"
    assert (tmp_path / "two.tif").read_bytes() == b"22"
    assert not list(tmp_path.rglob(".*"))


def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path) -> None:
    (tmp_path / "one.tif").write_bytes(b"before")

    def fail() -> None:
        with FileBatch() as batch:
            batch.add(tmp_path / "one.tif", b"1")
            batch.add(tmp_path / "two.tif", b"2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["one.tif"]
    assert (tmp_path / "one.tif").read_bytes() == b"before"


@pytest.mark.parametrize("step", ["fsync", "posix_fadvise"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)

    def write() -> None:
        with FileBatch() as batch:
            batch.add(tmp_path / "one.tif", b"1")

    with pytest.raises(EnvironmentFault, match=r"one\.tif cannot be written: No space left on device"):
        write()
    assert not list(tmp_path.iterdir())
