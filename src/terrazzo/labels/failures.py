"""Gather the bad files of a job, so that one error names them all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from terrazzo.errors import DataError

SHOWN = 20


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
