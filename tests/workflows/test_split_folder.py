"""split of a folder of pairs."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terrazzo.errors import ConflictError, RecipeError, SplitError, UsageError
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.split import split


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pairs of different images, one with a world file."""
    rng = np.random.default_rng(1)
    for kind in ("images", "labels"):
        (tmp_path / "set" / kind).mkdir(parents=True)
    for number in range(10):
        Image.fromarray(rng.integers(0, 255, (9, 11), np.uint8)).save(tmp_path / "set" / "images" / f"x{number}.png")
        Image.fromarray(rng.integers(0, 2, (9, 11), np.uint8)).save(tmp_path / "set" / "labels" / f"x{number}.png")
    (tmp_path / "set" / "images" / "x3.pgw").write_text("1\n0\n0\n-1\n0\n0\n")
    return tmp_path / "set"


def context(*sets: str) -> Context:
    return open_context(None, sets)


def stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir() if path.suffix == ".png"}


def test_pairs_move_together_and_nothing_is_lost(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.p*") if path.is_file()}
    result = split(folder, context=context("split.validation=0.3", "split.test=0.1"))
    out = folder / "split"
    parts = {part: stems(out / f"{part}_frames") for part in ("train", "val", "test")}
    assert [len(parts[part]) for part in ("train", "val", "test")] == [6, 3, 1]
    assert set.union(*parts.values()) == {f"x{number}" for number in range(10)}
    assert all(stems(out / f"{part}_masks") == found for part, found in parts.items())
    assert {path: path.read_bytes() for path in before} == before
    for copy in out.rglob("*.png"):
        kind = "images" if copy.parent.name.endswith("frames") else "labels"
        assert copy.read_bytes() == (folder / kind / copy.name).read_bytes()
    assert len(list(out.glob("*_frames/x3.pgw"))) == 1
    with (out / "split.csv").open(newline="") as file:
        rows = {row["scene"]: row for row in csv.DictReader(file)}
    assert all((out / row["image"]).is_file() and (out / row["label"]).is_file() for row in rows.values())
    assert "10 pairs" in result.text


def test_links_and_a_second_time(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    split(folder, out=out, link=True)
    assert all(path.is_symlink() and path.is_file() for path in out.rglob("*.png"))
    before = {path: path.lstat().st_mtime_ns for path in out.rglob("*.png")}
    split(folder, out=out, link=True)
    assert {path: path.lstat().st_mtime_ns for path in out.rglob("*.png")} == before
    with pytest.raises(ConflictError, match="Other files are at"):
        split(folder, out=out)


def test_other_files_are_left_alone(folder: Path) -> None:
    for name in ("train", "val"):
        (folder / "split" / f"{name}_frames").mkdir(parents=True)
        (folder / "split" / f"{name}_frames" / "x1.png").write_bytes(b"mine")
    with pytest.raises(ConflictError, match=r"x1\.png"):
        split(folder)
    assert (folder / "split" / "train_frames" / "x1.png").read_bytes() == b"mine"
    assert len(list(folder.glob("split/*/*"))) == 2


def test_copies_of_an_image_stay_on_one_side(folder: Path) -> None:
    for number in range(1, 9):
        (folder / "images" / f"x{number}.png").write_bytes((folder / "images" / "x0.png").read_bytes())
    split(folder, context=context("split.validation=0.4"))
    assert sorted(len(stems(folder / "split" / f"{part}_frames")) for part in ("train", "val")) == [1, 9]


@pytest.mark.parametrize("by", ["block", "random", "none"])
def test_images_are_not_cut(folder: Path, by: str) -> None:
    with pytest.raises(UsageError, match="would cut images"):
        split(folder, context=context(f"split.by={by}"))


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no folder images and no folder labels.*data\.images"):
        split(tmp_path)
    (folder / "all.csv").write_text("ImageId,EncodedPixels\n" + "".join(f"x{number}.png,1 2\n" for number in range(10)))
    with pytest.raises(UsageError, match="same labels"):
        split(folder, context=context("data.labels=all.csv"))
    with pytest.raises(SplitError):
        split(folder, context=context("split.by=given", "split.validation_scenes=['y*']"))
