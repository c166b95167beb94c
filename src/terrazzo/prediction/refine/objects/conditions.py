"""Conditions on objects, such as 'area_m2 > 30 and elongation > 2': comparisons of formulas with numbers, joined by and, or, not."""

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import RecipeError
from terrazzo.labels.expression import Expression, Values, parse
from terrazzo.labels.rules import Range, comparison
from terrazzo.labels.sentences import listed

Held = NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """A formula whose value lies in a range."""

    expression: Expression
    range: Range

    def holds(self, values: Mapping[str, Values]) -> Held:
        return self.range.holds(self.expression.evaluate(values))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.expression.names)


@dataclass(frozen=True)
class Condition:
    """Comparisons joined by and, or, not."""

    joined_by: type[ast.boolop | ast.Not]
    parts: tuple["Comparison | Condition", ...]
    """One of `not`, two or more else."""

    def holds(self, values: Mapping[str, Values]) -> Held:
        """Whether it holds, by object; what is no number is in no range. values: an array of one shape for each of `names`."""
        held = np.stack([part.holds(values) for part in self.parts])
        if self.joined_by is ast.Not:
            return np.asarray(~held[0])
        return np.asarray(held.all(axis=0) if self.joined_by is ast.And else held.any(axis=0))

    @property
    def names(self) -> frozenset[str]:
        """The measures that it asks for."""
        return frozenset().union(*(part.names for part in self.parts))

    @classmethod
    def parse(cls, text: str, known: Collection[str]) -> Self:
        """Read a condition. known: what may be asked for. Raises RecipeError with the form that is wanted."""
        try:
            condition = cls(ast.And, (_part(parse(text)),))
        except ValueError as error:
            raise RecipeError(
                f"The rule {text!r} cannot be read: {error}.\nWrite conditions such as 'area_px >= 30 and elongation > 2'."
            ) from error
        unknown = sorted(condition.names - set(known))
        if unknown:
            raise RecipeError(f"The rule {text!r} asks for {listed(unknown)}; what objects have is {listed(known, 20)}.")
        return condition


def _part(tree: ast.expr) -> Comparison | Condition:
    if isinstance(tree, ast.BoolOp):
        return Condition(type(tree.op), tuple(_part(value) for value in tree.values))
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return Condition(ast.Not, (_part(tree.operand),))
    return Comparison(*comparison(tree))
