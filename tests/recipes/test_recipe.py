"""The recipe: loading, laying over, writing, and the sentences for what is wrong."""

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import RecipeError
from terrazzo.rasters.options import DataOptions
from terrazzo.recipes.recipe import TABLES, Recipe, load_recipe, make_recipe, overlay, to_toml
from terrazzo.recipes.settings import Setting
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.split.options import SplitOptions
from terrazzo.training.options import TrainingOptions


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path, *sets: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, sets)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_values_of_the_file_and_defaults_of_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, '[data]\nimages = "a/*.tif"\nroot = "../data"\n[samples]\nsize = [64, 96]\n[legend]\nremap = {255 = 1}\n')
    loaded = load_recipe(path)
    assert loaded.recipe.data == DataOptions(images="a/*.tif", root=Path("../data"))
    assert loaded.recipe.samples.shape == (64, 96)
    assert loaded.recipe.legend.remap == {255: 1}
    assert loaded.recipe.training == TrainingOptions()
    assert loaded.folder == tmp_path
    assert loaded.root.resolve() == (tmp_path / "../data").resolve()


def test_settings_are_stronger_than_the_file_and_the_last_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "[training]\nepochs = 3\nseed = 4\n")
    recipe = load_recipe(path, ["training.epochs=5", "training.epochs=7", "model.kind=resunet"]).recipe
    assert (recipe.training.epochs, recipe.training.seed, recipe.model.kind) == (7, 4, "resunet")


def test_a_root_that_is_set_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path, '[data]\nroot = "data"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_recipe(path, ["data.root=here"]).root == tmp_path / "elsewhere" / "here"
    assert load_recipe(path).root == tmp_path / "data"


def test_a_setting_and_the_file_are_checked_together(tmp_path: Path) -> None:
    # fold 7 alone would be wrong, for the default is five folds
    path = write(tmp_path, '[split]\nby = "kfold"\nfolds = 10\n')
    assert load_recipe(path, ["split.fold=7"]).recipe.split.fold == 7
    assert problems(path, "split.fold=10") == [f"{path}: [split] fold is 10; it must be smaller than folds (10)"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[training]\nepoch = 3", "[training] has no key 'epoch'; did you mean 'epochs'?"),
        ("[training]\nfilters = 3", "[training] has no key 'filters'; it belongs in [model]"),
        ("[training]\nxyzzy = 3", "[training] has no key 'xyzzy'; known are "),
        ("[trainin]\n", "there is no table 'trainin'; did you mean 'training'?"),
        ("epochs = 3", "'epochs' stands outside of a table; it belongs in [training]"),
        ("seed = 3", "'seed' stands outside of a table; it belongs in [split] or [training] or [evaluation] or [rank] or [simulation]"),
        ("training = 3", "[training] must be a table of keys and values, not 3"),
        ("[training]\nepochs = -1", "[training] epochs is -1; it must be a whole number from 0 to 100000"),
        ('[training]\nepochs = "3"', '[training] epochs is "3"; it must be a whole number from 0 to 100000'),
        ("[training]\nepochs = true", "[training] epochs is true; it must be a whole number from 0 to 100000"),
        ("[training]\nwarmup = 1", "[training] warmup is 1; it must be a number (at least 0 and below 1)"),
        (
            "[training]\nlearning_rate = inf",
            '[training] learning_rate is Infinity; it must be "find", or a number (above 0 and at most 10)',
        ),
        ('[training]\nloss = ["ce", "dic"]', '[training] loss is ["ce", "dic"]; it must be a list, each entry "ce", "binary", '),
        ("[augment]\nhflip = 1", "[augment] hflip is 1; it must be true or false"),
        (
            "[samples]\nsize = [64, 3]",
            "[samples] size is [64, 3]; it must be a whole number from 8 to 8192, or a list of 2, each a whole number from 8 to 8192",
        ),
        ("[split]\nvalidation = 0.5\ntest = 0.5", "[split] validation (0.5) and test (0.5) leave nothing to train on; their sum must"),
        ("[model]\nkernel = 4", "[model] kernel is 4; it must be odd"),
    ],
)
def test_each_problem_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path, text)
    [line] = problems(path)
    assert line.startswith(f"{path}: {sentence}")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('loss = ["ce", "dic"]', "dice"),
        ('loss = "lovas"', "lovasz"),
        ("loss = {ce = 1.0, Jacard = 0.5}", "jaccard"),
        ('optimizer = "AdamW "', "adamw"),
        ('class_weights = "ballanced"', "balanced"),
        ('loss = ["ce", "xyzzy"]', None),
        ('loss = "ce"', None),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_nearest(tmp_path: Path, text: str, meant: str | None) -> None:
    [line] = problems(write(tmp_path, f"[training]\n{text}"))
    assert line.partition("; did you mean ")[2] == (f'"{meant}"?' if meant else "")


def test_all_problems_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "epochs = 1\n[model]\nfilters = 0\ndept = 3\n[split]\nfold = 9\n")
    lines = problems(path, "augment.hflip=perhaps")
    assert len(lines) == 5
    assert lines[0] == f"{path}: [split] fold is 9; it must be smaller than folds (5)"
    assert '--set augment.hflip=perhaps: [augment] hflip is "perhaps"; it must be true or false' in lines


def test_long_values_are_cut(tmp_path: Path) -> None:
    [line] = problems(write(tmp_path, f'[training]\nepochs = "{"x" * 500}"'))
    assert len(line) < 200 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[training\n", "this is not TOML"),
        (b"\xff\xfe[\x00", "this is not a text in UTF-8"),
        (b"[training]\nepochs = 1\nepochs = 2\n", "this is not TOML"),
        (b"!!python/object/apply:os.system ['true']\n", "this is not TOML"),
    ],
)
def test_what_is_no_recipe(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    [line] = problems(path)
    assert line.startswith(f"{path}: {words}")


def test_a_missing_recipe_and_a_folder_are_named_in_full(tmp_path: Path) -> None:
    assert problems(tmp_path / "no.toml") == [f"There is no recipe {tmp_path / 'no.toml'}. Give the path of a TOML file."]
    assert problems(tmp_path) == [f"{tmp_path} is a folder, not a recipe. Give the path of the TOML file in it."]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf[training]\nepochs = 3\n")
    assert load_recipe(path).recipe.training.epochs == 3


def test_only_what_was_given_counts_as_given() -> None:
    recipe = make_recipe([Setting(table="prediction", key="overlap", value=0.25, source="--overlap")])
    assert recipe.model_fields_set == {"prediction"}
    assert recipe.prediction.model_fields_set == {"overlap"}


def test_overlay_takes_what_was_given_and_leaves_the_rest() -> None:
    below = Recipe(training=TrainingOptions(epochs=3, seed=5), samples=SamplesOptions(size=(64, 96)), data=DataOptions(root=Path("/data")))
    above = make_recipe([Setting(table="training", key="epochs", value=9, source="--epochs")])
    both = overlay(below, above)
    assert both == below.model_copy(update={"training": TrainingOptions(epochs=9, seed=5)})
    assert overlay(below, Recipe()) == below


def test_overlay_refuses_what_does_not_go_together() -> None:
    with pytest.raises(RecipeError, match="leave nothing to train on"):
        overlay(Recipe(split=SplitOptions(test=0.6)), Recipe(split=SplitOptions(validation=0.5)))


shares = st.floats(0, 0.4, allow_nan=False)
recipes = st.builds(
    Recipe,
    data=st.builds(
        DataOptions,
        root=st.none() | st.just(Path("data/ä b")),
        images=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        nodata=st.none() | st.floats(allow_nan=False) | st.lists(st.floats(allow_nan=False), min_size=1),
        bands=st.none() | st.lists(st.integers(1, 9), min_size=1),
    ),
    samples=st.builds(SamplesOptions, size=st.integers(8, 99) | st.tuples(st.integers(8, 99), st.integers(8, 99)), overlap=shares),
    split=st.builds(SplitOptions, validation=shares, test=shares, train_scenes=st.lists(st.text("ab\n\"'\\*", max_size=5))),
    training=st.builds(TrainingOptions, class_weights=st.sampled_from(["none", "balanced"]) | st.lists(st.floats(0, 9), min_size=1)),
)


@given(recipes)
def test_a_written_recipe_loads_as_the_same(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(to_toml(recipe), encoding="utf-8")
    assert load_recipe(path).recipe == recipe


def test_every_option_with_a_value_is_written(tmp_path: Path) -> None:
    written = tomllib.loads(to_toml(Recipe()))
    for table, kind in TABLES.items():
        unset = {name for name, field in kind.model_fields.items() if field.get_default(call_default_factory=True) is None}
        assert set(written[table]) == set(kind.model_fields) - unset


def test_a_band_without_nodata_is_written_as_nan(tmp_path: Path) -> None:
    text = to_toml(Recipe(data=DataOptions(nodata=[None, -9999.0])))
    nodata = load_recipe(write(tmp_path, text)).recipe.data.nodata
    assert isinstance(nodata, list)
    assert nodata[0] is not None
    assert math.isnan(nodata[0])
    assert nodata[1] == -9999
