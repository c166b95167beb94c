"""Samples tables that know what they were made from: kept, refused, made anew, and learned from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pyarrow import parquet

from terrazzo.errors import ConflictError, DataError, SplitError, UsageError
from terrazzo.recipes.recipe import load_recipe
from terrazzo.samples.table import load
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import index
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.split import split
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]
GRID = ("samples.size=16", "legend.classes=['land','water']", "legend.values=[0,7]")


@pytest.fixture
def table(data: Path, context_of: ContextOf) -> Path:
    out = data.parent / "samples.parquet"
    index(data.parent / "images", data.parent / "labels", out, context_of(None, *GRID))
    return out


def again(table: Path, context: Context, *, reset: bool = False) -> str:
    return index(table.parent / "images", table.parent / "labels", table, context, reset=reset).text


def change_label(folder: Path, name: str) -> None:
    with Image.open(folder / "labels" / f"{name}.png") as image:
        labels = np.array(image)
    labels[0, 0] = 7 - labels[0, 0]
    Image.fromarray(labels).save(folder / "labels" / f"{name}.png")


class TestIndexAgain:
    def test_the_same_is_kept_with_its_split(self, table: Path, context_of: ContextOf) -> None:
        split(table, context=context_of(None, "split.by='scene'"))
        before = table.read_bytes()
        assert "nothing to do" in again(table, context_of(None, *GRID))
        assert table.read_bytes() == before

    def test_other_options_or_files_are_a_conflict_that_says_what(self, table: Path, context_of: ContextOf) -> None:
        before = table.read_bytes()
        with pytest.raises(ConflictError, match=r"stale: \[samples\] size is \[20, 20\], was \[16, 16\].*\n.*--reset"):
            again(table, context_of(None, *GRID, "samples.size=20", "samples.stride=16"))
        change_label(table.parent, "b")
        (table.parent / "images" / "d.tif").unlink()
        (table.parent / "labels" / "d.png").unlink()
        with pytest.raises(ConflictError, match=r"1 label changed: b; 1 image gone: d\."):
            again(table, context_of(None, *GRID))
        assert table.read_bytes() == before

    def test_reset_makes_it_anew(self, table: Path, context_of: ContextOf) -> None:
        change_label(table.parent, "b")
        assert "nothing to do" not in again(table, context_of(None, *GRID, "samples.size=20"), reset=True)
        assert load(table).size == (20, 20)
        assert "nothing to do" in again(table, context_of(None, *GRID, "samples.size=20"))

    def test_files_of_others_are_never_overwritten(self, table: Path, context_of: ContextOf) -> None:
        notes = table.with_name("notes.parquet")
        notes.write_text("mine", encoding="utf-8")
        pd.DataFrame({"a": [1]}).to_parquet(table.with_name("other.parquet"))
        for name in ("notes.parquet", "other.parquet"):
            with pytest.raises(ConflictError, match="no samples table: it is not overwritten"):
                again(table.with_name(name), context_of(None, *GRID), reset=True)
        assert notes.read_text(encoding="utf-8") == "mine"

    def test_a_table_to_learn_from_is_none_to_make(self, table: Path, context_of: ContextOf) -> None:
        with pytest.raises(UsageError, match="for train"):
            again(table, context_of(None, *GRID, "samples.table='x.parquet'"))

    def test_stride_offset_and_edges_are_in_the_table(self, data: Path, context_of: ContextOf) -> None:
        out = data.parent / "grid.parquet"
        sets = (*GRID, "samples.stride=[12, 16]", "samples.offset=[4, 0]", "samples.edges='pad'")
        index(data.parent / "images", data.parent / "labels", out, context_of(None, *sets))
        frame = load(out).frame
        assert sorted(set(frame["col_off"])) == [4, 20, 36]
        assert sorted(set(frame["row_off"])) == [0, 12, 24]
        assert set(frame[frame["col_off"] == 36]["width"]) == {12}
        assert load(out).stride == (12, 16)
        # what lies beyond the image is not valid
        assert frame[frame["col_off"] == 36]["valid_share"].max() == pytest.approx(12 / 16)


def learned(data: Path, context_of: ContextOf, *sets: str, run: str = "run") -> Path:
    train(data, data.parent / run, context=context_of(data, "training.epochs=1", *sets))
    return data.parent / run


class TestTraining:
    RECIPE = '[data]\nimages = "images/*.tif"\nlabels = "labels/*.png"\n[samples]\ntable = "samples.parquet"\n[split]\nby = "scene"\n'
    MORE = '[model]\nfilters = 4\ndepth = 2\n[training]\nepochs = 1\nbatch_size = 8\nprecision = "float32"\n'

    @pytest.fixture
    def recipe(self, data: Path, table: Path) -> Path:
        assert table.is_file()
        data.write_text(self.RECIPE + self.MORE, encoding="utf-8")
        return data

    def test_learns_only_from_the_list(self, recipe: Path, table: Path, context_of: ContextOf) -> None:
        given = load(table)
        rows = given.frame[given.frame["scene"] != "b"].reset_index(drop=True)
        rows["split"] = rows["scene"].map({"a": "train", "c": "validation", "d": None})
        type(given)(frame=rows, legend=given.legend, size=given.size, stride=given.stride, fingerprint=given.fingerprint).save(table)
        run = learned(recipe, context_of)
        frame = load(run / "samples.parquet").frame
        assert {scene: set(part) for scene, part in frame.groupby("scene")["split"]} == {"a": {"train"}, "c": {"validation"}, "d": {None}}
        kept = load_recipe(run / "recipe.toml").recipe.samples
        assert (kept.shape, kept.table) == ((16, 16), str(table.resolve()))
        # the run is a run of this recipe from now on, and no path of this machine is in the model
        assert "finished" in inspect(run).text
        assert str(table.parent) not in (run / "model" / "model.json").read_text(encoding="utf-8")

    def test_splits_a_table_that_has_no_split(self, recipe: Path, table: Path, context_of: ContextOf) -> None:
        before = table.read_bytes()
        parts = load(learned(recipe, context_of) / "samples.parquet").frame.groupby("scene")["split"].first()
        assert sorted(parts) == ["train", "train", "train", "validation"]
        assert table.read_bytes() == before

    def test_a_stale_table_ends_before_any_work(self, recipe: Path, table: Path, context_of: ContextOf) -> None:
        with pytest.raises(ConflictError, match=r"size is \[24, 24\], was \[16, 16\]\.") as caught:
            learned(recipe, context_of, "samples.size=24")
        assert "stride" not in str(caught.value)
        with pytest.raises(ConflictError, match=r"\[data\] nodata is 3\.0, was not set"):
            learned(recipe, context_of, "data.nodata=3")
        change_label(table.parent, "c")
        with pytest.raises(ConflictError, match="1 label changed: c"):
            learned(recipe, context_of)
        assert not (table.parent / "run" / "recipe.toml").exists()

    def test_a_split_that_leaks_is_refused(self, recipe: Path, table: Path, context_of: ContextOf) -> None:
        samples = load(table)
        shutil.copy(table.parent / "images" / "a.tif", table.parent / "images" / "c.tif")
        again(table, context_of(None, *GRID), reset=True)
        samples = load(table)
        samples.frame["split"] = samples.frame["scene"].map({"a": "train", "b": "train", "c": "validation", "d": "train"})
        samples.save(table)
        with pytest.raises(SplitError, match="same image bytes"):
            learned(recipe, context_of)

    def test_no_such_table(self, recipe: Path, context_of: ContextOf) -> None:
        with pytest.raises(DataError, match="no such samples table"):
            learned(recipe, context_of, "samples.table='gone.parquet'")


def test_a_table_without_origin_is_refused_with_what_to_do(table: Path, context_of: ContextOf) -> None:
    samples = load(table)
    type(samples)(frame=samples.frame, legend=samples.legend, size=samples.size, stride=samples.stride).save(table)
    with pytest.raises(ConflictError, match=r"does not say what it was made from.*--reset"):
        again(table, context_of(None, *GRID))


def test_options_that_are_none_are_refused(table: Path, data: Path, context_of: ContextOf) -> None:
    written = parquet.read_table(table)
    metadata = {**written.schema.metadata, b"terrazzo": written.schema.metadata[b"terrazzo"].replace(b'"shift"', b'"sideways"')}
    parquet.write_table(written.replace_schema_metadata(metadata), table)
    with pytest.raises(DataError, match="note on its options cannot be read"):
        train(data, data.parent / "run", context=context_of(data, f"samples.table='{table}'"))
