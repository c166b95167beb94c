import os
import threading
from typing import Any, cast

import pytest

from terrazzo.rasters.formats.handles import Handles


class Dataset:
    """Stands for an open file."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Opener:
    """Counts what it opens."""

    def __init__(self) -> None:
        self.opened: list[Dataset] = []

    def __call__(self) -> Any:
        self.opened.append(Dataset())
        return self.opened[-1]


def test_a_handle_is_used_again_but_never_by_two_at_once() -> None:
    handles, opener = Handles(), Opener()
    with handles.borrow(1, opener) as first, handles.borrow(1, opener) as second:
        assert first is not second
    with handles.borrow(1, opener), handles.borrow(1, opener):
        assert len(opener.opened) == 2
    with handles.borrow(2, opener) as other:
        assert cast("object", other) not in opener.opened[:2]


def test_a_handle_that_failed_is_closed() -> None:
    handles, opener = Handles(), Opener()
    with pytest.raises(KeyboardInterrupt), handles.borrow(1, opener):
        raise KeyboardInterrupt
    assert opener.opened[0].closed
    with handles.borrow(1, opener):
        assert len(opener.opened) == 2


def test_the_oldest_idle_handles_are_closed() -> None:
    handles, opener = Handles(idle_limit=3), Opener()
    for number in (1, 2, 3, 1, 4):
        with handles.borrow(number, opener):
            pass
    assert [dataset.closed for dataset in opener.opened] == [False, True, False, False]


def test_closing_closes_the_idle_handles_of_one_raster() -> None:
    handles, opener = Handles(), Opener()
    with handles.borrow(1, opener), handles.borrow(1, opener), handles.borrow(2, opener):
        handles.close(1)
        assert not any(dataset.closed for dataset in opener.opened)
    handles.close(1)
    assert [dataset.closed for dataset in opener.opened] == [True, True, False]


def test_a_forked_process_opens_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    handles, opener = Handles(), Opener()
    with handles.borrow(1, opener):
        pass
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with handles.borrow(1, opener):
        assert len(opener.opened) == 2


def test_threads_open_no_more_than_work_at_once() -> None:
    handles, opener = Handles(), Opener()
    in_use: set[int] = set()
    clashes: list[int] = []

    def work() -> None:
        for _ in range(200):
            with handles.borrow(1, opener) as dataset:
                if id(dataset) in in_use:
                    clashes.append(id(dataset))
                in_use.add(id(dataset))
                in_use.discard(id(dataset))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes
    assert len(opener.opened) <= 4
