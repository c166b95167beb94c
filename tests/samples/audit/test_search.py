"""Alike images in a samples table: who is looked at, what is kept, which windows share ground."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.audit.leaks import alike_sentence, find_alike_leaks
from terrazzo.samples.audit.search import find_alike
from terrazzo.samples.audit.windows import alike_groups, alike_windows
from terrazzo.samples.table import Alike, Samples, load

PAIR = Alike(a="a", b="b", shift=(6, 0), kind="overlapping crops")


def search(samples: Samples) -> Samples:
    return find_alike(samples, DataOptions(), Silent())


@pytest.fixture
def crops(ground: Any, save_jpeg: Any, make_samples: Any) -> Samples:
    """Two crops of one scene, a copy of the first, and other ground."""
    scene = ground(1)
    for name, image in (("a", scene[:250, :250]), ("copy", scene[:250, :250]), ("b", scene[100:350, 80:330]), ("c", ground(2)[:250, :250])):
        save_jpeg(name, image)
    samples: Samples = make_samples(dict.fromkeys(("a", "copy", "b", "c"), (250, 250)), (50, 50), digests={"copy": "a"})
    images = [str(save_jpeg.__closure__[0].cell_contents / f"{scene}.jpg") for scene in samples.frame["scene"]]
    return replace(samples, frame=samples.frame.assign(image=images))


def test_images_without_a_place_are_searched_and_the_outcome_is_kept(crops: Samples, tmp_path: Path) -> None:
    found = search(crops)
    assert [(pair.a, pair.b, pair.kind) for pair in found.alike or ()] == [("a", "b", "overlapping crops")]
    assert np.abs(np.subtract((found.alike or ())[0].shift, (80, 100))).max() <= 1
    found.save(tmp_path / "samples.parquet")
    assert load(tmp_path / "samples.parquet").alike == found.alike


def test_images_with_a_place_are_not_searched(crops: Samples) -> None:
    assert search(replace(crops, frame=crops.frame.set_crs("EPSG:32633"))).alike == ()
    some = crops.frame.set_crs("EPSG:32633")
    some.loc[some["scene"] != "c", "geometry"] = None
    assert len(search(replace(crops, frame=some)).alike or ()) == 1


def test_images_that_are_gone_are_told(crops: Samples, caplog: pytest.LogCaptureFixture) -> None:
    Path(crops.frame["image"].iloc[-1]).unlink()
    with caplog.at_level(logging.WARNING):
        assert len(search(crops).alike or ()) == 1
    assert "1 image not there" in caplog.text
    assert "c.jpg" in caplog.text


def rows(samples: Samples) -> set[tuple[int, int]]:
    return {pair for _, mine, theirs in alike_windows(samples) for pair in zip(mine.tolist(), theirs.tolist(), strict=True)}


def test_windows_of_alike_images_that_share_ground(make_samples: Any) -> None:
    """b lies 6 pixels to the right of a: its columns 0 to 9 are columns 6 to 15 of a."""
    samples = replace(make_samples({"a": (10, 30), "b": (10, 20), "c": (10, 10)}), alike=(PAIR, replace(PAIR, b="gone")))
    assert rows(samples) == {(0, 3), (1, 3), (1, 4), (2, 4)}


def test_leaks_between_alike_images(make_samples: Any) -> None:
    samples = replace(make_samples({"a": (10, 30), "b": (10, 20), "c": (10, 10)}), alike=(PAIR,))
    samples.frame["split"] = ["train", "train", None, "train", "validation", "validation"]
    (leak,) = find_alike_leaks(samples)
    assert (leak.kind, leak.a, leak.b) == ("alike", "a", "b")
    assert leak.detail == "overlapping crops, shifted by 6, 0 pixels, in train and validation, such as samples 1 and 4"
    assert alike_sentence([leak]).startswith("Images on two sides show the same ground, 1 pair: a and b: overlapping crops")
    samples.frame["split"] = "train"
    assert find_alike_leaks(samples) == []
    samples.frame["split"] = ["test", "test", "test", "train", "train", "train"]
    assert [(leak.a, leak.b) for leak in find_alike_leaks(replace(samples, alike=(replace(PAIR, shift=(0, 0)),)))] == [("a", "b")]


def test_units_of_alike_windows_are_joined(make_samples: Any) -> None:
    samples = replace(make_samples({"a": (10, 30), "b": (10, 20), "c": (10, 10)}), alike=(replace(PAIR, shift=(-12, 0)),))
    assert rows(samples) == {(0, 4)}
    units = np.array([[0, 0], [1, 1], [1, 2], [3, 3], [4, 5], [6, 6]])
    assert alike_groups(samples, units).tolist() == [0, 1, 2, 3, 0, 0, 4]
