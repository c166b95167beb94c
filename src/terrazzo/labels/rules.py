"""Labels from rules: ordered ranges of values of a band, or of a formula of bands."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.expression import Expression, Values, band_place, constant, parse
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.sentences import listed, number
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.rasters.window import Shape, Window

_FORM = "Write CLASS: RANGE, such as 'hot: b1 >= 5000', 'glow: 900 <= b1 < 5000' or 'water: (b3 - b6) / (b3 + b6) > 0.1'"
_NUMBER = re.compile(r"[0-9]+")
_RULE = re.compile(r"\s*(?P<name>[^:<>=]+?)\s*:(?P<range>[^:]*[<>=][^:]*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Range:
    """Values from low to high; either end may be open, and either may be infinite."""

    low: float = -np.inf
    high: float = np.inf
    with_low: bool = False
    with_high: bool = False

    def holds(self, values: Values) -> NDArray[np.bool_]:
        """Which values lie in the range; NaN never does."""
        above = values >= self.low if self.with_low else values > self.low
        below = values <= self.high if self.with_high else values < self.high
        inside: NDArray[np.bool_] = above & below & np.isfinite(values)
        return inside

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and not (self.with_low and self.with_high))

    def overlap(self, other: "Range") -> "Range":
        """The values that both ranges hold; it may be empty."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Range(
            low=low,
            high=high,
            with_low=all(one.with_low or one.low < low for one in (self, other)),
            with_high=all(one.with_high or one.high > high for one in (self, other)),
        )

    def of(self, what: str) -> str:
        """The range as a condition on what is named, such as '100 < b1 <= 500'."""
        if self.low == self.high:
            return f"{what} = {number(self.low)}"
        below = f"{number(self.low)} {'<=' if self.with_low else '<'} " if np.isfinite(self.low) else ""
        above = f" {'<=' if self.with_high else '<'} {number(self.high)}" if np.isfinite(self.high) else ""
        return f"{below}{what}{above}"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Pixels whose value lies in a range are of a class."""

    key: str | float
    """The class, by name or value."""
    expression: Expression
    range: Range
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 'CLASS: RANGE'. Raises RecipeError with the form that is wanted."""
        match = _RULE.fullmatch(text)
        if match is None:
            raise RecipeError(f"The rule {text!r} cannot be read. {_FORM}.")
        try:
            expression, limits = comparison(parse(match["range"]))
        except ValueError as error:
            raise RecipeError(f"The rule {text!r} cannot be read: {error}.\n{_FORM}.") from error
        if limits.empty:
            raise RecipeError(f"The rule {text!r} holds for no value: its lower end is not below its upper end.")
        return cls(key=_key(match["name"]), expression=expression, range=limits, text=" ".join(text.split()))


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Rules in their order: the first that holds gives the class of a pixel; where none does, it is of the legend's background."""

    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Read rules. Raises RecipeError if one cannot be read, or if ranges of the same formula overlap."""
        rules = tuple(Rule.parse(text) for text in texts)
        for one, other in combinations(rules, 2):
            if one.expression.text == other.expression.text and not one.range.overlap(other.range).empty:
                shared = one.range.overlap(other.range)
                raise RecipeError(
                    f"The rules {one.text!r} and {other.text!r} overlap: both hold for {shared.of(one.expression.text)}. "
                    "Give each value to one rule."
                )
        return cls(rules=rules)

    @property
    def keys(self) -> Mapping[str | float, int]:
        """The classes that the rules name, with how many rules name each."""
        keys = [rule.key for rule in self.rules]
        return {key: keys.count(key) for key in dict.fromkeys(keys)}

    def __str__(self) -> str:
        return "; ".join(rule.text for rule in self.rules)


def are_rules(text: str) -> bool:
    """Whether a text given for labels is meant as rules, not as a file name or pattern."""
    return all(_RULE.fullmatch(part) for part in text.split(";"))


class RuleLabels:
    """The class mask that rules give for one image.

    Pixels that a formula needs and that are missing, and those where it is no number, are left out unless another rule holds.

    Raises RasterError if the image cannot be opened, LabelError if it lacks a band that the rules name.
    """

    has_instances = False

    def __init__(self, image: LabelledImage, rules: Rules, legend: Legend, data: DataOptions, *, alone: bool = False) -> None:
        """alone: rules of the legend's background do not count, so that they take nothing from others."""
        # rules name the bands of the file, whatever bands are learned from
        self._raster = open_raster(image.path, data.model_copy(update={"bands": None}))
        indices = {rule: _index(rule, legend) for rule in rules.rules}
        self._background = legend.background
        self._rules = [rule for rule in rules.rules if not alone or indices[rule] != self._background]
        self._indices = [indices[rule] for rule in self._rules]
        self._places = _places(image.path, rules, self._raster.band_names)

    @property
    def shape(self) -> Shape:
        return self._raster.shape

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, without data, or outside the image."""
        pixels = self._raster.read(window)
        bands = {name: _values(pixels, place) for name, place in self._places.items()}
        indices = np.full(window.shape, self._background, np.uint8)
        open_pixels = np.ones(window.shape, np.bool_)
        unknown = np.zeros(window.shape, np.bool_)
        for rule, index in zip(self._rules, self._indices, strict=True):
            values = rule.expression.evaluate(bands)
            held = rule.range.holds(values) & open_pixels
            indices[held] = index
            open_pixels &= ~held
            unknown |= ~np.isfinite(values)
        indices[(unknown & open_pixels) | ~pixels.valid] = IGNORE
        return indices

    def instances(self, window: Window) -> NDArray[np.uint32]:
        raise LabelError(f"Rules tell no objects apart (asked for rows {window.row_off} to {window.row_end}).")

    def close(self) -> None:
        self._raster.close()


def _values(pixels: Pixels, place: int) -> Values:
    """A band as float64, NaN where missing."""
    values: Values = pixels.values[place].astype(np.float64)
    if pixels.holes is not None:
        values[pixels.holes[place]] = np.nan
    return values


def _places(path: Path, rules: Rules, names: Sequence[str | None]) -> dict[str, int]:
    """The bands that rules name, from 0, by the names they use."""
    found: dict[str, int] = {}
    for name in dict.fromkeys(name for rule in rules.rules for name in rule.expression.names):
        place = band_place(name, names)
        if place is None:
            known = [f"b{band}" + (f" ({own})" if own else "") for band, own in enumerate(names, start=1)]
            raise LabelError(f"{path}: the rules name the band {name!r}; it has {listed(known, 12)}.")
        found[name] = place
    return found


def _index(rule: Rule, legend: Legend) -> int:
    index = legend.index_of(rule.key)
    if index is None:
        raise LabelError(f"The rule {rule.text!r} names no class of the legend; classes are {listed(legend.names, 12)}.")
    return index


def _key(text: str) -> str | float:
    return float(text) if _NUMBER.fullmatch(text) else text


def comparison(tree: ast.expr) -> tuple[Expression, Range]:
    """The formula of a comparison, and the values that it allows. Raises ValueError if the tree is none of one formula with numbers."""
    if not isinstance(tree, ast.Compare):
        raise ValueError("it compares nothing")  # noqa: TRY004 - what is wrong is the text
    sides = [tree.left, *tree.comparators]
    formulas = [place for place, side in enumerate(sides) if constant(side) is None]
    if len(formulas) != 1:
        raise ValueError("it must compare one formula with numbers")
    limits = Range()
    for place, sign in enumerate(tree.ops):
        left, right = sides[place], sides[place + 1]
        if formulas[0] not in (place, place + 1):
            raise ValueError("it must compare one formula with numbers")
        limits = limits.overlap(_limit(sign, left, right))
    return Expression.of(sides[formulas[0]]), limits


def _limit(sign: ast.cmpop, left: ast.expr, right: ast.expr) -> Range:
    """What one sign of a comparison allows, the formula standing on either side of it."""
    value = constant(right)
    upper = value is not None
    value = constant(left) if value is None else value
    if value is None or not np.isfinite(value):
        raise ValueError("it must compare one formula with numbers")
    if isinstance(sign, ast.Eq):
        return Range(low=value, high=value, with_low=True, with_high=True)
    if not isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        raise ValueError("it must compare by <, <=, >, >= or ==")  # noqa: TRY004 - what is wrong is the text
    included = isinstance(sign, ast.LtE | ast.GtE)
    if isinstance(sign, ast.Lt | ast.LtE) == upper:
        return Range(high=value, with_high=included)
    return Range(low=value, with_low=included)
