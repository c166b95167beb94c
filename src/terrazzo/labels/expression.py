"""Arithmetic of bands, such as (b3 - b6) / (b3 + b6), or of other named figures: parsed into numbers, names and operators, nothing else."""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 400
"""Characters; far beyond any band index of the literature."""
DEEPEST = 60
"""Parts within parts; what is deeper would exhaust the interpreter's stack."""

Values = NDArray[np.float64]

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: np.float_power,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log": (1, np.log),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_GRAMMAR = "Allowed are names, such as those of bands, numbers, + - * / ** and parentheses, abs, sqrt, log, min(a, b), max(a, b)"


@dataclass(frozen=True)
class Expression:
    """A formula of bands."""

    text: str
    """Normalised: two formulas that differ in spaces only have the same."""
    names: tuple[str, ...]
    """The bands as they are written, such as b1 or nir, each once."""
    _tree: ast.expr

    @classmethod
    def of(cls, tree: ast.expr) -> "Expression":
        """Take over a parsed formula. Raises ValueError naming the part that is not arithmetic of bands."""
        found: dict[str, None] = {}
        _check(tree, found)
        if not found:
            raise ValueError(f"{ast.unparse(tree)!r} names nothing that is measured. {_GRAMMAR}")
        return cls(text=ast.unparse(tree), names=tuple(found), _tree=tree)

    def evaluate(self, bands: Mapping[str, Values]) -> Values:
        """The formula's value at each pixel; what is no number, such as 0 / 0, is NaN or infinite.

        bands: an array of one shape for each of `names`.
        """
        with np.errstate(all="ignore"):
            return np.asarray(_evaluate(self._tree, bands), np.float64)


def parse(text: str) -> ast.expr:
    """The syntax tree of a text. Raises ValueError if it is no formula at all, or too long."""
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters; at most {LONGEST} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text.strip()!r} is not a formula. {_GRAMMAR}") from error
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [part for whole in level for part in ast.iter_child_nodes(whole)]
    if level:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return tree


def constant(tree: ast.expr) -> float | None:
    """The number that a part of a formula is, with its sign; None if it is none."""
    if isinstance(tree, ast.UnaryOp) and type(tree.op) in _UNARY:
        inner = constant(tree.operand)
        return None if inner is None else float(_UNARY[type(tree.op)](inner))
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
        return _number(tree.value)
    return None


def band_place(name: str, names: Sequence[str | None]) -> int | None:
    """Which band of a file a name in a formula means, from 0: b1 is the first; else the only band that is called so."""
    if name[:1] in "bB" and name[1:].isdecimal() and 1 <= int(name[1:]) <= len(names):
        return int(name[1:]) - 1
    called = [place for place, own in enumerate(names) if own is not None and own.casefold() == name.casefold()]
    return called[0] if len(called) == 1 else None


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("a number in it is too large") from error


def _check(tree: ast.expr, names: dict[str, None]) -> None:
    """Walk the tree, note the bands, and raise ValueError at the first part that is not arithmetic."""
    if isinstance(tree, ast.Name):
        names[tree.id] = None
    elif isinstance(tree, ast.BinOp) and type(tree.op) in _BINARY:
        _check(tree.left, names)
        _check(tree.right, names)
    elif isinstance(tree, ast.UnaryOp) and type(tree.op) in _UNARY:
        _check(tree.operand, names)
    elif isinstance(tree, ast.Call) and _is_function(tree):
        for argument in tree.args:
            _check(argument, names)
    elif constant(tree) is None:
        raise ValueError(f"{ast.unparse(tree)!r} is not allowed. {_GRAMMAR}")


def _is_function(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Name) or call.keywords:
        return False
    return call.func.id in _FUNCTIONS and len(call.args) == _FUNCTIONS[call.func.id][0]


def _evaluate(tree: ast.expr, bands: Mapping[str, Values]) -> Any:
    if isinstance(tree, ast.Name):
        return bands[tree.id]
    if isinstance(tree, ast.BinOp):
        return _BINARY[type(tree.op)](_evaluate(tree.left, bands), _evaluate(tree.right, bands))
    if isinstance(tree, ast.UnaryOp):
        return _UNARY[type(tree.op)](_evaluate(tree.operand, bands))
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return _FUNCTIONS[tree.func.id][1](*(_evaluate(argument, bands) for argument in tree.args))
    return constant(tree)
