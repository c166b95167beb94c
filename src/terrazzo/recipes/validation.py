"""From tables of plain values to a validated recipe, or to an error that names every problem in a sentence."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import ValidationError

from terrazzo.errors import RecipeError
from terrazzo.options import Options
from terrazzo.recipes.wording import allowed, field_schemas, known_texts, show

Tables = Mapping[str, object]
"""The tables of a recipe by name, as TOML gives them: normally each a dict of key to value."""
Source = Callable[[str, str], str]
"""Where the value of (table, key) was given, such as a file's name or '--epochs'."""
R = TypeVar("R", bound=Options)


def validate(kind: type[R], tables: Tables, source: Source) -> R:
    """Check tables against the class of the recipe.

    No value is converted but whole numbers to numbers: "3" and true are not 3.
    Raises RecipeError with one line for each wrong key, value or table.
    """
    try:
        # strict JSON is the one mode in which a list may become a tuple and a text a path, but a text no number
        return kind.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        problems = _Problems(types=table_types(kind), tables=tables, source=source)
        lines = dict.fromkeys(problems.line(found["type"], found["loc"], found["msg"]) for found in error.errors(include_url=False))
        raise RecipeError("\n".join(lines)) from error


def table_types(kind: type[Options]) -> dict[str, type[Options]]:
    """The class of each table of a recipe, by the table's name."""
    return {name: cast("type[Options]", field.annotation) for name, field in kind.model_fields.items()}


def unknown_table(table: str, types: Mapping[str, type[Options]]) -> str:
    """The sentence for a table that a recipe does not have; where it is the key of one, that one is named."""
    homes = [name for name, kind in types.items() if table in kind.model_fields]
    if homes:
        return f"{table!r} stands outside of a table; it belongs in {_either(homes)}"
    return f"there is no table {table!r}; {_nearest(table, list(types))}"


def unknown_key(table: str, key: str, types: Mapping[str, type[Options]]) -> str:
    """The sentence for a key that a table does not have."""
    homes = [name for name, kind in types.items() if key in kind.model_fields]
    hint = f"it belongs in {_either(homes)}" if homes else _nearest(key, list(types[table].model_fields))
    return f"[{table}] has no key {key!r}; {hint}"


def _either(tables: list[str]) -> str:
    return " or ".join(f"[{name}]" for name in tables)


def _meant(value: object, known: list[str]) -> str:
    """The end of a sentence: what a wrong text, alone, in a list or as a key, is nearest to; empty if nothing is near."""
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, list | dict) else []
    for text in texts:
        if isinstance(text, str) and text not in known and (near := difflib.get_close_matches(text.lower(), known, n=1)):
            return f"; did you mean {show(near[0])}?"
    return ""


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"


@dataclass(frozen=True, kw_only=True)
class _Problems:
    types: Mapping[str, type[Options]]
    tables: Tables
    source: Source

    def line(self, kind: str, place: tuple[int | str, ...], message: str) -> str:
        """One line for one problem that pydantic found at `place`: (table,) or (table, key, ...)."""
        table, key = str(place[0]), str(place[1]) if len(place) > 1 else ""
        if not key:
            return f"{self.source(table, key)}: {self._of_table(table, kind, message)}"
        if kind == "extra_forbidden":
            return f"{self.source(table, key)}: {unknown_key(table, key, self.types)}"
        return f"{self.source(table, key)}: {self._of_value(table, key, kind, message)}"

    def _of_table(self, table: str, kind: str, message: str) -> str:
        if kind == "extra_forbidden":
            return unknown_table(table, self.types)
        if kind == "value_error":
            return f"[{table}] {message.removeprefix('Value error, ')}"
        return f"[{table}] must be a table of keys and values, not {show(self.tables[table])}"

    def _of_value(self, table: str, key: str, kind: str, message: str) -> str:
        if kind == "value_error":
            return f"[{table}] {key}: {message.removeprefix('Value error, ')}"
        value = cast("Mapping[str, object]", self.tables[table])[key]
        schema = field_schemas(self.types[table])[key]
        return f"[{table}] {key} is {show(value)}; it must be {allowed(schema)}{_meant(value, known_texts(schema))}"
