"""Which windows an epoch shows, and in what order: a function of the table, the options and (seed, epoch)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.samples.draw.choose import Positions, by_class, by_group, in_turn, repeats, under_cap
from terrazzo.samples.draw.contents import Contents
from terrazzo.samples.options import DrawOptions
from terrazzo.samples.rows import Sample, rows_of
from terrazzo.samples.table import Samples

ANY, EMPTY, FILLED = -1, -2, -3
"""What a drawn window shall hold: anything; only background; any class but it. Numbers from 1 stand for a class in its centre."""
FIXED = 1
"""Sets the generator of a cap that is the same in all epochs apart from those of the epochs."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One sample of an epoch, not placed yet."""

    sample: Sample
    repeat: int = 0
    """How many times the epoch drew this sample before."""
    want: int = ANY


@dataclass(frozen=True, kw_only=True)
class Epoch(Sequence[Drawn]):
    """What one epoch shows, in order."""

    samples: Sequence[Sample]
    rows: Positions
    """Positions in `samples`."""
    repeats: Positions
    wants: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Drawn: ...
    @overload
    def __getitem__(self, place: slice) -> list[Drawn]: ...
    def __getitem__(self, place: int | slice) -> Drawn | list[Drawn]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        return Drawn(sample=self.samples[self.rows[place]], repeat=int(self.repeats[place]), want=int(self.wants[place]))


class Draw:
    """Draws epochs from the training part of a table.

    Raises DataError if the options ask for windows with a class but the background, and there are none.
    """

    def __init__(self, samples: Sequence[Sample], contents: Contents, options: DrawOptions) -> None:
        self.samples = samples
        self.contents = contents
        self.options = options
        if (options.foreground or options.empty_share is not None) and not contents.filled.any():
            raise DataError(
                "[draw] empty_share and foreground ask for windows with a class but the first, and the training part has none. "
                "Leave them out, or split another way."
            )
        self.size = options.per_epoch or self._natural_size()
        """Windows an epoch."""

    @classmethod
    def of(cls, train_part: Samples, options: DrawOptions) -> "Draw":
        return cls(rows_of(train_part), Contents.of(train_part), options)

    def epoch(self, number: int, seed: int) -> Epoch:
        """The windows of an epoch, in order."""
        rng = np.random.default_rng((seed, number))
        pool = self._pool(number, seed)
        kinds: list[tuple[Positions, NDArray[np.int16]]] = []
        centred, empty = self._counts(pool)
        if centred:
            kinds.append(self._centred(centred, rng))
        if empty:
            kinds.append(_wanting(in_turn(pool[~self.contents.filled[pool]], empty, rng), EMPTY))
        rest = self.size - centred - empty
        if self.options.empty_share is None:
            kinds.append(_wanting(self._balanced(pool, rest, rng), ANY))
        else:
            kinds.append(_wanting(self._balanced(pool[self.contents.filled[pool]], rest, rng), FILLED))
        rows, wants = _shuffled_together(kinds, rng)
        return Epoch(samples=self.samples, rows=rows, repeats=repeats(rows), wants=wants)

    def _pool(self, epoch: int, seed: int) -> Positions:
        """The windows that an epoch may draw from; how many there are is the same for all."""
        if self.options.balance != "objects" or self.options.cap is None:
            return np.arange(len(self.contents))
        key = (seed,) if self.options.cap_fixed else (seed, epoch)
        rng = np.random.default_rng(np.random.SeedSequence(key, spawn_key=(FIXED,)))
        return under_cap(self.contents.objects, self.options.cap, rng)

    def _natural_size(self) -> int:
        """Every window once; with a share of empty ones, every filled window once and as many empty ones as that takes."""
        pool, share = self._pool(0, 0), self.options.empty_share
        if share is None:
            return len(pool)
        filled = int(np.count_nonzero(self.contents.filled[pool]))
        return filled if filled == len(pool) else round(filled / (1 - share))

    def _counts(self, pool: Positions) -> tuple[int, int]:
        """How many windows of an epoch are centred on a class, and how many shall be empty."""
        centred = round(self.options.centred_share * self.size) if self.contents.filled.any() else 0
        share = self.options.empty_share
        if not share or self.contents.filled[pool].all():
            return centred, 0
        return centred, min(round(share * self.size), self.size - centred)

    def _centred(self, count: int, rng: np.random.Generator) -> tuple[Positions, NDArray[np.int16]]:
        """Windows to be centred on a pixel of the classes but the first, these in turn."""
        rows, classes = by_class(self.contents.pixels[:, 1:], count, rng)
        return rows, (classes + 1).astype(np.int16)

    def _balanced(self, pool: Positions, count: int, rng: np.random.Generator) -> Positions:
        if self.options.balance == "class":
            return pool[by_class(self.contents.pixels[pool], count, rng)[0]]
        if self.options.balance == "objects" and self.options.cap is None:
            return pool[by_group(self.contents.objects[pool], count, rng)]
        return in_turn(pool, count, rng)


def _wanting(rows: Positions, want: int) -> tuple[Positions, NDArray[np.int16]]:
    return rows, np.full(len(rows), want, np.int16)


def _shuffled_together(
    kinds: Sequence[tuple[Positions, NDArray[np.int16]]], rng: np.random.Generator
) -> tuple[Positions, NDArray[np.int16]]:
    """Several sequences as one, at random; each keeps its own order."""
    if len(kinds) == 1:
        return kinds[0]
    kind_of = rng.permutation(np.repeat(np.arange(len(kinds)), [len(rows) for rows, _ in kinds]))
    order = np.argsort(np.argsort(kind_of, kind="stable"), kind="stable")
    rows = np.concatenate([rows for rows, _ in kinds])[order]
    wants = np.concatenate([wants for _, wants in kinds])[order]
    return rows, wants
