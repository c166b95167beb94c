"""The plan: what is fetched to where, what is there, what is in the way."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from terrazzo.errors import ConflictError, DataError, EnvironmentFault
from terrazzo.rasters.download.plan import check_room, make_plan, size_words
from terrazzo.rasters.download.sources import RemoteFile

MakeFile = Callable[..., RemoteFile]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_what_is_there_is_kept(remote_file: MakeFile, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"same")
    (tmp_path / "b.bin").write_bytes(b"size")
    files = [remote_file(b"same", "a.bin"), remote_file(b"SIZE", "b.bin", checksum=None), remote_file(b"new", "c/d.bin")]
    plan = make_plan(files, tmp_path)
    assert [job.target.name for job in plan.kept] == ["a.bin", "b.bin"]
    assert [job.target for job in plan.todo] == [tmp_path / "c" / "d.bin"]
    assert plan.bytes_left == 3


def test_other_files_are_in_the_way(remote_file: MakeFile, tmp_path: Path) -> None:
    (tmp_path / "size.bin").write_bytes(b"other size")
    (tmp_path / "bytes.bin").write_bytes(b"SAME")
    (tmp_path / "folder.bin").mkdir()
    (tmp_path / "dangling.bin").symlink_to(tmp_path / "nowhere")
    names = ["size.bin", "bytes.bin", "folder.bin", "dangling.bin", "fine.bin"]
    with pytest.raises(ConflictError) as caught:
        make_plan([remote_file(b"same", name) for name in names], tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("4 of 5 files cannot be put where they belong")
    assert [word in line for word, line in zip(("10 bytes", "sha256 is not", "no file", "no file"), lines[1:5], strict=True)] == [True] * 4
    assert (tmp_path / "bytes.bin").read_bytes() == b"SAME"


def test_a_link_of_the_folder_that_leads_out(remote_file: MakeFile, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dir").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConflictError, match="outside of"):
        make_plan([remote_file(b"x", "dir/a.bin")], tmp_path / "out")


def test_names_that_leave_the_folder_are_told_all_at_once(remote_file: MakeFile, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 names cannot be used") as caught:
        make_plan([remote_file(b"x", name) for name in ("../a", "/b", "c", "d/../e")], tmp_path)
    assert len(str(caught.value).splitlines()) == 4


def test_several_sources_of_one_place(remote_file: MakeFile, tmp_path: Path) -> None:
    files = [
        RemoteFile(address=f"https://{host}/a.bin", name="a.bin", size=1, state=None, source=remote_file(b"x").source) for host in "xyx"
    ]
    with pytest.raises(DataError, match=r"a.bin would be written from several sources"):
        make_plan(files, tmp_path)
    # the same address twice is one file
    assert len(make_plan([files[0], files[2]], tmp_path).todo) == 1


def test_a_disk_that_is_too_small(remote_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan([remote_file(b"x" * 10, size=3 * 10**9)], tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 2 * 10**9))
    with pytest.raises(EnvironmentFault, match="has 2 GB free, and 3 GB are to be fetched"):
        check_room(plan, tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 0, 4 * 10**9))
    check_room(plan, tmp_path)


def test_a_file_of_which_nothing_is_known_is_kept_with_a_warning(
    remote_file: MakeFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.bin").write_bytes(b"anything")
    unknown: dict[str, Any] = {"size": None, "checksum": None, "parts": False}
    assert make_plan([remote_file(b"x", "a.bin", **unknown)], tmp_path).kept
    assert "neither size nor checksum" in caplog.text


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_234_000, "1.23 MB"), (244_000_000, "244 MB"), (5e12, "5 TB")],
)
def test_sizes_in_words(count: float, words: str) -> None:
    assert size_words(count) == words
