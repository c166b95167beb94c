"""One run at a time in a folder."""

import errno
import logging
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from terrazzo.errors import ConflictError, EnvironmentFault
from terrazzo.training import lock
from terrazzo.training.lock import NAME, locked

HOLDER = """
import sys, time
from pathlib import Path
from terrazzo.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(ConflictError, match=f"process {os.getpid()} on {platform.node()} writes to it") as caught,
        locked(tmp_path),
    ):
        pass
    assert caught.value.exit_code == 6
    assert str(tmp_path) in str(caught.value)


def test_the_second_does_not_end_the_lock(tmp_path: Path) -> None:
    with locked(tmp_path):
        for _ in range(2):
            with pytest.raises(ConflictError), locked(tmp_path):
                pass


def test_afterwards_it_is_free_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"host": "elsewhere", "pid": 1}'])
def test_a_stale_file_holds_nobody_up(tmp_path: Path, said: bytes) -> None:
    """As a machine that lost its power leaves it."""
    (tmp_path / NAME).write_bytes(said)
    with locked(tmp_path), pytest.raises(ConflictError, match=f"process {os.getpid()} on"), locked(tmp_path):
        pass


def test_who_says_nothing_is_another_process(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / NAME).write_bytes(b"")
        with pytest.raises(ConflictError, match="in use: another process writes to it"), locked(tmp_path):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConflictError, match=f"process {holder.pid} on {platform.node()}"), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    assert (tmp_path / NAME).exists()
    with locked(tmp_path):
        pass


def test_a_lock_that_was_removed_while_one_waited_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a third could make a new file and hold that."""
    original, calls = lock._hold, 0

    def removing(file: object, folder: Path) -> None:
        nonlocal calls
        calls += 1
        original(file, folder)  # type: ignore[arg-type]
        if calls == 1:
            (tmp_path / NAME).unlink()

    monkeypatch.setattr(lock, "_hold", removing)
    with locked(tmp_path):
        assert calls == 2
        monkeypatch.undo()
        with pytest.raises(ConflictError), locked(tmp_path):
            pass


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with caplog.at_level(logging.WARNING), locked(tmp_path):
        pass
    assert f"{tmp_path} lies on a file system without locks" in caplog.text


def test_other_faults_are_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"), locked(tmp_path / "missing"):
        pass

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", broken)
    with pytest.raises(EnvironmentFault, match="Input/output error"), locked(tmp_path):
        pass
