"""Writes docs/reference.md from the table of verbs and the options classes; with --check, only tells whether it is fresh."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from terrazzo.app.command import build_command, help_sections
from terrazzo.recipes.recipe import TABLES, Recipe
from terrazzo.recipes.verb import ALL_TABLES, Verb
from terrazzo.recipes.verbs.learning import TRAIN
from terrazzo.recipes.verbs.table import VERBS
from terrazzo.recipes.wording import Schema, allowed, field_schemas, show

REFERENCE = Path(__file__).with_name("reference.md")

HEAD = """# Reference

Every verb and every option. This page is made from the code that reads them (`make docs`), so it says what is. How to use it all is in
the [guide](guide.md).

A verb is a command, `terrazzo train recipe.toml`, and a function of the same name, `terrazzo.train("recipe.toml")`.
"""

EVERYWHERE = "Options of every verb"


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, "## Verbs", "", *_verbs(), "## The recipe", "", *_recipe()])


def _verbs() -> Iterator[str]:
    for verb in VERBS:
        yield from _verb(verb)
    yield f"### {EVERYWHERE}"
    yield ""
    yield from _rows(_sections(TRAIN)[EVERYWHERE])


def _verb(verb: Verb) -> Iterator[str]:
    arguments = " ".join(f"{argument.name.upper()}{'...' if argument.many else ''}" for argument in verb.arguments)
    yield from (f"### {verb.name}", "", f"    terrazzo {verb.name} {arguments}".rstrip(), "", verb.help, "")
    if verb.tables:
        tables = "all" if verb.tables == ALL_TABLES else ", ".join(f"[{table}](#{table})" for table in verb.tables)
        yield f"Tables of the recipe that it reads: {tables}."
        yield ""
    for title, rows in _sections(verb).items():
        if title != EVERYWHERE:
            yield f"{title}:"
            yield ""
            yield from _rows(rows)


def _sections(verb: Verb) -> dict[str, list[tuple[str, str]]]:
    command = build_command(verb, lambda _: 0)
    context = click.Context(command, info_name=verb.name)
    return help_sections(verb, command.get_params(context), context)


def _rows(rows: list[tuple[str, str]]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for written, text in rows:
        yield f"| `{_cell(written)}` | {_cell(text)} |"
    yield ""


def _recipe() -> Iterator[str]:
    yield "One TOML file, a table a stage. What is not given has its default. `--set TABLE.KEY=VALUE` sets an option for one call."
    yield ""
    for table, kind in TABLES.items():
        yield from (f"### [{table}]", f'<a id="{table}"></a>', "", str(Recipe.model_fields[table].description), "")
        yield "| key | accepts | default | |"
        yield "|---|---|---|---|"
        for key, schema in field_schemas(kind).items():
            yield f"| `{key}` | {_cell(allowed(schema))} | {_default(schema)} | {_cell(str(schema['description']))} |"
        yield ""


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return f"`{_cell(show(default))}`" if default is not None else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    page = reference()
    if "--check" in sys.argv:
        fresh = REFERENCE.exists() and REFERENCE.read_text(encoding="utf-8") == page
        if not fresh:
            print("docs/reference.md is stale: run `make docs`.", file=sys.stderr)
        return 0 if fresh else 1
    REFERENCE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
