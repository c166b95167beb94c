"""The cells of a run-length table: 'start length start length ...', read all at once, and explained one by one where they are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.rle import Positions

MOST_DIGITS = 15
"""Of a start or length: more pixels than any image has."""

_SPACES = np.isin(np.arange(256), [9, 10, 11, 12, 13, 32])


@dataclass(frozen=True, kw_only=True)
class CellRuns:
    """The runs of many cells, one cell after the other."""

    starts: Positions
    """The first pixel of each run, from 0."""
    ends: Positions
    """The first pixel after each run."""
    counts: Positions
    """How many runs each cell has; wrong cells have none."""
    wrong: Positions
    """The cells that cannot be used."""


def read_cells(cells: Sequence[str]) -> CellRuns:
    """Read cells of whole numbers between spaces.

    A cell is wrong unless it holds pairs of a start and a length of at least 1, in order and without overlap: see `fault`.
    """
    # any character takes one byte, so that lengths of texts are places in the buffer
    codes = np.frombuffer(" ".join(cells).encode("ascii", "replace"), np.uint8)
    cell_ends = np.cumsum(np.fromiter(map(len, cells), np.int64, len(cells)) + 1)
    digits = codes - np.uint8(ord("0"))
    is_digit = digits < 10
    wrong = np.zeros(len(cells), np.bool_)
    wrong[np.searchsorted(cell_ends, np.flatnonzero(~is_digit & ~_SPACES[codes]), "right")] = True
    edges = np.flatnonzero(np.diff(is_digit, prepend=False, append=False))
    firsts, lasts = edges[::2], edges[1::2]
    cell = np.searchsorted(cell_ends, firsts, "right")
    wrong[cell[lasts - firsts > MOST_DIGITS]] = True
    wrong |= np.bincount(cell, minlength=len(cells)) % 2 == 1
    used = ~wrong[cell]
    numbers = _numbers(digits, firsts[used], lasts[used])
    cell, starts, lengths = cell[used][::2], numbers[::2] - 1, numbers[1::2]
    ends = starts + lengths
    wrong[cell[(starts < 0) | (lengths < 1)]] = True
    wrong[cell[1:][(cell[1:] == cell[:-1]) & (starts[1:] < ends[:-1])]] = True
    used = ~wrong[cell]
    counts = np.bincount(cell[used], minlength=len(cells))
    return CellRuns(starts=starts[used], ends=ends[used], counts=counts, wrong=np.flatnonzero(wrong))


def fault(cell: str) -> str:
    """What is wrong with a cell that cannot be used."""
    words = cell.split()
    found = next((_word_fault(word) for word in words if not word.isdecimal() or len(word) > MOST_DIGITS or not word.isascii()), None)
    if found is None and len(words) % 2:
        found = f"the number of values is odd ({len(words)}); pairs of start and length are wanted"
    if found is None:
        found = _order_fault([int(word) for word in words])
    return found or "there are other characters than digits and spaces"


def _word_fault(word: str) -> str:
    if word.isascii() and word.isdecimal():
        return f"the number {word[:MOST_DIGITS]}... is too large"
    return f"{word[:20]!r} is no whole number; pairs of start and length are wanted, with spaces between"


def _order_fault(numbers: Sequence[int]) -> str | None:
    """What is wrong with pairs of start and length."""
    previous, end = 0, 1
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        if start == 0:
            return "a run starts at 0; tables count pixels from 1. If this one counts from 0, add 1 to every start"
        if length == 0:
            return f"the run at {start} has the length 0; at least 1 is wanted"
        if start < previous:
            return f"the start {start} comes after {previous}; starts go down the columns, in order"
        if start < end:
            return f"the run at {start} overlaps the run before it, which ends with pixel {end - 1}"
        previous, end = start, start + length
    return None


def _numbers(digits: NDArray[np.uint8], firsts: Positions, lasts: Positions) -> Positions:
    """The numbers whose digits lie in [first, last), each of at most MOST_DIGITS."""
    lengths = lasts - firsts
    values = digits[lasts - 1].astype(np.int64)
    for place in range(1, int(lengths.max(initial=1))):
        longer = np.flatnonzero(lengths > place)
        values[longer] += digits[lasts[longer] - 1 - place] * np.int64(10**place)
    return values
