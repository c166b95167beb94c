"""predict's other files: made from the finished maps, kept the second time."""

import csv
import shutil
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
from terrazzo.workflows.mask import mask
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


def test_run_lengths_of_maps_come_back_through_mask_as_the_maps(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    """Down the columns and from one on, images of one name in several folders apart, and one without the class as a blank cell."""
    images, maps = tmp_path / "images", tmp_path / "maps"
    for name in ("x/a", "y/a", "empty"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_run.folder / "images" / {"x/a": "a.tif", "y/a": "b.tif", "empty": "c.tif"}[name], images / f"{name}.tif")
    with rasterio.open(images / "empty.tif", "r+") as file:
        file.write(np.zeros((2, *file.shape), np.uint16))
    predict(tiny_run.run, [images], maps, context_of(), rle="water")
    with (maps / "submission.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["EncodedPixels"] for row in rows if row["ImageId"] == "empty.tif"] == [""]
    mask(images, maps / "submission.csv", tmp_path / "masks", context=context_of())
    for name in ("x/a", "y/a", "empty"):
        predicted = pixels(maps / f"{name}_predseg.tif")
        water = [of_runs(row["EncodedPixels"], predicted.shape) for row in rows if row["ImageId"] == f"{name}.tif"]
        assert np.array_equal(np.any(water, axis=0), predicted == 7)
        assert sum(map(np.count_nonzero, water)) == np.count_nonzero(predicted == 7)
        again = pixels(tmp_path / "masks" / f"{name}.tif")
        assert np.array_equal(again, np.where(predicted == 255, 255, predicted == 7))


def test_a_folder_of_pictures_of_any_size(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    """A map and an overlay of each, at its own size, though none is that of the training."""
    shapes = {"small": (5, 9), "long": (7, 90), "high": (65, 33)}
    (tmp_path / "in").mkdir()
    for name, shape in shapes.items():
        np.save(tmp_path / "in" / f"{name}.npy", np.random.default_rng(0).integers(90, 400, (2, *shape), np.uint16))
    predict(tiny_run.run, [tmp_path / "in"], tmp_path / "out", context_of(), overlay=True)
    kinds = ("predseg", "segoverlay")
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {f"{name}_{kind}.png" for name in shapes for kind in kinds}
    for name, (height, width) in shapes.items():
        for kind in kinds:
            with Image.open(tmp_path / "out" / f"{name}_{kind}.png") as picture:
                assert picture.size == (width, height)


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
