"""simulate, index and split: from frames to a table with its parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terrazzo.errors import ConflictError, DataError, EnvironmentFault, PairingError, SplitError, UsageError
from terrazzo.recipes.recipe import Recipe, load_recipe
from terrazzo.samples.options import SamplesOptions
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import load
from terrazzo.simulation.options import SimulationOptions
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import index
from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.simulate import simulate
from terrazzo.workflows.split import split


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "frames"
    simulate("ccd", out, Context(recipe=Recipe(simulation=SimulationOptions(count=5, size=64))))
    return out


@pytest.fixture
def table(frames: Path, tmp_path: Path) -> Path:
    out = tmp_path / "new" / "samples.parquet"
    index(frames / "images", frames / "labels", out, Context(recipe=Recipe(samples=SamplesOptions(size=32))))
    return out


def test_simulate_leaves_images_labels_and_a_valid_recipe(frames: Path) -> None:
    assert len(list((frames / "images").iterdir())) == len(list((frames / "labels").iterdir())) == 5
    assert load_recipe(frames / "recipe.toml").recipe.data.images is not None


def test_simulate_names_what_it_wrote(frames: Path) -> None:
    result = simulate("ccd", str(frames), Context(recipe=Recipe(simulation=SimulationOptions(count=5, size=64))))
    folders = [frames / name for name in ("images", "labels", "instances", "tracks")]
    assert result.written == {"outputs": [*folders, frames / "recipe.toml"]}


def test_simulate_refuses_other_worlds_and_folders_of_others(frames: Path) -> None:
    with pytest.raises(UsageError, match=r"no world 'sea' to simulate; worlds are ccd, scenes\."):
        simulate("sea", frames)
    with pytest.raises(ConflictError):
        simulate("ccd", frames, Context(recipe=Recipe(simulation=SimulationOptions(count=5, size=64, seed=9))))


def test_index_covers_all_frames(table: Path, frames: Path) -> None:
    samples = load(table)
    assert len(samples) == 5 * 4
    assert samples.class_pixels().sum() == 5 * 64 * 64
    assert frames.name in samples.frame["image"][0]


def test_index_tells_shares_and_facts(frames: Path, tmp_path: Path) -> None:
    result = index(str(frames / "images" / "*.fits"), frames / "labels", tmp_path / "s.parquet")
    facts = json.loads(json.dumps(result.facts))
    assert facts["windows"] == facts["scenes"] == 5
    assert [entry["name"] for entry in facts["classes"]] == ["0", "1", "2", "3"]
    assert result.written == {"samples": tmp_path / "s.parquet"}
    assert result.text.startswith("5 windows of 5 images in ")
    assert "pixels: 0 " in result.text


def test_index_fails_before_work_where_it_cannot_write(frames: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault):
        index(frames / "images", frames / "nowhere", tmp_path / "file" / "s.parquet")


def test_index_lists_what_has_no_partner(frames: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "ccd_0000.png").write_bytes((frames / "labels" / "ccd_0000.png").read_bytes())
    with pytest.raises(PairingError, match="ccd_0003"):
        index(frames / "images", labels, tmp_path / "s.parquet")


def test_split_writes_the_column_back(table: Path) -> None:
    before = load(table).frame.drop(columns="split")
    result = split(table, context=Context(recipe=Recipe(split=SplitOptions(by="scene", validation=0.2, test=0.2))))
    after = load(table).frame
    assert after.drop(columns="split").equals(before)
    assert dict(after["split"].value_counts()) == {"train": 12, "validation": 4, "test": 4}
    assert after.groupby("scene")["split"].nunique().max() == 1
    assert "windows: train 12, validation 4, test 4" in result.text
    assert "windows: train 12, validation 4, test 4" in inspect(table).text


def test_split_says_how_many_windows_are_in_no_part(table: Path) -> None:
    result = split(
        str(table),
        context=Context(recipe=Recipe(split=SplitOptions(by="given", validation_scenes=["*0"], train_scenes=["*1", "*2", "*3"]))),
    )
    assert "validation 4" in result.text


def test_split_that_cannot_be_leaves_the_table_alone(table: Path) -> None:
    before = table.read_bytes()
    with pytest.raises(SplitError):
        split(table, context=Context(recipe=Recipe(split=SplitOptions(by="given", validation_scenes=["nothing*"]))))
    assert table.read_bytes() == before


def test_split_counts_pieces_and_writes_lists(frames: Path, tmp_path: Path) -> None:
    table, lists = tmp_path / "s.parquet", tmp_path / "split.csv"
    index(frames / "images", frames / "labels", table, Context(recipe=Recipe(samples=SamplesOptions(size=16, stride=12))))
    before = len(load(table))
    options = SplitOptions(block_px=32, border="ignore", stratify="class")
    result = split(table, lists=lists, context=Context(recipe=Recipe(split=options)))
    assert result.written == {"samples": table, "outputs": [lists]}
    done = load(table)
    pieces = done.frame[done.frame["piece_of"].notna()]
    assert len(done) == before + len(pieces) > before
    for row in pieces.itertuples():
        with Image.open(row.label) as image:
            labels = np.array(image)[row.row_off : row.row_off + row.height, row.col_off : row.col_off + row.width]
        assert [getattr(row, f"pixels_{value}") for value in range(4)] == [int((labels == value).sum()) for value in range(4)]
    text = lists.read_text(encoding="utf-8")
    taken = Context(recipe=Recipe(split=SplitOptions(by="given", list_file=lists)))
    split(table, lists=lists, context=taken)
    assert lists.read_text(encoding="utf-8") == text
    lists.write_text("mine", encoding="utf-8")
    with pytest.raises(ConflictError, match="not overwritten"):
        split(table, lists=lists, context=Context(recipe=Recipe(split=options)))


def test_split_of_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such samples table"):
        split(tmp_path / "none.parquet")
