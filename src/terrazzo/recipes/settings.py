"""Single options given beside a recipe: by `--set table.key=value`, or by a flag of a verb."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from terrazzo.errors import RecipeError
from terrazzo.options import Options
from terrazzo.rasters.location import RemotePath, to_path
from terrazzo.recipes.validation import Source, Tables, unknown_key, unknown_table
from terrazzo.recipes.wording import field_schemas, takes_only_text, takes_path

Types = Mapping[str, type[Options]]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The value of one option, and where it was given."""

    table: str
    key: str
    value: object
    source: str
    """What the user wrote, such as '--epochs' or '--set training.epochs=20'."""


def parse_set(text: str, types: Types) -> Setting:
    """Read 'table.key=value', the value as in TOML; a bare word that is not TOML is a text.

    Raises RecipeError if the form is another, or the table or the key is unknown.
    """
    place, equals, value = text.partition("=")
    table, dot, key = place.strip().partition(".")
    if not (equals and dot and key):
        raise RecipeError(f"--set {text}: write table.key=value, such as --set training.epochs=20")
    if table not in types:
        raise RecipeError(f"--set {text}: {unknown_table(table, types)}")
    if key not in types[table].model_fields:
        raise RecipeError(f"--set {text}: {unknown_key(table, key, types)}")
    return Setting(table=table, key=key, value=parse_value(value.strip(), types[table], key), source=f"--set {text}")


def parse_value(text: str, table: type[Options], key: str) -> object:
    """The value that a text on a command line stands for: TOML where it is TOML and the field takes more than text, else the text itself.

    A relative path is made absolute: what is typed is relative to the working directory, not to a recipe.
    """
    schema = field_schemas(table)[key]
    value = _toml_value(text)
    if takes_only_text(schema) and not isinstance(value, str):
        value = text
    if not takes_path(schema) or isinstance(value, bool):
        return value
    place = to_path(str(value))
    return place.address if isinstance(place, RemotePath) else str(place.absolute())


def lay_over(tables: Tables, settings: Sequence[Setting]) -> dict[str, object]:
    """A copy of the tables with the settings in them; the later of two settings of one option wins."""
    merged = dict(tables)
    for setting in settings:
        table = merged.get(setting.table, {})
        # a table that is no table stays as it is: validation names it
        merged[setting.table] = {**table, setting.key: setting.value} if isinstance(table, Mapping) else table
    return merged


def source_of(settings: Sequence[Setting], otherwise: str) -> Source:
    """Tells for a table and key which setting gave it, else `otherwise`."""
    given = {(setting.table, setting.key): setting.source for setting in settings}
    return lambda table, key: given.get((table, key), otherwise)


def _toml_value(text: str) -> object:
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # a text with a line break could open further keys: then it is no single value
    return document["value"] if len(document) == 1 else text
