"""predict's other files: made from the finished maps, kept the second time."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pytest
import rasterio.features
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError, UsageError
from terrazzo.labels.colors import hex_color
from terrazzo.workflows import map_files
from terrazzo.workflows.context import Context
from terrazzo.workflows.model import load
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]


def pixels(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        classes: NDArray[np.uint8] = file.read(1)
    return classes


def of_runs(text: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Down the columns, from one on."""
    flat = np.zeros(shape[0] * shape[1], np.bool_)
    numbers = [int(number) for number in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(shape, order="F")


def test_all_of_them_say_what_the_map_says(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image, legend = tiny_run.folder / "images" / "d.tif", load(tiny_run.run).legend
    target = legend.names[1]
    done = predict(tiny_run.run, [image], tmp_path, context_of(), overlay=True, polygons=True, rle=target)
    names = ["d_predseg.tif", "d_segoverlay.png", "d_polygons.gpkg", "submission.csv"]
    assert done.written["outputs"] == [tmp_path / name for name in names]
    classes = pixels(tmp_path / "d_predseg.tif")
    mask = classes == legend.values[1]
    assert mask.any()
    picture = np.asarray(Image.open(tmp_path / "d_segoverlay.png"))
    assert picture.shape == (*classes.shape, 3)
    plain = (picture[..., 0] == picture[..., 1]) & (picture[..., 1] == picture[..., 2])
    assert plain[classes == legend.values[0]].all()
    assert not plain[mask].any()
    table = geopandas.read_file(tmp_path / "d_polygons.gpkg", layer="polygons")
    assert table.loc[table["name"] == target, "pixels"].sum() == mask.sum()
    with (tmp_path / "submission.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["ImageId"] for row in rows} == {"d.tif"}
    assert np.array_equal(np.any([of_runs(row["EncodedPixels"], mask.shape) for row in rows], axis=0), mask)


def test_the_second_time_they_are_kept_and_what_is_missing_is_made(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image = tiny_run.folder / "images" / "d.tif"
    predict(tiny_run.run, [image], tmp_path, context_of(), overlay=True)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    predict(tiny_run.run, [image], tmp_path, context_of(), overlay=True, polygons=True)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after.pop("d_polygons.gpkg")
    assert after == before


def test_files_of_other_maps_and_unknown_classes_are_refused_before_any_work(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image = tiny_run.folder / "images" / "d.tif"
    (tmp_path / "d_polygons.gpkg").write_bytes(b"mine")
    with pytest.raises(ConflictError, match=r"holds files of other maps: d_polygons\.gpkg"):
        predict(tiny_run.run, [image], tmp_path, context_of(), polygons=True)
    with pytest.raises(UsageError, match="--rle names 'nothing'; the model's classes are"):
        predict(tiny_run.run, [image], tmp_path, context_of(), rle="nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["d_polygons.gpkg"]


def test_pictures_of_large_images_are_thinned(
    tiny_run: Any, tmp_path: Path, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tiny_run.folder / "images" / "d.tif"
    predict(tiny_run.run, [image], tmp_path / "whole", context_of(), overlay=True)
    height, width = pixels(tmp_path / "whole" / "d_predseg.tif").shape
    monkeypatch.setattr(map_files, "LARGEST_PICTURE_PX", max(height, width) // 2)
    predict(tiny_run.run, [image], tmp_path / "thin", context_of(), overlay=True)
    step = -(-max(height, width) // (max(height, width) // 2))
    assert Image.open(tmp_path / "thin" / "d_segoverlay.png").size == (-(-width // step), -(-height // step))


def test_a_geotiff_map_has_a_style_beside_it_that_stays(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image, legend = tiny_run.folder / "images" / "d.tif", load(tiny_run.run).legend
    predict(tiny_run.run, [image], tmp_path, context_of())
    style = tmp_path / "d_predseg.qml"
    entries = ET.fromstring(style.read_text(encoding="utf-8").partition("\n")[2]).iter("paletteEntry")
    found = [(entry.get("value"), entry.get("label"), entry.get("color")) for entry in entries]
    assert found == [(str(each.value), each.name, hex_color(each.color)) for each in legend.classes]
    style.write_text("mine", encoding="utf-8")
    predict(tiny_run.run, [image], tmp_path, context_of())
    assert style.read_text(encoding="utf-8") == "mine"


def test_a_png_map_has_no_style(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    with rasterio.open(tiny_run.folder / "images" / "d.tif") as file:
        np.save(tmp_path / "d.npy", file.read())
    predict(tiny_run.run, [tmp_path / "d.npy"], tmp_path / "out", context_of())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["areas.csv", "d_predseg.png"]
