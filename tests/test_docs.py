"""The pages agree with the code."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from terrazzo import errors
from terrazzo.recipes.recipe import load_recipe
from terrazzo.recipes.verbs.table import VERBS

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_fresh() -> None:
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == script("make_reference").reference(), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_guide_names_every_error_with_its_code() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    rows = {int(code): names for code, names in re.findall(r"^\| (\d) \| .* \| (.*) \|$", guide, re.MULTILINE)}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.TerrazzoError) and kind is not errors.TerrazzoError:
            assert f"`{kind.__name__}`" in rows[kind.exit_code]


def test_commands_of_the_guide_are_verbs() -> None:
    names = {verb.name for verb in VERBS}
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/guide.md"))
    used = set(re.findall(r"^ +terrazzo ([a-z]+)", pages, re.MULTILINE))
    assert used <= names
    assert used >= names - {"demo"}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.stem)
def test_examples_are_recipes_and_say_how_they_are_run(path: Path) -> None:
    load_recipe(path)
    assert f"#   terrazzo train examples/{path.name} " in path.read_text(encoding="utf-8")
