"""--set table.key=value, and values of flags."""

from pathlib import Path

import pytest

from terrazzo.errors import RecipeError
from terrazzo.recipes.recipe import TABLES
from terrazzo.recipes.settings import Setting, lay_over, parse_set, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("training.epochs=20", 20),
        ("training.epochs = 20", 20),
        ("training.learning_rate=1e-3", 1e-3),
        ("augment.hflip=false", False),
        ("model.kind=resunet", "resunet"),
        ('model.kind="resunet"', "resunet"),
        ("data.images=*/images/*.fits", "*/images/*.fits"),
        ("data.images=2020", "2020"),
        ("data.pair_suffix=", ""),
        ("data.images='a=b'", "a=b"),
        ("samples.size=[64, 96]", [64, 96]),
        ("legend.remap={255 = 1}", {"255": 1}),
        ("training.class_weights=[1, 2.5]", [1, 2.5]),
        ("training.epochs=1\nseed = 2", "1\nseed = 2"),
    ],
)
def test_values(text: str, value: object) -> None:
    setting = parse_set(text, TABLES)
    assert f"{setting.table}.{setting.key}" == text.partition("=")[0].strip()
    assert setting.value == value
    assert type(setting.value) is type(value)


def test_a_path_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_value("a/b", TABLES["data"], "root") == str(tmp_path / "a/b")
    assert parse_value("/a/b", TABLES["data"], "root") == "/a/b"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs=20", "write table.key=value, such as --set training.epochs=20"),
        ("training.epochs", "write table.key=value"),
        ("training.=3", "write table.key=value"),
        ("trainin.epochs=3", "there is no table 'trainin'; did you mean 'training'?"),
        ("training.epoch=3", "[training] has no key 'epoch'; did you mean 'epochs'?"),
        ("training.filters=3", "[training] has no key 'filters'; it belongs in [model]"),
    ],
)
def test_what_is_no_setting(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_set(text, TABLES)
    assert str(caught.value).startswith(f"--set {text}: {sentence}")


def test_laying_over_leaves_the_tables_as_they_were() -> None:
    tables = {"training": {"epochs": 3, "seed": 1}, "model": 5}
    settings = [
        Setting(table="training", key="epochs", value=4, source=""),
        Setting(table="draw", key="cap_fixed", value=False, source=""),
        Setting(table="model", key="depth", value=2, source=""),
    ]
    assert lay_over(tables, settings) == {"training": {"epochs": 4, "seed": 1}, "draw": {"cap_fixed": False}, "model": 5}
    assert tables == {"training": {"epochs": 3, "seed": 1}, "model": 5}
