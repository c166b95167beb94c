"""Parts of files: cut, journalled, taken up again, and never mistaken for the whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.rasters.download import part as part_module
from terrazzo.rasters.download.part import Part
from terrazzo.rasters.download.sources import RemoteFile

MakeFile = Callable[..., RemoteFile]
BODY = bytes(range(250)) * 400


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "SEGMENT_BYTES", 30_000)


def fetch(part: Part, stop_at: int | None = None) -> None:
    """Write what a source would give, up to a position."""
    for segment in part.segments:
        assert segment.stop is not None
        stop = segment.stop if stop_at is None else max(min(segment.stop, stop_at), segment.done)
        part.write(segment, BODY[segment.done : stop])


def test_a_file_comes_into_being_whole(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY), target=tmp_path / "dir" / "a.bin")
    part.open(connections=3)
    assert [(segment.start, segment.stop) for segment in part.segments] == [(0, 33_333), (33_333, 66_666), (66_666, 100_000)]
    fetch(part)
    assert not part.target.exists()
    part.finish()
    assert part.target.read_bytes() == BODY
    assert [path.name for path in part.target.parent.iterdir()] == ["a.bin"]


@given(size=st.integers(0, 10**6), connections=st.integers(1, 20))
def test_segments_cover_a_file(size: int, connections: int) -> None:
    file = RemoteFile(address="https://h/a", name="a", size=size, state=None, source=None)  # type: ignore[arg-type]
    segments = Part(file=file, target=Path("a"))._cut(connections)
    assert 1 <= len(segments) <= connections
    assert [segment.start for segment in segments] == [0, *[segment.stop for segment in segments[:-1]]]
    assert segments[-1].stop == size
    assert all(segment.stop is not None and segment.start < segment.stop for segment in segments) or size == 0


def test_what_was_broken_off_goes_on(remote_file: MakeFile, tmp_path: Path) -> None:
    file, target = remote_file(BODY), tmp_path / "a.bin"
    first = Part(file=file, target=target)
    first.open(2)
    fetch(first, stop_at=60_000)
    first.save()
    first.close()
    again = Part(file=file, target=target)
    assert again.bytes_kept() == 60_000
    # the connections of the first run count
    again.open(7)
    assert [segment.done for segment in again.segments] == [50_000, 60_000]
    assert again.left == 1
    fetch(again)
    again.finish()
    assert target.read_bytes() == BODY


def test_a_journal_lags_behind_but_never_runs_ahead(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part, stop_at=40_000)
    part.save()
    fetch(part, stop_at=70_000)
    part.close()
    assert Part(file=part.file, target=part.target).bytes_kept() == 40_000


@pytest.mark.parametrize("change", ["size", "state", "bytes", "journal", "segments", "numbers"])
def test_what_does_not_fit_is_begun_anew(change: str, remote_file: MakeFile, tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    part = Part(file=remote_file(BODY), target=target)
    part.open(1)
    fetch(part, stop_at=40_000)
    part.save()
    part.close()
    journal = part._journal
    facts = json.loads(journal.read_text())
    if change == "bytes":
        part._path.write_bytes(b"short")
    elif change == "journal":
        journal.write_text("{")
    elif change == "segments":
        journal.write_text(json.dumps({**facts, "segments": [[0, 10, 50], [60, 70, 100_000]]}))
    elif change == "numbers":
        journal.write_text(json.dumps({**facts, "segments": [[0, 200_000, 100_000]]}))
    other = {"size": remote_file(BODY + b"!"), "state": remote_file(BODY, state='"two"')}.get(change, part.file)
    again = Part(file=other, target=target)
    assert again.bytes_kept() == 0
    again.open(1)
    assert [segment.done for segment in again.segments] == [0]
    again.discard()


@pytest.mark.parametrize("same", [True, False])
def test_without_a_state_what_is_there_is_compared(same: bool, remote_file: MakeFile, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    unknown: dict[str, Any] = {"state": None, "checksum": None}
    part = Part(file=remote_file(BODY, **unknown), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part, stop_at=90_000)
    part.save()
    part.close()
    again = Part(file=part.file, target=part.target)
    again.open(1)
    (segment,) = again.segments
    assert segment.done == 90_000 - part_module.OVERLAP_BYTES
    if same:
        fetch(again)
        again.finish()
        assert again.target.read_bytes() == BODY
        return
    with pytest.raises(EnvironmentFault, match="was changed on the server since an earlier run"):
        again.write(segment, b"other bytes")
    assert again.spoiled
    again.discard()


def test_a_short_run_needs_no_journal(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part, stop_at=90_000)
    assert not part._journal.exists()
    part.save()
    assert part._journal.exists()
    part.discard()
    part._journal.write_text("left over")
    part.tidy()
    assert not list(tmp_path.iterdir())


def test_a_journal_without_its_part_is_not_believed(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part, stop_at=90_000)
    part.save()
    part.close()
    part._path.unlink()
    again = Part(file=part.file, target=part.target)
    again.open(1)
    assert [segment.done for segment in again.segments] == [0]
    # stopped right here, the new and empty part must not be taken for the old one
    again.close()
    assert Part(file=part.file, target=part.target).bytes_kept() == 0


def test_a_wrong_checksum(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY[:-1] + b"!", size=len(BODY)), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part)
    with pytest.raises(EnvironmentFault, match="came with the wrong sha256: not what the catalogue says"):
        part.finish()
    assert not list(tmp_path.iterdir())


def test_a_file_that_comes_into_being_meanwhile_is_not_overwritten(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY), target=tmp_path / "a.bin")
    part.open(1)
    fetch(part)
    part.target.write_bytes(b"mine")
    with pytest.raises(ConflictError, match="not overwritten"):
        part.finish()
    assert part.target.read_bytes() == b"mine"


def test_two_at_once(remote_file: MakeFile, tmp_path: Path) -> None:
    one, other = (Part(file=remote_file(BODY), target=tmp_path / "a.bin") for _ in range(2))
    one.open(1)
    with pytest.raises(ConflictError, match="by another process"):
        other.open(1)
    one.close()
    other.open(1)
    other.discard()


def test_a_file_of_unknown_size(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(BODY, size=None, parts=False), target=tmp_path / "a.bin")
    part.open(4)
    (segment,) = part.segments
    part.write(segment, BODY[:70_000])
    part.restart(segment)
    part.write(segment, BODY)
    part.finish()
    assert part.target.read_bytes() == BODY


def test_an_empty_file(remote_file: MakeFile, tmp_path: Path) -> None:
    part = Part(file=remote_file(b""), target=tmp_path / "a.bin")
    part.open(4)
    assert part.left == 0
    part.finish()
    assert part.target.read_bytes() == b""


@pytest.mark.parametrize("letter", ["x", "\u00fc"])
def test_the_longest_names(letter: str, remote_file: MakeFile, tmp_path: Path) -> None:
    name = letter * (255 // len(letter.encode()))
    part = Part(file=remote_file(BODY), target=tmp_path / name)
    part.open(1)
    fetch(part)
    part.finish()
    assert [path.name for path in tmp_path.iterdir()] == [name]
