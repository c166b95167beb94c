"""The count of values by the leading bits of their keys, and of those bits that follow, where percentiles are to be found."""

import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.tables.bins import Bins
from terrazzo.rasters.tables.keys import Keys, from_keys, key_bits, nearest_to_nought

COUNTERS_BYTES = 2**28
"""What the counters of one pass take at most: with very many bands and classes they count by fewer bits."""
MOST_DIGITS = 16
FEWEST_DIGITS = 4
_EXACT_IN_FLOAT32 = 2**24

Counts = NDArray[np.int64]


def digits_for(bits: int, tables: int) -> int:
    """How many bits of keys are counted at once, so that so many tables of counters are not too much memory."""
    digits = min(bits, MOST_DIGITS)
    while digits > FEWEST_DIGITS and (tables * 8) << digits > COUNTERS_BYTES:
        digits -= 1
    return min(digits, bits)


class LeadingCounts:
    """Values of each band and group, counted by the leading bits of their keys; from several threads."""

    def __init__(self, dtype: np.dtype[Any], bands: int, groups: int) -> None:
        self.dtype = dtype
        self.bits = key_bits(dtype)
        self.digits = digits_for(self.bits, bands * groups)
        self.counts: Counts = np.zeros((bands, groups, 1 << self.digits), np.int64)
        self._locks = [threading.Lock() for _ in range(bands)]

    @property
    def exact(self) -> bool:
        """Whether every value has a counter of its own."""
        return self.digits == self.bits

    @property
    def left(self) -> int:
        """Bits that are not counted by."""
        return self.bits - self.digits

    def add(self, band: int, group: int, keys: Keys) -> None:
        """Count values. band, group: from 0. keys: one axis."""
        counts = _histogram(self.lead(keys), 1 << self.digits)
        with self._locks[band]:
            self.counts[band, group] += counts

    def lead(self, keys: Keys) -> Keys:
        return keys >> keys.dtype.type(self.left) if self.left else keys

    def values(self) -> NDArray[np.int64]:
        """What is counted, in its order, where that is exact and whole."""
        return from_keys(np.arange(1 << self.bits, dtype=np.uint64), self.dtype).astype(np.int64)

    def ends(self, lead: int) -> tuple[float, float]:
        """The lowest and highest value that leading bits can have."""
        keys = np.array([lead << self.left, ((lead + 1) << self.left) - 1], np.uint64)
        low, high = from_keys(keys.astype(np.dtype(f"u{self.dtype.itemsize}")), self.dtype)
        return float(low), float(high)


def _histogram(keys: Keys, length: int) -> Counts:
    if keys.dtype == np.uint8 and length == 256 and 0 < keys.size <= _EXACT_IN_FLOAT32:
        # 25 times as fast as bincount
        return cv2.calcHist([keys], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return np.bincount(keys.astype(np.intp, copy=False), minlength=length)


def find_leads(counts: Counts, ranks: list[int]) -> tuple[list[int], list[int]]:
    """Where in counters the values of some ranks, from 1, are: the counters, and their rank within each."""
    reached = np.cumsum(counts)
    places = [int(place) for place in np.searchsorted(reached, ranks, side="left")]
    return places, [rank - (int(reached[place - 1]) if place else 0) for rank, place in zip(ranks, places, strict=True)]


class Refined:
    """The bits that follow some leading ones, counted for one set of values; from several threads."""

    def __init__(self, leading: LeadingCounts, leads: list[int], digits: int) -> None:
        self._leading = leading
        self._digits = min(digits, leading.left)
        self._slots = {lead: slot for slot, lead in enumerate(sorted(set(leads)))}
        self._table = np.full(1 << leading.digits, -1, np.int8)
        for lead, slot in self._slots.items():
            self._table[lead] = slot
        self._counts: Counts = np.zeros((len(self._slots), 1 << self._digits), np.int64)
        self._lock = threading.Lock()

    def add(self, keys: Keys, lead: Keys) -> None:
        """Count values. keys: one axis. lead: their leading bits."""
        slots = self._table[lead]
        there = slots >= 0
        unread = self._leading.left - self._digits
        follow = (keys[there] >> keys.dtype.type(unread)).astype(np.int64) & ((1 << self._digits) - 1)
        places = (slots[there].astype(np.int64) << self._digits) | follow
        counts = np.bincount(places, minlength=self._counts.size).reshape(self._counts.shape)
        with self._lock:
            self._counts += counts

    def find(self, lead: int, rank: int) -> tuple[float, float]:
        """The value of a rank, from 1, among those of some leading bits, and how far it may be from the true one."""
        unread = self._leading.left - self._digits
        place = int(np.searchsorted(np.cumsum(self._counts[self._slots[lead]]), rank, side="left"))
        first = ((lead << self._digits) | place) << unread
        return nearest_to_nought(first, first + (1 << unread) - 1, self._leading.dtype)


class BinnedCounts:
    """Values of each group of a band in bins; from several threads."""

    def __init__(self, bins: Bins | None, groups: int) -> None:
        self.bins = bins
        self.counts: Counts = np.zeros((groups, bins.count + 2 if bins is not None else 0), np.int64)
        self._lock = threading.Lock()

    def add(self, group: int, values: NDArray[Any]) -> None:
        """Count values of one axis."""
        if self.bins is not None:
            counts = self.bins.counts(values)
            with self._lock:
                self.counts[group] += counts
