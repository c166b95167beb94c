"""Cleaning a finished map: small pieces, holes, and objects that fail a rule."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError, RecipeError
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.objects.choose import filled, sieved, without
from terrazzo.prediction.refine.objects.conditions import Condition
from terrazzo.prediction.refine.objects.measures import CONFIDENCE, MEASURES, ON_GROUND, Measured
from terrazzo.prediction.refine.objects.pieces import Classes, Connectivity, MapRows
from terrazzo.prediction.refine.objects.stage import Source, Stage, Staged
from terrazzo.prediction.refine.objects.table import AREA_M2, PIXELS, PieceTable
from terrazzo.prediction.vectorize.ground import pixel_areas
from terrazzo.rasters.grid import Grid

_SIZE = re.compile(r"(?P<number>[0-9.]+) *m2")


@dataclass(frozen=True)
class Size:
    """How large a piece must be."""

    least: float
    row: int
    """PIXELS or AREA_M2: what is measured."""

    @classmethod
    def of(cls, given: int | str) -> Self:
        """given: pixels, or a text such as '25 m2'."""
        if isinstance(given, int):
            return cls(given, PIXELS)
        match = _SIZE.fullmatch(given)
        assert match is not None, "the options let no other text pass"
        return cls(float(match["number"]), AREA_M2)

    def too_small(self, table: PieceTable) -> NDArray[np.bool_]:
        """(pieces,)."""
        return np.asarray(table.sums[self.row] < self.least)


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What is done to the pieces of finished maps, in this order: sieve, holes, least size and rules of objects."""

    classes: int
    """How many there are; pixels of other indices, such as those that are unsure, stay as they are."""
    background: int
    """The class index of what is no object; 255: every class is of objects."""
    sieve: int | None
    holes: Size | None
    min_size: Size | None
    rules: Mapping[int, Condition]
    """By class index, what its objects must fulfil."""

    @classmethod
    def of(cls, options: PredictionOptions, legend: Legend) -> Self | None:
        """The cleaning that options ask for, None if none. Raises RecipeError if a rule cannot be read or names no class of the legend."""
        if options.sieve is options.holes is options.min_size is None and not options.rules:
            return None
        return cls(
            classes=len(legend.classes),
            background=legend.background,
            sieve=options.sieve,
            holes=None if options.holes is None else Size.of(options.holes),
            min_size=None if options.min_size is None else Size.of(options.min_size),
            rules={_object_class(name, legend): Condition.parse(text, MEASURES) for name, text in options.rules.items()},
        )

    @property
    def names(self) -> frozenset[str]:
        """The measures that rules ask for."""
        return frozenset().union(*(rule.names for rule in self.rules.values()))

    @property
    def needs_sureness(self) -> bool:
        """Whether the probability of each pixel's class is needed."""
        return CONFIDENCE in self.names

    @property
    def needs_metres(self) -> bool:
        """Whether the size of pixels on the ground is needed."""
        return bool(self.names & ON_GROUND) or any(size is not None and size.row == AREA_M2 for size in (self.holes, self.min_size))

    def check(self, grid: Grid, path: object) -> None:
        """Raise DataError if a map of this grid has no metres and they are needed. path: of the image."""
        if self.needs_metres and pixel_areas(grid) is None:
            raise DataError(f"{path} has no place on the ground: objects have no metres there. Give sizes and rules in pixels.")

    def clean(self, source: Source, grid: Grid) -> Iterator[MapRows]:
        """The rows of a map, cleaned, from top to bottom in bands. source: gives its rows as often as it is asked. grid: of the map.

        Ground without a class, unsure or without data, stays as it is, and is no neighbour whose class is taken.
        """
        areas = pixel_areas(grid)
        for stage in self._stages(grid):
            source = Staged(source, stage, areas)
        return iter(source())

    def _stages(self, grid: Grid) -> Iterator[Stage]:
        objects = Connectivity(corners=True, sides_only=self.background, classes=self.classes)
        if self.sieve is not None:
            yield Stage(Connectivity(corners=False, classes=self.classes), partial(sieved, threshold=self.sieve))
        if self.holes is not None:
            yield Stage(objects, partial(self._fill, size=self.holes))
        if self.min_size is not None or self.rules:
            yield Stage(objects, partial(self._leave_out, grid=grid))

    def _fill(self, table: PieceTable, size: Size) -> Classes:
        return filled(table, size.too_small(table), self.background)

    def _leave_out(self, table: PieceTable, grid: Grid) -> Classes:
        measured = Measured(table, grid)
        values = {name: MEASURES[name](measured) for name in self.names}
        failed = np.zeros(len(table), np.bool_) if self.min_size is None else self.min_size.too_small(table)
        for index, rule in self.rules.items():
            failed |= (table.classes == index) & ~rule.holds(values)
        return without(table, failed, self.background)


def _object_class(name: str, legend: Legend) -> int:
    objects = [index for index in range(len(legend.classes)) if index != legend.background]
    index = legend.index_of(name)
    if index not in objects:
        known = listed((legend.names[each] for each in objects), 12)
        raise RecipeError(f"[prediction] rules names {name!r}; the classes that have objects are {known}.")
    return objects[objects.index(index)]
