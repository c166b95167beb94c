"""What a verb is called, takes and reads.

A verb's function is named as a string and imported when the verb runs, so that `terrazzo --help` is instant.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

ALL_TABLES = (
    "data",
    "legend",
    "labels",
    "samples",
    "split",
    "draw",
    "augment",
    "model",
    "training",
    "prediction",
    "vectors",
    "evaluation",
    "rank",
    "simulation",
    "scenes",
    "chip",
)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """What a verb takes by position."""

    name: str
    """The parameter of the verb's function."""
    help: str
    many: bool = False
    """One or more; the function gets a list."""
    kind: type[Path] | type[str] = Path
    optional: bool = False
    """Of one with many: none will do."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An option of a verb that no recipe holds."""

    name: str
    """The parameter of the verb's function; the flag has hyphens for its underscores, and none for one at the end (from_)."""
    help: str
    kind: Literal["path", "paths", "switch", "text", "number", "count"]
    """Paths: given once each, any number; the function gets all."""
    default: str | None = None
    """Of a path; without one, the function gets None. A switch is off."""

    @property
    def flag(self) -> str:
        """Such as --list-only."""
        return f"--{self.name.rstrip('_').replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One command, which is one function of the package and one page of the guide."""

    name: str
    function: str
    """module:function, called with the arguments and extras by name, and `context`."""
    summary: str
    """One line, for the list of verbs."""
    help: str
    """What it does, reads and writes, in a few sentences."""
    arguments: tuple[Argument, ...] = ()
    extras: tuple[Extra, ...] = ()
    tables: tuple[str, ...] = ()
    """The tables of the recipe that it reads: --set takes their options."""
    flags: tuple[str, ...] = ()
    """Those tables whose options are also flags."""

    @property
    def recipe_argument(self) -> str | None:
        """The argument that is a recipe file, which the verb's context is read from."""
        return next((argument.name for argument in self.arguments if argument.name == "recipe"), None)

    def load(self) -> Callable[..., object]:
        """Import and return the function."""
        module, _, name = self.function.partition(":")
        return cast("Callable[..., object]", getattr(importlib.import_module(module), name))
