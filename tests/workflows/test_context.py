"""What a caller who gives no context gets."""

from pathlib import Path

import pytest

from terrazzo.errors import RecipeError
from terrazzo.recipes.recipe import Recipe
from terrazzo.workflows.context import Context, Result, open_context


def test_without_a_recipe_all_is_default_and_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    context = open_context()
    assert context.recipe == Recipe()
    assert context.root == tmp_path
    assert (context.device, context.threads) == ("auto", None)


def test_a_recipe_brings_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "r.toml").write_text('[data]\nroot = "x"\n[training]\nepochs = 2\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    context = open_context("sub/r.toml", ["training.seed=5"])
    assert (context.recipe.training.epochs, context.recipe.training.seed) == (2, 5)
    assert context.root == tmp_path / "sub" / "x"


def test_options_alone() -> None:
    assert open_context(sets=["prediction.overlap=0.25"]).recipe.prediction.overlap == 0.25
    with pytest.raises(RecipeError, match="did you mean 'overlap'"):
        open_context(sets=["prediction.overlp=0.25"])


def test_progress_of_a_plain_context_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with Context().progress.task("fit", 3, "batches") as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_a_result_shows_as_its_text() -> None:
    assert str(Result(text="as it is")) == "as it is"
