"""The table of verbs agrees with the functions it names, and everything in it can be read about."""

import inspect
import re
from pathlib import Path

import pytest

from terrazzo.recipes.recipe import TABLES
from terrazzo.recipes.verb import ALL_TABLES, Verb
from terrazzo.recipes.verbs.table import VERBS
from terrazzo.recipes.wording import allowed, field_schemas

DOCS = Path(__file__).parents[2] / "docs"
each_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
EACH_OPTION = [(table, key) for table, kind in TABLES.items() for key in kind.model_fields]


def test_all_tables_are_those_of_the_recipe() -> None:
    assert tuple(TABLES) == ALL_TABLES


@each_verb
def test_the_function_takes_what_the_verb_passes(verb: Verb) -> None:
    parameters = inspect.signature(verb.load()).parameters
    expected = [*(argument.name for argument in verb.arguments), *(extra.name for extra in verb.extras), "context"]
    assert sorted(parameters) == sorted(expected)
    assert parameters["context"].default is None
    # for callers in Python: what the command line calls options may be left out
    for extra in verb.extras:
        assert parameters[extra.name].default is not inspect.Parameter.empty


@each_verb
def test_every_verb_has_help_and_a_section_in_the_guide(verb: Verb) -> None:
    assert verb.summary
    assert len(verb.help) > len(verb.summary)
    assert all(argument.help for argument in verb.arguments)
    assert all(extra.help for extra in verb.extras)
    assert re.search(rf"^### {verb.name}$", (DOCS / "guide.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.search(rf"^### {verb.name}$", (DOCS / "reference.md").read_text(encoding="utf-8"), re.MULTILINE)


@each_verb
def test_flags_are_of_tables_that_the_verb_reads_and_never_clash(verb: Verb) -> None:
    assert set(verb.flags) <= set(verb.tables) <= set(TABLES)
    names = [key for table in verb.flags for key in TABLES[table].model_fields]
    names += [extra.name for extra in verb.extras] + ["device", "threads", "json", "debug", "help", "set"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("table", "key"), EACH_OPTION)
def test_every_option_has_help_and_its_values_have_words(table: str, key: str) -> None:
    schema = field_schemas(TABLES[table])[key]
    description = schema.get("description")
    assert isinstance(description, str)
    assert description.endswith((".", ")."))
    assert allowed(schema)
