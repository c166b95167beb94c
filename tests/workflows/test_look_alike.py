"""Alike images from the files to the split: warned of, kept together, refused, recorded."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from terrazzo.errors import RasterError, SplitError
from terrazzo.samples.table import load
from terrazzo.workflows.context import open_context
from terrazzo.workflows.index import index
from terrazzo.workflows.split import split


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six pictures of 160 pixels, the second a crop of the same ground as the first, saved at another quality."""
    rng = np.random.default_rng(0)
    for number in range(5):
        scene = sum(cv2.resize(rng.normal(0, 25, (side, side)).astype(np.float32), (220, 220)) for side in (12, 50, 110))
        scene = np.clip(np.asarray(scene)[..., None] + [120, 110, 100], 0, 255).astype(np.uint8)
        crops = {f"s{number}": scene[:160, :160]} | ({"s0b": scene[50:210, 40:200]} if number == 0 else {})
        for name, crop in crops.items():
            (tmp_path / "images").mkdir(exist_ok=True)
            (tmp_path / "labels").mkdir(exist_ok=True)
            Image.fromarray(crop).save(tmp_path / "images" / f"{name}.jpg", quality=80 + number)
            Image.fromarray((crop[..., 0] > 150).astype(np.uint8)).save(tmp_path / "labels" / f"{name}.png")
    path = tmp_path / "samples.parquet"
    sets = [f"data.root={tmp_path}", "samples.size=160"]
    index(tmp_path / "images", tmp_path / "labels", path, context=open_context(sets=sets))
    return path


def split_by(table: Path, *sets: str) -> dict[str, str]:
    context = open_context(sets=["split.by=scene", "split.validation=0.4", *sets])
    split(table, context=context)
    frame = load(table).frame
    return dict(zip(frame["scene"], frame["split"], strict=True))


def test_crops_of_one_scene_are_warned_of_and_kept_with_the_table(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        split_by(table, 'split.validation_scenes=["s0"]')
    assert "1 pair: s0b and s0: overlapping crops" in caplog.text or "1 pair: s0 and s0b: overlapping crops" in caplog.text
    assert len(load(table).alike or ()) == 1
    with pytest.raises(SplitError, match="overlapping crops"):
        split_by(table, 'split.validation_scenes=["s0"]', "split.alike=refuse")


def test_a_table_that_was_looked_through_is_not_looked_through_again(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split_by(table)
    monkeypatch.delattr("terrazzo.workflows.look_alike.find_alike")
    parts = split_by(table, "split.alike=group")
    assert parts["s0"] == parts["s0b"]


def test_they_are_kept_on_one_side(table: Path) -> None:
    for seed in range(6):
        parts = split_by(table, "split.alike=group", f"split.seed={seed}")
        assert parts["s0"] == parts["s0b"]


def test_they_are_not_looked_for_if_nobody_wants_it(table: Path) -> None:
    split_by(table, "split.alike=off")
    assert load(table).alike is None


def test_broken_images_are_told_or_refused(table: Path, caplog: pytest.LogCaptureFixture) -> None:
    (table.parent / "images" / "s3.jpg").write_bytes(b"nothing")
    with caplog.at_level(logging.WARNING):
        assert set(split_by(table).values()) == {"train", "validation"}
    assert "Alike images are not looked for" in caplog.text
    assert "s3.jpg" in caplog.text
    with pytest.raises(RasterError, match=r"s3\.jpg"):
        split_by(table, "split.alike=group")
