"""Gather the bad files of a job, so that one error names them all."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from terrazzo.errors import DataError
from terrazzo.progress import Progress

SHOWN = 20
MOST_THREADS = 8

Item = TypeVar("Item")
Made = TypeVar("Made")


class Failures:
    """The errors of single files, raised together at the end."""

    def __init__(self) -> None:
        self._errors: list[DataError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a DataError of the block for later; all other errors pass."""
        try:
            yield
        except DataError as error:
            self._errors.append(error)

    def add(self, error: DataError) -> None:
        self._errors.append(error)

    def check(self, total: int, noun: str) -> None:
        """Raise one error for all that were kept, of their own class if they share one; nothing if there are none.

        total: how many there were altogether. noun: what they are, in the plural.
        """
        if not self._errors:
            return
        first = self._errors[0]
        if len(self._errors) == 1:
            raise first
        kind = type(first) if len({type(error) for error in self._errors}) == 1 else DataError
        # what is wrong with a file that all share is said once
        said = Counter(str(error) for error in self._errors)
        lines = [f"{len(self._errors)} of {total} {noun} cannot be used:", *(f"  {text}" for text in list(said)[:SHOWN])]
        if len(said) > SHOWN:
            lines.append(f"  and {sum(list(said.values())[SHOWN:])} more.")
        raise kind("\n".join(lines)) from first


def all_on_threads(function: Callable[[Item], Made], items: Sequence[Item], progress: Progress, label: str, noun: str) -> list[Made]:
    """What the function makes of each item, in their order, on several threads.

    label: of the task. noun: what the items are, in the plural.
    Raises one error for all items of which it raised a DataError.
    """
    failures = Failures()
    made: list[Made] = []
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), thread_name_prefix=label.replace(" ", "-"))
    try:
        pending = [pool.submit(function, item) for item in items]
        with progress.task(label, len(items), noun) as advance:
            for future in pending:
                with failures.collect():
                    made.append(future.result())
                advance(1)
    finally:
        # a cancelled task does not go on
        pool.shutdown(cancel_futures=True)
    failures.check(len(items), noun)
    return made
