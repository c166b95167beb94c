"""Signals wait for a moment at which nothing is half done, and none is lost."""

import signal
import threading
from collections.abc import Iterator

import pytest

from terrazzo.training.stopping import SIGNALS, put_off


class Stopped(BaseException):
    pass


def raising(*_: object) -> None:
    raise Stopped


@pytest.fixture(params=SIGNALS, ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that raises Stopped."""
    before = signal.signal(request.param, raising)
    yield request.param
    signal.signal(request.param, before)


def test_it_is_heard_at_the_next_check(number: signal.Signals) -> None:
    with put_off() as stop:
        signal.raise_signal(number)
        with pytest.raises(Stopped):
            stop.check()
        stop.check()
    assert signal.getsignal(number) is raising


def test_without_a_check_it_is_heard_at_the_end(number: signal.Signals) -> None:
    with pytest.raises(Stopped), put_off():
        signal.raise_signal(number)


def test_the_second_one_stops_at_once(number: signal.Signals) -> None:
    """Who is in a hurry need not wait."""
    seen: list[str] = []

    def work() -> None:
        with put_off():
            signal.raise_signal(number)
            seen.append("once")
            signal.raise_signal(number)
            seen.append("twice")

    with pytest.raises(Stopped):
        work()
    assert seen == ["once"]


def test_an_error_is_not_hidden_by_it(number: signal.Signals) -> None:
    def work() -> None:
        with put_off():
            signal.raise_signal(number)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()
    assert signal.getsignal(number) is raising


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with put_off() as stop:
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            signal.raise_signal(signal.SIGTERM)
            stop.check()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_have_nothing_to_put_off() -> None:
    done = []

    def work() -> None:
        with put_off() as stop:
            stop.check()
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
