"""A click command for each verb of the table.

click, not typer: typer makes commands from the signatures of functions, ours are made from the table of verbs and the options
classes, so that an option is written once and no function is imported for --help.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click

from terrazzo.rasters.location import RemotePath, to_path
from terrazzo.recipes.recipe import TABLES
from terrazzo.recipes.settings import Setting, parse_value
from terrazzo.recipes.verb import ALL_TABLES, Argument, Extra, Verb
from terrazzo.recipes.wording import Schema, allowed, field_schemas, show, takes_list_of_text, without_null

MARGIN = 34
"""Columns of the left part of a help row, at most."""
REPEATED = "May be repeated."
FLAG = "__"
"""Between table and key in the name of a flag's parameter."""

Run = Callable[["Call"], int]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One verb as it was typed."""

    verb: Verb
    arguments: Mapping[str, object]
    """Arguments and extras by the names of the function's parameters."""
    settings: tuple[Setting, ...]
    """The flags that were given for options of the recipe."""
    sets: tuple[str, ...]
    device: str
    threads: int | None
    json: bool
    debug: bool


def build_command(verb: Verb, run: Run) -> click.Command:
    """The command of a verb; `run` is called with what was typed and returns the exit code."""

    def callback(**typed: object) -> int:
        return run(_call(verb, typed))

    parameters = [_argument(argument) for argument in verb.arguments]
    extras = [_extra(extra) for extra in verb.extras]
    flags = [_flag(table, key, schema) for table in verb.flags for key, schema in field_schemas(TABLES[table]).items()]
    return _Command(verb, params=[*parameters, *extras, *flags, *_everywhere(verb)], callback=callback)


class _Command(click.Command):
    """A command whose help lists arguments first, then its own options, then those of every verb."""

    def __init__(self, verb: Verb, params: list[click.Parameter], callback: Callable[..., int]) -> None:
        super().__init__(verb.name, params=params, callback=callback, help=verb.help, short_help=verb.summary)
        self._verb = verb

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in help_sections(self._verb, self.get_params(ctx), ctx).items():
            with formatter.section(title):
                formatter.write_dl(rows, col_max=MARGIN)


def help_sections(verb: Verb, params: Sequence[click.Parameter], ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """The rows of a verb's help by section: (how it is written, what it is)."""
    titles = ["Arguments", "Options", *(f"Options of [{table}]" for table in verb.flags), "Options of every verb"]
    sections: dict[str, list[tuple[str, str]]] = {title: [] for title in titles}
    sections["Arguments"] = [(_metavar(argument), argument.help) for argument in verb.arguments]
    for param in params:
        record = param.get_help_record(ctx)
        if record is not None and isinstance(param, click.Option):
            sections[_section(verb, param.name or "")].append(record)
    return {title: rows for title, rows in sections.items() if rows}


def _section(verb: Verb, name: str) -> str:
    table, is_flag, _ = name.partition(FLAG)
    if is_flag:
        return f"Options of [{table}]"
    return "Options" if name in {extra.name for extra in verb.extras} else "Options of every verb"


def _metavar(argument: Argument) -> str:
    return f"{argument.name.upper()}{'...' if argument.many else ''}"


def _argument(argument: Argument) -> click.Argument:
    # where one gives several, they are inputs
    kind = _Place(addresses=argument.many) if argument.kind is Path else click.STRING
    nargs = -1 if argument.many else 1
    return click.Argument([argument.name], type=kind, nargs=nargs, required=not argument.optional, metavar=_metavar(argument))


class _Place(click.Path):
    """A path or, where it may be, an address. It is not looked for here: what is missing is the function's to say, in its words."""

    def __init__(self, *, addresses: bool) -> None:
        super().__init__()
        self._addresses = addresses

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = to_path(value if isinstance(value, str | Path) else os.fspath(value))
        if isinstance(path, RemotePath) and not self._addresses:
            self.fail(f"{path} is an address on the network; a path on disk is needed here.", param, ctx)
        return path


def _extra(extra: Extra) -> click.Option:
    if extra.kind == "switch":
        return click.Option([extra.flag, extra.name], is_flag=True, help=extra.help)
    if extra.kind == "paths":
        place = _Place(addresses=False)
        return click.Option([extra.flag, extra.name], type=place, multiple=True, metavar="PATH", help=f"{extra.help} {REPEATED}")
    if extra.kind == "count":
        return click.Option([extra.flag, extra.name], type=click.IntRange(min=1), metavar="INTEGER", help=extra.help)
    if extra.kind != "path":
        kind = click.STRING if extra.kind == "text" else click.FLOAT
        return click.Option([extra.flag, extra.name], type=kind, metavar=extra.kind.upper(), help=extra.help)
    default = Path(extra.default) if extra.default is not None else None
    text = extra.help if extra.default is None else f"{extra.help} [default: {extra.default}]"
    return click.Option([extra.flag, extra.name], type=_Place(addresses=False), default=default, metavar="PATH", help=text)


def _flag(table: str, key: str, schema: Schema) -> click.Option:
    flag, name = f"--{key.replace('_', '-')}", f"{table}{FLAG}{key}"
    many = takes_list_of_text(schema)
    text = " ".join([str(schema["description"]), *notes(schema), *([REPEATED] if many else [])])
    if schema.get("type") == "boolean":
        return click.Option([f"{flag}/--no-{flag.removeprefix('--')}", name], default=None, help=text)
    return click.Option([flag, name], type=str, multiple=many, metavar=_value_name(schema), help=text)


def notes(schema: Schema) -> list[str]:
    """The default of a field and what it accepts, each in brackets, as far as its name in the help does not say it."""
    kind = without_null(schema)
    plain = kind.get("type") in ("boolean", "string") or takes_list_of_text(kind)
    default = schema.get("default")
    return [
        *([] if plain else [f"[{allowed(kind)}]"]),
        *([] if default is None else [f"[default: {default if isinstance(default, str) and default else show(default)}]"]),
    ]


def _value_name(schema: Schema) -> str:
    kind = without_null(schema)
    if "enum" in kind:
        return "|".join(cast("list[str]", kind["enum"]))
    names = {"integer": "INTEGER", "number": "NUMBER", "string": "TEXT", "array": "TEXT"}
    return names.get(str(kind.get("type")), "VALUE")


def _everywhere(verb: Verb) -> list[click.Option]:
    tables = "the recipe" if verb.tables == ALL_TABLES else ", ".join(f"[{table}]" for table in verb.tables)
    sets = click.Option(
        ["--set", "sets"],
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help=f"Set any option of {tables}; the value as in TOML, a bare word is a text. Stronger than recipe and flags. {REPEATED}",
    )
    return [
        *([sets] if verb.tables else []),
        click.Option(["--device"], default="auto", metavar="NAME", help="Where to compute: auto, cpu, cuda, cuda:1, mps. [default: auto]"),
        click.Option(["--threads"], type=click.IntRange(min=1), metavar="INTEGER", help="Threads to compute with; default: one a core."),
        click.Option(["--json", "json"], is_flag=True, help="Print one JSON object that names what was written, instead of text."),
        click.Option(["--debug"], is_flag=True, help="Show details, and the traceback of an error."),
    ]


def _call(verb: Verb, typed: Mapping[str, object]) -> Call:
    own = {*(argument.name for argument in verb.arguments), *(extra.name for extra in verb.extras)}
    many = {argument.name for argument in verb.arguments if argument.many}
    arguments = {name: list(cast("tuple[object, ...]", typed[name])) if name in many else typed[name] for name in own}
    return Call(
        verb=verb,
        arguments=arguments,
        settings=_settings(verb, typed),
        sets=cast("tuple[str, ...]", typed.get("sets", ())),
        device=cast("str", typed["device"]),
        threads=cast("int | None", typed["threads"]),
        json=bool(typed["json"]),
        debug=bool(typed["debug"]),
    )


def _settings(verb: Verb, typed: Mapping[str, object]) -> tuple[Setting, ...]:
    """The flags that were given, as settings of recipe options."""
    settings = []
    for table in verb.flags:
        for key in TABLES[table].model_fields:
            value = typed[f"{table}{FLAG}{key}"]
            if value is None or value == ():
                continue
            plain = parse_value(value, TABLES[table], key) if isinstance(value, str) else list(value) if isinstance(value, tuple) else value
            settings.append(Setting(table=table, key=key, value=plain, source=f"--{key.replace('_', '-')}"))
    return tuple(settings)
