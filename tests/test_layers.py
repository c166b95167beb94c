"""A layer imports only from those before it, torch stays in its layers, and options bring nothing heavy."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "terrazzo"
ORDER = (
    *("errors", "options", "progress"),
    *("rasters", "labels", "simulation", "drawing", "samples", "evaluation", "models", "training", "prediction"),
    *("reporting", "recipes", "workflows", "app"),
)
WITH_TORCH = {"models", "training", "prediction"}
TORCH_HALVES = {Path("samples/augment/device.py")}
LIGHT = {"difflib", "pydantic", "re", "pathlib", "typing", "collections", "terrazzo"}
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
LAYERED = [path for path in FILES if path.as_posix() not in ("__init__.py", "__main__.py")]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def layer(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def test_every_folder_is_a_layer() -> None:
    assert {layer(path) for path in LAYERED} <= set(ORDER)


@pytest.mark.parametrize("path", LAYERED, ids=str)
def test_layers_are_imported_in_their_order(path: Path) -> None:
    for module in imported(path):
        package, _, rest = module.partition(".")
        if package == "terrazzo":
            assert ORDER.index(rest.partition(".")[0]) <= ORDER.index(layer(path)), f"{path} imports {module}"


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) not in WITH_TORCH and path not in TORCH_HALVES], ids=str)
def test_torch_stays_in_its_layers(path: Path) -> None:
    assert not [module for module in imported(path) if module.partition(".")[0] in ("torch", "torchvision")]


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "options.py"], ids=str)
def test_options_are_light(path: Path) -> None:
    modules = list(imported(path))
    assert {module.partition(".")[0] for module in modules} <= LIGHT
    assert all(module.endswith(".options") or module == "terrazzo.errors" for module in modules if module.startswith("terrazzo."))


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py" and len(path.parts) > 1], ids=str)
def test_folders_bring_nothing_of_their_own(path: Path) -> None:
    assert not list(imported(path))
