"""Ctrl-C and SIGTERM, put off to a moment at which nothing is half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object]


class Stop:
    """Whether somebody asked the work to stop."""

    def __init__(self) -> None:
        self._wish: Callable[[], object] | None = None

    def ask(self, wish: Callable[[], object]) -> None:
        """Stop at the next `check`; who asks again stops the work where it is."""
        if self._wish is not None:
            wish()
        self._wish = wish

    def check(self) -> None:
        """Where stopping does no harm: do what the signal would have done, that is raise KeyboardInterrupt, if one came."""
        wish, self._wish = self._wish, None
        if wish is not None:
            wish()


@contextmanager
def put_off() -> Iterator[Stop]:
    """Signals that would raise an exception in the middle of things wait for `Stop.check`, at the latest for the end of the block.

    Signals that are ignored, or end the process without ado, stay as they are. On threads other than the main one there is nothing to
    put off.
    """
    stop = Stop()
    before = _raising() if threading.current_thread() is threading.main_thread() else {}
    for number, handler in before.items():
        signal.signal(number, _asking(stop, handler))
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    stop.check()


def _raising() -> dict[signal.Signals, Handler]:
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    return {number: handler for number, handler in handlers.items() if callable(handler)}


def _asking(stop: Stop, handler: Handler) -> Handler:
    return lambda number, frame: stop.ask(lambda: handler(number, frame))
