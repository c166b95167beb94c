"""What `import terrazzo` offers, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import terrazzo

NAMES = """
    ConflictError Context DataError DivergedError EnvironmentFault LabelError ModelError PairingError PartialResult RasterError Recipe
    RecipeError Result SplitError TerrazzoError UsageError Window WindowError augment chip compare demo doctor download evaluate flatten
    index inspect load mask mosaic open_context open_raster pack predict preview rank resunet simulate split summarize train
    unet vectorize vgg_unet
""".split()  # noqa: SIM905 - names are pinned at a glance
HEAVY = {"torch", "rasterio", "numpy", "pydantic", "pandas", "matplotlib", "click"}


def test_the_public_names() -> None:
    assert terrazzo.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there(name: str) -> None:
    assert callable(getattr(terrazzo, name))
    assert name in dir(terrazzo)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(terrazzo.__file__).read_text(encoding="utf-8"))
    seen = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(NAMES) <= seen


def test_no_other_name_is_made_up() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        _ = terrazzo.tarin


def test_importing_brings_nothing_heavy() -> None:
    code = "import sys, terrazzo; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
