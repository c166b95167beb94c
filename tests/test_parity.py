"""docs/parity.md has every row, and what it names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COUNTS = {"R": 15, "Z": 18, "G": 13, "C": 11, "S": 12}
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "parity.md").read_text(encoding="utf-8"))
DONE = [row for row in ROWS if row[2] != "later"]


def test_every_row_is_there_once_and_in_order() -> None:
    assert [key for key, *_ in ROWS] == [f"{group}{number}" for group, count in COUNTS.items() for number in range(1, count + 1)]


def test_a_row_that_is_not_done_names_no_page() -> None:
    assert all(page == "-" for _, _, test, page in ROWS if test == "later")


@pytest.mark.parametrize(("test", "page"), [(test, page) for _, _, test, page in DONE], ids=[key for key, *_ in DONE])
def test_a_row_that_is_done_names_a_test_and_a_page(test: str, page: str) -> None:
    assert (ROOT / page).is_file()
    path, *names = test.split("::")
    scope: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for name in names:
        scope = next(node for node in ast.iter_child_nodes(scope) if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name)
    assert isinstance(scope, ast.FunctionDef)
    assert scope.name.startswith("test_")
