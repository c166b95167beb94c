"""Transfers: patient with faults that pass, clear about those that stay, and able to stop anywhere."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.progress import Advance, Silent
from terrazzo.rasters.download import part as part_module
from terrazzo.rasters.download.part import Part
from terrazzo.rasters.download.plan import Job, make_plan
from terrazzo.rasters.download.sources import Checksum, Interruption, RemoteFile
from terrazzo.rasters.download.transfer import GIVE_UP_AFTER, Patience, Transfer

MakeFile = Callable[..., RemoteFile]
QUICK = Patience(tries=3, wait_s=0.001)
BODY = np.random.default_rng(1).bytes(1_000_003)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "SEGMENT_BYTES", 200_000)


def jobs_of(files: list[RemoteFile], out: Path) -> tuple[Job, ...]:
    return make_plan(files, out).todo


def test_many_files_over_several_connections(remote_file: MakeFile, tmp_path: Path) -> None:
    files = [remote_file(BODY[:size], f"{size}/a.bin") for size in (0, 1, 999, 1000, 200_000, 200_001, 999_999, len(BODY))]
    jobs = jobs_of(files, tmp_path)
    assert Transfer(4, QUICK).run(jobs, Silent()) == {}
    for job in jobs:
        assert job.target.read_bytes() == BODY[: job.file.size]
    assert not list(tmp_path.rglob(".*"))


def test_several_connections_share_a_large_file(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=10)
    source = memory(body=BODY, before=lambda position: together.wait() if position % 250_000 < 5 else None)
    jobs = jobs_of([remote_file(BODY, source=source)], tmp_path)
    assert Transfer(4, QUICK).run(jobs, Silent()) == {}
    assert len(source.ranges) == 4


@given(faults=st.lists(st.integers(0, len(BODY) - 1), max_size=6), connections=st.integers(1, 5))
@settings(max_examples=25)
def test_faults_that_pass_change_nothing(faults: list[int], connections: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out")
    left = list(faults)
    lock = threading.Lock()

    class Shaky:
        def read(self, start: int, stop: int | None) -> Iterator[bytes]:
            assert stop is not None
            for position in range(start, stop, 70_000):
                with lock:
                    hit = next((fault for fault in left if position <= fault < position + 70_000), None)
                    if hit is not None:
                        left.remove(hit)
                if hit is not None:
                    yield BODY[position : min(hit, stop)]
                    raise Interruption("cut")
                yield BODY[position : min(position + 70_000, stop)]

    checksum = Checksum(algorithm="sha256", digits=hashlib.sha256(BODY).hexdigest(), said_by="us")
    file = RemoteFile(address="https://h/a", name="a", size=len(BODY), state="1", source=Shaky(), checksum=checksum)  # type: ignore[arg-type]
    assert Transfer(connections, Patience(tries=8, wait_s=0)).run(jobs_of([file], out), Silent()) == {}
    assert (out / "a").read_bytes() == BODY


def test_faults_that_stay_leave_a_part_to_go_on_from(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def down(position: int) -> None:
        if position > 500_000:
            raise Interruption("the connection was cut")

    good = remote_file(b"good", "good.bin")
    bad = remote_file(BODY, "bad.bin", source=memory(body=BODY, before=down))
    failures = Transfer(1, QUICK).run(jobs_of([bad, good], tmp_path), Silent())
    assert list(failures) == [tmp_path / "bad.bin"]
    assert isinstance(failures[tmp_path / "bad.bin"], EnvironmentFault)
    assert "could not be fetched: the connection was cut" in str(failures[tmp_path / "bad.bin"])
    assert (tmp_path / "good.bin").read_bytes() == b"good"
    assert not (tmp_path / "bad.bin").exists()
    whole = remote_file(BODY, "bad.bin")
    kept = Part(file=whole, target=tmp_path / "bad.bin").bytes_kept()
    assert 400_000 < kept < len(BODY)
    assert Transfer(1, QUICK).run(jobs_of([whole], tmp_path), Silent()) == {}
    assert (tmp_path / "bad.bin").read_bytes() == BODY
    # what was there is not fetched again
    assert sum(stop - start for start, stop in whole.source.ranges) == len(BODY) - kept  # type: ignore[attr-defined]


def test_a_server_without_parts_begins_anew(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    cuts = [Interruption("cut"), Interruption("cut")]

    def shaky(position: int) -> None:
        if position > 500_000 and cuts:
            raise cuts.pop()

    source = memory(body=BODY, before=shaky)
    file = remote_file(BODY, source=source, parts=False)
    assert Transfer(4, QUICK).run(jobs_of([file], tmp_path), Silent()) == {}
    assert source.ranges == [(0, len(BODY))] * 3
    assert (tmp_path / file.name).read_bytes() == BODY


def test_a_server_without_parts_that_is_always_cut_is_given_up(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def cut(position: int) -> None:
        if position > 500_000:
            raise Interruption("cut")

    source = memory(body=BODY, before=cut)
    failures = Transfer(1, QUICK).run(jobs_of([remote_file(BODY, source=source, parts=False)], tmp_path), Silent())
    assert len(failures) == 1
    assert len(source.ranges) == QUICK.tries


def test_what_is_refused_is_not_asked_again(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def refuse(_: int) -> None:
        raise DataError("gone")

    source = memory(body=BODY, before=refuse)
    failures = Transfer(1, QUICK).run(jobs_of([remote_file(BODY, source=source)], tmp_path), Silent())
    assert [str(error) for error in failures.values()] == ["gone"]
    assert len(source.ranges) == 1


def test_after_many_faults_the_rest_is_not_tried(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def down(_: int) -> None:
        raise Interruption("no network")

    sources = [memory(body=b"x", before=down) for _ in range(GIVE_UP_AFTER + 20)]
    files = [remote_file(b"x", f"{number}.bin", source=source) for number, source in enumerate(sources)]
    failures = Transfer(2, QUICK).run(jobs_of(files, tmp_path), Silent())
    assert len(failures) == len(files)
    assert not any(source.ranges for source in sources[GIVE_UP_AFTER + 5 :])
    assert "was not tried" in str(failures[tmp_path / f"{len(files) - 1}.bin"])


def test_a_part_of_another_state_is_removed(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def down(position: int) -> None:
        if position > 500_000:
            raise DataError("gone for now")

    unknown: dict[str, Any] = {"state": None, "checksum": None}
    first = remote_file(BODY, source=memory(body=BODY, before=down), **unknown)
    assert Transfer(1, QUICK).run(jobs_of([first], tmp_path), Silent())
    changed = remote_file(bytes(len(BODY)), **unknown)
    (error,) = Transfer(1, QUICK).run(jobs_of([changed], tmp_path), Silent()).values()
    assert "was changed on the server since an earlier run" in str(error)
    assert Transfer(1, QUICK).run(jobs_of([changed], tmp_path), Silent()) == {}
    assert (tmp_path / changed.name).read_bytes() == bytes(len(BODY))


def test_a_full_disk_ends_it_all(remote_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(EnvironmentFault, match="cannot be written: No space left on device"):
        Transfer(3, QUICK).run(jobs_of([remote_file(BODY)], tmp_path), Silent())
    assert not (tmp_path / "dir" / "a.bin").exists()


def test_a_fault_of_ours_is_not_swallowed(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    def broken(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Transfer(3, QUICK).run(jobs_of([remote_file(BODY, source=memory(body=BODY, before=broken))], tmp_path), Silent())


class Stopping:
    """A progress that cancels after so many megabytes, and keeps what it was told."""

    def __init__(self, after: float) -> None:
        self.after = after
        self.done = 0.0
        self.total = 0.0

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:
        assert (label, unit) == ("download", "MB")
        self.total = total

        def advance(done: float) -> None:
            self.done += done
            if self.done > self.after:
                raise KeyboardInterrupt

        yield advance


def test_broken_off_by_the_user_it_goes_on_later(remote_file: MakeFile, memory: Any, tmp_path: Path) -> None:
    halfway = threading.Event()

    def slow(position: int) -> None:
        if position > 500_000:
            halfway.wait(0.2)

    file = remote_file(BODY, source=memory(body=BODY, before=slow))
    with pytest.raises(KeyboardInterrupt):
        Transfer(1, QUICK).run(jobs_of([file], tmp_path), Stopping(0.3))
    again = remote_file(BODY)
    kept = Part(file=again, target=tmp_path / again.name).bytes_kept()
    assert kept > 300_000
    progress = Stopping(99)
    assert Transfer(1, QUICK).run(jobs_of([again], tmp_path), progress) == {}
    assert (tmp_path / again.name).read_bytes() == BODY
    assert progress.total == pytest.approx(progress.done) == pytest.approx((len(BODY) - kept) / 1e6)
