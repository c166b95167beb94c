"""Items that a thread draws before they are asked for."""

from collections.abc import Iterator
from typing import Any

import pytest

from terrazzo.errors import DataError
from terrazzo.rasters.ahead import drawn_ahead


def test_items_come_in_order() -> None:
    assert list(drawn_ahead(range(20), 3)) == list(range(20))
    assert list(drawn_ahead([], 3)) == []


def test_at_most_so_many_are_drawn() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    items = drawn_ahead(numbers(), 4)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert len(drawn) <= 5


def test_errors_are_raised_here_after_what_came_before() -> None:
    def broken() -> Any:
        yield 1
        yield 2
        raise DataError("broken")

    found = []
    items = drawn_ahead(broken(), 5)
    found += [next(items), next(items)]
    with pytest.raises(DataError, match="broken"):
        next(items)
    assert found == [1, 2]
