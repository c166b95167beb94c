"""augment: copies on the side of their original, in the type of their image, repeatable, and nothing of others touched."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from tests.workflows.conftest import tiny_context, write_data

from terrazzo.errors import ConflictError, UsageError
from terrazzo.samples.audit.leaks import find_leaks
from terrazzo.samples.table import load
from terrazzo.workflows.augment import augment
from terrazzo.workflows.index import index
from terrazzo.workflows.preview import preview
from terrazzo.workflows.split import split

TURN = "augment.rotate_deg=30"
MOVES_NOTHING = ("augment.hflip=false", "augment.vflip=false", "augment.quarter_turns=false")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of 16 x 16 of four images with a hole each; c is for validation, d for the test."""
    folder = tmp_path_factory.mktemp("augment")
    write_data(folder)
    sets = ("samples.size=16", 'legend.classes=["land", "water"]', "legend.values=[0, 7]")
    index(folder / "images", folder / "labels", folder / "samples.parquet", tiny_context(None, *sets))
    lists = ("split.by='given'", 'split.validation_scenes=["c"]', 'split.test_scenes=["d"]')
    split(folder / "samples.parquet", context=tiny_context(None, *lists))
    return folder / "samples.parquet"


def augmented(table: Path, out: Path, *sets: str, **options: Any) -> list[dict[str, str]]:
    augment(table, out, context=tiny_context(None, *sets), **options)
    with (out / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_copies_are_of_training_samples_alone(table: Path, tmp_path: Path) -> None:
    rows = augmented(table, tmp_path / "out", TURN, copies=2)
    originals = load(table)
    sides = {name: {row["scene"] for row in rows if row["split"] == name} for name in ("train", "validation", "test")}
    assert sides == {"train": {"a", "b"}, "validation": {"c"}, "test": {"d"}}
    assert {row["split"] for row in rows if row["copy"] != "0"} == {"train"}
    assert sum(row["copy"] != "0" for row in rows) == 2 * len(originals.part("train"))
    assert sum(row["copy"] == "0" for row in rows) == len(originals)
    assert all((tmp_path / "out" / row[kind]).is_file() for row in rows for kind in ("image", "label"))


def test_the_table_keeps_each_file_on_its_side_and_does_not_leak(table: Path, tmp_path: Path) -> None:
    rows = augmented(table, tmp_path / "out", TURN, copies=2)
    made = load(tmp_path / "out" / "samples.parquet")
    assert not find_leaks(made)
    assert len(made) == len(rows)
    parts = {row["image"]: row["split"] for row in rows}
    for image, part in zip(made.frame["image"], made.frame["split"], strict=True):
        assert parts[Path(image).relative_to(tmp_path / "out").as_posix()] == part
    assert made.legend.names == ("land", "water")
    before, after = load(table).part("validation"), made.part("validation")
    assert before.class_pixels().sum(axis=0).tolist() == after.class_pixels().sum(axis=0).tolist()


def test_a_recipe_learns_from_the_table(table: Path, tmp_path: Path) -> None:
    augmented(table, tmp_path / "out", TURN)
    recipe = tmp_path / "out" / "recipe.toml"
    recipe.write_text('[data]\nimages = "images"\nlabels = "labels"\n[samples]\ntable = "samples.parquet"\n', encoding="utf-8")
    preview(recipe, tmp_path / "sheet.png", context=tiny_context(recipe))
    assert (tmp_path / "sheet.png").is_file()


def test_originals_are_kept_as_they_are_and_copies_in_their_type(table: Path, tmp_path: Path) -> None:
    rows = augmented(table, tmp_path / "out", TURN, "augment.brightness=0.5")
    by_name = {(row["scene"], row["col_off"], row["row_off"], row["copy"]): row["image"] for row in rows}
    with rasterio.open(table.parent / "images" / "a.tif") as source, rasterio.open(tmp_path / "out" / by_name["a", "0", "0", "0"]) as file:
        values = source.read()[:, :16, :16]
        assert np.array_equal(file.read(), values)
        assert (file.crs, file.nodata, file.dtypes) == (None, 0, ("uint16", "uint16"))
    with rasterio.open(tmp_path / "out" / by_name["a", "0", "0", "1"]) as copy:
        assert copy.dtypes == ("uint16", "uint16")
        moved = copy.read()
    assert not np.array_equal(moved, values)
    assert np.all((moved == 0) == (moved[0] == 0)), "a hole is one in all bands"
    assert 0 < np.count_nonzero(moved[0] == 0) < 60


def test_labels_hold_the_classes_of_the_legend_only(table: Path, tmp_path: Path) -> None:
    for row in augmented(table, tmp_path / "out", TURN, copies=2):
        with rasterio.open(tmp_path / "out" / row["label"]) as file:
            assert set(np.unique(file.read())) <= {0, 7, 255}


@pytest.mark.parametrize(("sets", "placed"), [((TURN,), False), ((), False), ((*MOVES_NOTHING, "augment.contrast=0.3"), True)])
def test_only_what_is_not_moved_keeps_its_place(table: Path, tmp_path: Path, sets: tuple[str, ...], placed: bool) -> None:  # noqa: FBT001
    for row in augmented(table, tmp_path / "out", *sets):
        with rasterio.open(tmp_path / "out" / row["image"]) as file:
            assert (file.crs is not None) == placed
            if placed and row["scene"] == "a":
                assert file.transform.c == 500_000 + 2 * int(row["col_off"])


def test_the_same_options_write_the_same_bytes_and_a_broken_run_goes_on(table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        augmented(table, tmp_path / name, TURN, "augment.noise=0.2", copies=2, seed=4)
    files = {name: sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*.tif")) for name in ("one", "two")}
    assert files["one"] == files["two"]
    held = {path: (tmp_path / "one" / path).read_bytes() for path in files["one"]}
    assert all((tmp_path / "two" / path).read_bytes() == data for path, data in held.items())
    for path in files["one"][::3]:
        (tmp_path / "one" / path).unlink()
    augmented(table, tmp_path / "one", TURN, "augment.noise=0.2", copies=2, seed=4)
    assert all((tmp_path / "one" / path).read_bytes() == data for path, data in held.items())


def test_instead_leaves_out_the_training_originals(table: Path, tmp_path: Path) -> None:
    rows = augmented(table, tmp_path / "out", TURN, instead=True)
    assert {row["copy"] for row in rows if row["split"] == "train"} == {"1"}
    assert {row["copy"] for row in rows if row["split"] == "test"} == {"0"}


def test_folders_of_others_and_of_other_options_are_refused(table: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConflictError, match="not empty"):
        augmented(table, tmp_path / "full", TURN)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    augmented(table, tmp_path / "out", TURN)
    with pytest.raises(ConflictError, match="other options"):
        augmented(table, tmp_path / "out", TURN, copies=3)


def test_what_cannot_be_augmented(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="changes nothing"):
        augmented(table, tmp_path / "out", *MOVES_NOTHING)
    with pytest.raises(UsageError, match="copies is 0"):
        augmented(table, tmp_path / "out", copies=0)
    assert not (tmp_path / "out").exists()
