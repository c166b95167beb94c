"""What an option accepts, in words: for error messages, help and the reference page."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import PurePath
from typing import cast

from terrazzo.options import Options

Schema = Mapping[str, object]
"""A JSON schema, as pydantic makes it."""

_LONGEST_VALUE = 60
_ENDLESS = 2**31
"""A bound that nobody needs to be told."""


@cache
def field_schemas(table: type[Options]) -> dict[str, Schema]:
    """The JSON schema of each field of a table, in the order in which they are written."""
    return cast("dict[str, Schema]", table.model_json_schema()["properties"])


def allowed(schema: Schema) -> str:
    """What a field accepts, such as 'a whole number from 8 to 8192'; the null of an optional field is not named."""
    if "anyOf" in schema:
        return ", or ".join(allowed(part) for part in _parts(schema, "anyOf") if part.get("type") != "null")
    if "enum" in schema:
        return _any_of(show(value) for value in cast("list[object]", schema["enum"]))
    if "const" in schema:
        return show(schema["const"])
    return _WORDS[str(schema["type"])](schema)


def known_texts(schema: Schema) -> list[str]:
    """The texts that a field takes, or takes as entries or keys; none where any text will do."""
    values = [schema["const"]] if "const" in schema else cast("list[object]", schema.get("enum", []))
    parts = _parts(schema, "anyOf") if "anyOf" in schema else []
    parts = [*parts, *(part for key in ("items", "propertyNames", "additionalProperties") if isinstance(part := schema.get(key), dict))]
    return [*(value for value in values if isinstance(value, str)), *(text for part in parts for text in known_texts(part))]


def without_null(schema: Schema) -> Schema:
    """The schema of a field that may be empty, as if it might not."""
    kinds = [part for part in _alternatives(schema) if part.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else schema


def takes_only_text(schema: Schema) -> bool:
    """Whether a field holds a text or a path and nothing else: then 2020 on a command line means "2020"."""
    return all(part.get("type") in ("string", "null") for part in _alternatives(schema))


def takes_path(schema: Schema) -> bool:
    """Whether a field holds a path of the file system."""
    return any(part.get("format") == "path" for part in _alternatives(schema))


def takes_list_of_text(schema: Schema) -> bool:
    """Whether a field is a list of free texts: then its flag may be repeated."""
    items = cast("Schema", schema.get("items", {}))
    return schema.get("type") == "array" and items.get("type") == "string" and "enum" not in items


def show(value: object) -> str:
    """A value as one would write it in TOML, cut to one short line."""
    if isinstance(value, PurePath):
        value = str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _alternatives(schema: Schema) -> list[Schema]:
    return _parts(schema, "anyOf") if "anyOf" in schema else [schema]


def _parts(schema: Schema, key: str) -> list[Schema]:
    return cast("list[Schema]", schema[key])


def _any_of(values: Iterable[str]) -> str:
    *first, last = values
    return f"{', '.join(first)} or {last}" if first else last


def _bounds(schema: Schema) -> str:
    low, high = _limit(schema, "minimum"), _limit(schema, "maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    limits = {"at least": low, "above": above, "at most": high, "below": below}
    words = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
    return f" ({words})" if words else ""


def _limit(schema: Schema, name: str) -> str | None:
    limit = schema.get(name)
    return f"{limit:.12g}" if isinstance(limit, int | float) and abs(limit) < _ENDLESS else None


def _list(schema: Schema) -> str:
    if "prefixItems" in schema:
        entries = [allowed(part) for part in _parts(schema, "prefixItems")]
        return f"a list of {len(entries)}, {f'each {entries[0]}' if len(set(entries)) == 1 else ', then '.join(entries)}"
    shortest = schema.get("minItems", 0)
    length = f" of at least {shortest}" if isinstance(shortest, int) and shortest > 1 else ""
    return f"a list{length}, each entry {allowed(cast('Schema', schema['items']))}"


_WORDS: Mapping[str, Callable[[Schema], str]] = {
    "integer": lambda schema: f"a whole number{_bounds(schema)}",
    "number": lambda schema: f"a number{_bounds(schema)}",
    "boolean": lambda _: "true or false",
    "string": lambda schema: "a path" if schema.get("format") == "path" else "a text",
    "array": _list,
    "object": lambda schema: f"a table of keys and values, each value {allowed(cast('Schema', schema['additionalProperties']))}",
}
