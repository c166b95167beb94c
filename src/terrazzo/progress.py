"""How long work tells how far it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]


class Progress(Protocol):
    """Where long work reports to. A progress cancels the work by raising from `advance`."""

    def task(self, label: str, total: float, unit: str) -> AbstractContextManager[Advance]:
        """Open a task of `total` units; call the returned `advance(n)` after every n units done."""
        ...


class Silent:
    """A progress that shows nothing."""

    @contextmanager
    def task(self, label: str, total: float, unit: str) -> Iterator[Advance]:  # noqa: ARG002 - the protocol's arguments
        yield _ignore


def _ignore(_: float) -> None: ...
