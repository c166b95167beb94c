"""What a report shows of places."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from shapely.geometry import box

from terrazzo.drawing.rgb import Picture
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows import report_places
from terrazzo.workflows.report_files import described_files
from terrazzo.workflows.report_places import MOST_SCENES, MOST_SUSPECTS, ground_map, scene_maps, small_picture, suspect_lines


def table(scenes: dict[str, str], step: float, crs: str | None = "EPSG:32633") -> geopandas.GeoDataFrame:
    """Two windows of 8 pixels beside each other in each scene, scenes a step apart. scenes: their part by name."""
    rows = [
        {"scene": name, "split": part, "col_off": 8 * place, "row_off": 0, "width": 8, "height": 8, "mean_dice": None if place else 0.5}
        for name, part in scenes.items()
        for place in range(2)
    ]
    boxes = [box(number * step + 8 * place, 0, number * step + 8 * place + 8, 8) for number in range(len(scenes)) for place in range(2)]
    return geopandas.GeoDataFrame(pd.DataFrame(rows).astype({"mean_dice": float}), geometry=boxes, crs=crs)


def no_picture(_: str) -> Picture | None:
    return None


def maps(frame: geopandas.GeoDataFrame) -> Any:
    return scene_maps(frame, lambda _: (8, 16), no_picture)


def test_images_beside_each_other_share_a_map() -> None:
    [shown], left_out = maps(table({"a": "train", "b": "test"}, 16))
    assert left_out == 0
    assert shown.name == "All images, EPSG:32633, north is up"
    assert shown.shape == (500, 2000)
    assert [place.window.col_off for place in shown.places] == [0, 500, 1000, 1500]
    assert [(place.part, place.score) for place in shown.places] == [("train", 0.5), ("train", None), ("test", 0.5), ("test", None)]


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_images_far_apart_or_nowhere_are_shown_one_by_one(crs: str | None) -> None:
    shown, left_out = maps(table({"a": "train", "b": "test"}, 1e5, crs))
    assert ([each.name for each in shown], left_out) == (["b", "a"], 0)
    assert [place.window.col_off for place in shown[0].places] == [0, 8]


def test_of_many_images_those_held_out_come_first_and_some_of_the_training_stay() -> None:
    parts = {f"t{number}": "train" for number in range(20)} | {f"v{number}": "validation" for number in range(20)}
    shown, left_out = maps(table(parts, 1e5))
    assert [each.name for each in shown] == [*(f"v{number}" for number in range(8)), "t0", "t1", "t2", "t3"]
    assert (len(shown), left_out) == (MOST_SCENES, 28)


def test_nothing_is_mapped_of_nothing() -> None:
    assert ground_map(table({"a": "test"}, 1).iloc[:0]) is None


def test_small_pictures_are_every_nth_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_places, "PICTURE_PX", 10)
    monkeypatch.setattr(report_places, "BANDS_AT_ONCE", 2)
    values = np.random.default_rng(0).integers(0, 255, (23, 37, 3)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    picture = small_picture(open_raster(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape == (6, 10, 3)
    order = np.argsort(values[::4, ::4, 0].ravel(), kind="stable")
    assert (np.diff(picture[..., 0].ravel()[order].astype(int)) >= 0).all()


def test_very_large_images_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_places, "LARGEST_PICTURE_PX", 10)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    assert small_picture(open_raster(tmp_path / "a.png")) is None


def test_the_first_suspicious_regions() -> None:
    row = {
        "scene": "a",
        "col_off": 1,
        "row_off": 2,
        "width": 3,
        "height": 4,
        "label": "sea",
        "predicted": "land",
        "pixels": 9,
        "confidence": 0.97,
    }
    lines, more = suspect_lines(geopandas.GeoDataFrame([row] * (MOST_SUSPECTS + 3)))
    assert (len(lines), more) == (MOST_SUSPECTS, 3)
    assert (lines[0].place, lines[0].pixels, lines[0].confidence) == ("column 1, row 2, 3 x 4 pixels", 9, 0.97)
    assert suspect_lines(None) == ((), 0)


def test_only_files_that_are_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "classes.csv").touch()
    (tmp_path / "else.txt").touch()
    assert [name for name, _ in described_files(tmp_path)] == ["maps/", "classes.csv"]
