"""Statistics and histograms of bands, of images or tables of any size, in one or two passes and constant memory.

Whole numbers of 8 and 16 bits are counted one by one, in one pass. All others are counted by the 16 leading bits of their keys; a second
pass counts them in bins, and by the bits that follow where a percentile is: in 32-bit floats, and in whole numbers below two millions,
every percentile is then exact, in others to one part in a million.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from terrazzo.progress import Progress
from terrazzo.rasters.ahead import ahead
from terrazzo.rasters.tables.bins import bins_between, view_between
from terrazzo.rasters.tables.figures import PERCENTS, Figures, Moments, counted_moments, merged, moments_of, ranks
from terrazzo.rasters.tables.keys import key_type, to_keys
from terrazzo.rasters.tables.tally import BinnedCounts, LeadingCounts, Refined, digits_for, find_leads


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Values of one band."""

    band: int
    """From 0."""
    values: NDArray[Any]
    """One axis, finite, at least one."""
    groups: NDArray[np.uint8] | int
    """The group of each, or of all."""


class PixelSource(Protocol):
    """Where values come from, as often as they are asked for, always in one order."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        ...

    @property
    def size(self) -> float:
        """How much there is to go through, in whatever unit `items` tells."""
        ...

    def items(self) -> Iterator[tuple[object, float]]:
        """What chunks are made from, and how much of `size` each is."""
        ...

    def chunks(self, item: Any) -> list[Chunk]:
        """The values of an item; called on several threads."""
        ...


@dataclass(frozen=True, kw_only=True)
class Means:
    """What measuring has to run with."""

    threads: int
    progress: Progress


Targets = Mapping[str, tuple[int, ...]]
"""What figures are made of: by a name of its own, the groups that belong to it."""


def measure(source: PixelSource, bands: int, groups: int, targets: Targets, means: Means) -> list[dict[str, Figures]]:
    """The figures of each band, by the names of the targets.

    bands, groups: how many there are. Raises what reading raises.
    """
    leading = LeadingCounts(key_type(source.dtype), bands, groups)
    moments = _first_pass(source, leading, groups, means)
    plans = [_Plan.make(leading, band, moments[band], targets, whole=source.dtype.kind in "iu") for band in range(bands)]
    if not leading.exact:
        _second_pass(source, leading, plans, means)
    return [{name: plan.figures(name) for name in targets} for plan in plans]


def _first_pass(source: PixelSource, leading: LeadingCounts, groups: int, means: Means) -> list[list[Moments]]:
    """Count everything; the moments of each band's groups are returned, in the order of items whatever the threads."""
    bands = leading.counts.shape[0]
    found = [[Moments()] * groups for _ in range(bands)]

    def count(item: tuple[object, float]) -> tuple[float, list[tuple[int, int, Moments]]]:
        told = []
        for chunk in source.chunks(item[0]):
            for group, values in _by_group(chunk):
                leading.add(chunk.band, group, to_keys(values.astype(leading.dtype, copy=False)))
                if not leading.exact:
                    told.append((chunk.band, group, moments_of(values)))
        return item[1], told

    with means.progress.task("summarize", source.size, "MB") as advance:
        for done, told in ahead(count, source.items(), means.threads):
            for band, group, moments in told:
                found[band][group] = merged(found[band][group], moments)
            advance(done)
    if leading.exact:
        values = leading.values()
        return [[counted_moments(values, counts) for counts in band] for band in leading.counts]
    return found


def _second_pass(source: PixelSource, leading: LeadingCounts, plans: Sequence["_Plan"], means: Means) -> None:
    def refine(item: tuple[object, float]) -> float:
        for chunk in source.chunks(item[0]):
            for group, values in _by_group(chunk):
                plans[chunk.band].add(group, values, to_keys(values.astype(leading.dtype, copy=False)))
        return item[1]

    with means.progress.task("summarize, again", source.size, "MB") as advance:
        for done in ahead(refine, source.items(), means.threads):
            advance(done)


def _by_group(chunk: Chunk) -> Iterator[tuple[int, NDArray[Any]]]:
    if isinstance(chunk.groups, int):
        yield chunk.groups, chunk.values
        return
    there = np.flatnonzero(np.bincount(chunk.groups))
    for group in there.tolist():
        yield group, chunk.values if len(there) == 1 else chunk.values[chunk.groups == group]


class _Plan:
    """What is counted of one band in the second pass, and the figures that it makes."""

    def __init__(self, leading: LeadingCounts, band: int, targets: Targets) -> None:
        self._leading = leading
        self._counts = leading.counts[band]
        self._targets = targets
        self._moments: dict[str, Moments] = {}
        self._ranks: dict[str, tuple[list[int], list[int]]] = {}
        self._refined: dict[str, Refined] = {}
        self._of_group: dict[int, list[str]] = {}
        self._whole = True
        self._bins = self._view = BinnedCounts(None, 0)

    @classmethod
    def make(cls, leading: LeadingCounts, band: int, moments: Sequence[Moments], targets: Targets, *, whole: bool) -> "_Plan":
        """What the first pass of a band leaves to do. moments: of its groups. whole: values are whole numbers."""
        plan = cls(leading, band, targets)
        plan._whole = whole
        digits = digits_for(leading.left, leading.counts.shape[0] * len(targets) * len(PERCENTS)) if leading.left else 0
        for name, groups in targets.items():
            told = reduce(merged, (moments[group] for group in groups), Moments())
            plan._moments[name] = counted_moments(leading.values(), plan._counted(name)) if leading.exact else told
            if not told.count:
                continue
            plan._ranks[name] = find_leads(plan._counted(name), ranks(told.count))
            if not leading.exact:
                plan._refined[name] = Refined(leading, plan._ranks[name][0], digits)
            for group in groups:
                plan._of_group.setdefault(group, []).append(name)
        plan._set_bins(next(iter(targets)))
        return plan

    def _counted(self, name: str) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self._counts[list(self._targets[name])].sum(axis=0)
        return counts

    def _set_bins(self, first: str) -> None:
        """All figures of a band share their bins, those of its first target."""
        told = self._moments[first]
        if not told.count:
            return
        leads = self._ranks[first][0]
        level_1, level_99 = self._leading.ends(leads[0])[0], self._leading.ends(leads[-1])[1]
        groups = len(self._counts)
        self._bins = BinnedCounts(bins_between(told.low, told.high, whole=self._whole), groups)
        self._view = BinnedCounts(view_between(told.low, told.high, level_1, level_99, whole=self._whole), groups)
        if self._leading.exact:
            values = self._leading.values()
            for binned in (self._bins, self._view):
                for group, counts in enumerate(self._counts):
                    there = np.flatnonzero(counts)
                    if binned.bins is not None:
                        binned.counts[group] = binned.bins.counts(values[there], counts[there])

    def add(self, group: int, values: NDArray[Any], keys: NDArray[Any]) -> None:
        """Count values of a group, of one axis, and their keys."""
        lead = self._leading.lead(keys)
        for name in self._of_group.get(group, []):
            self._refined[name].add(keys, lead)
        self._bins.add(group, values)
        self._view.add(group, values)

    def figures(self, name: str) -> Figures:
        groups = list(self._targets[name])
        percentiles, error = self._percentiles(name)
        counts, seen = (binned.counts[groups].sum(axis=0) if binned.bins is not None else None for binned in (self._bins, self._view))
        return Figures(
            moments=self._moments[name],
            percentiles=percentiles,
            error=error,
            bins=self._bins.bins,
            counts=() if counts is None else tuple(counts.tolist()),
            view=self._view.bins,
            seen=() if seen is None else tuple(seen.tolist()),
        )

    def _percentiles(self, name: str) -> tuple[dict[int, float], float]:
        if name not in self._ranks:
            return {}, 0.0
        leads, within = self._ranks[name]
        if self._leading.exact:
            values = self._leading.values()
            return {percent: int(values[lead]) for percent, lead in zip(PERCENTS, leads, strict=True)}, 0.0
        found = [self._refined[name].find(lead, rank) for lead, rank in zip(leads, within, strict=True)]
        told = self._moments[name]
        error = max(apart for _, apart in found)
        exact = [min(max(value, told.low), told.high) for value, _ in found]
        if self._whole:
            return {percent: round(value) for percent, value in zip(PERCENTS, exact, strict=True)}, 0.0 if error < 1 else error
        return dict(zip(PERCENTS, exact, strict=True)), error
