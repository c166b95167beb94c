"""Images unlike those of the training: cells of another size, and values that are none of the model's."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject, transform_bounds

from terrazzo.errors import RasterError, UsageError
from terrazzo.models.bundle import CARD
from terrazzo.workflows.context import Context
from terrazzo.workflows.predict import predict

FINE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


@pytest.fixture
def one(context_of: Callable[..., Context]) -> Context:
    return context_of()


@pytest.fixture
def fine(tiny_run: Any, tmp_path: Path) -> Path:
    """Image a of the training, whose cells are 2 m, as one of 0.5 m."""
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        profile, values = file.profile, file.read()
    values = np.kron(values, np.ones((1, 4, 4), np.uint16))
    path = tmp_path / "fine.tif"
    with rasterio.open(path, "w", **{**profile, "height": values.shape[1], "width": values.shape[2], "transform": FINE}) as file:
        file.write(values)
    return path


def classes(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def test_cells_of_another_size_are_told(tiny_run: Any, tmp_path: Path, one: Context, fine: Path, caplog: pytest.LogCaptureFixture) -> None:
    predict(tiny_run.run, [fine, tiny_run.folder / "images" / "b.tif"], tmp_path / "maps", one)
    (told,) = [record.message for record in caplog.records if "cells" in record.message]
    assert told == (
        "The model was trained on cells of 2 x 2; those of fine.tif (0.5 x 0.5) are of another size, so that maps may be poor. "
        "--match-resolution reads them at the model's."
    )


def test_at_the_models_cell_size_and_back(
    tiny_run: Any, tmp_path: Path, one: Context, fine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path / "own", one)
    predict(tiny_run.run, [fine], tmp_path / "matched", one, match_resolution=True)
    assert "trained on cells" not in caplog.text
    found, own = classes(tmp_path / "matched" / "fine_predseg.tif"), classes(tmp_path / "own" / "a_predseg.tif")
    with rasterio.open(tmp_path / "matched" / "fine_predseg.tif") as file:
        assert (file.shape, file.transform) == ((160, 192), FINE)
    # the four by four pixels of a cell of the model: borders between classes are interpolated, the middle of things is the same
    enlarged = np.kron(own, np.ones((4, 4), np.uint8))
    assert np.array_equal(found == 255, enlarged == 255)
    around = np.ones((9, 9), np.uint8)
    inside = cv2.erode(enlarged, around) == cv2.dilate(enlarged, around)
    assert (found == enlarged)[inside].mean() > 0.99
    predict(tiny_run.run, [fine], tmp_path / "unmatched", one)
    assert (classes(tmp_path / "unmatched" / "fine_predseg.tif") == enlarged).mean() < (found == enlarged).mean()


def test_cells_are_compared_in_the_models_crs(tiny_run: Any, tmp_path: Path, one: Context, caplog: pytest.LogCaptureFixture) -> None:
    for name, factor in (("same", 1.0), ("larger", 1.5)):
        with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
            shape = int(file.height / factor), int(file.width / factor)
            place = from_bounds(*transform_bounds(file.crs, "EPSG:4326", *file.bounds), width=shape[1], height=shape[0])
            values = np.zeros((2, *shape), np.uint16)
            reproject(
                file.read(), values, src_transform=file.transform, src_crs=file.crs, src_nodata=0, dst_nodata=0, dst_transform=place,
                dst_crs="EPSG:4326", resampling=Resampling.nearest,
            )  # fmt: skip
        profile = {"driver": "GTiff", "count": 2, "dtype": "uint16", "nodata": 0, "crs": "EPSG:4326", "transform": place}
        with rasterio.open(tmp_path / f"{name}.tif", "w", **profile, height=shape[0], width=shape[1]) as file:
            file.write(values)
    predict(tiny_run.run, [tmp_path / "same.tif", tmp_path / "larger.tif"], tmp_path / "maps", one)
    assert "those of larger.tif (" in caplog.text
    assert "same.tif" not in caplog.text


def test_a_model_without_cells_of_its_own(tiny_run: Any, tmp_path: Path, one: Context, fine: Path) -> None:
    for change, message in (({"cell_size": None}, "has no cell size"), ({"resize": [64, 48]}, "works at 64 x 48 pixels")):
        folder = shutil.copytree(tiny_run.run / "model", tmp_path / message[:3])
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        card = {**card, **change} if "cell_size" in change else {**card, "reading": {**card["reading"], **change}}
        (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
        with pytest.raises(UsageError, match=f"--match-resolution: .*{message}"):
            predict(folder, [fine], tmp_path / "maps", one, match_resolution=True)


@pytest.mark.parametrize("factor", [1, 1.02, 257, 1 / 257])
def test_values_of_another_scale_are_told(
    tiny_run: Any, tmp_path: Path, one: Context, caplog: pytest.LogCaptureFixture, factor: float
) -> None:
    caplog.set_level(logging.WARNING)
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        profile, values = file.profile, file.read()
    with rasterio.open(tmp_path / "x.tif", "w", **{**profile, "dtype": "float32"}) as file:
        file.write((values * factor).astype(np.float32))
    predict(tiny_run.run, [tmp_path / "x.tif"], tmp_path / "maps", one)
    told = [record.message for record in caplog.records if "unlike" in record.message]
    assert bool(told) == (factor not in (1, 1.02))
    if told:
        card = json.loads((tiny_run.run / "model" / CARD).read_text(encoding="utf-8"))
        trained = card["scaling"]["bands"][0]["statistics"]
        assert f"x.tif: band 1 {values[0][values[0] > 0].mean() * factor:.4g} +- " in told[0]
        assert f"(in training {trained['mean']:.4g} +- {trained['sd']:.4g})" in told[0]


def test_all_images_that_cannot_be_read_are_named(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        profile, values = file.profile, file.read()
    for name in "xy":
        path = tmp_path / f"{name}.tif"
        with rasterio.open(path, "w", **profile) as file:
            file.write(values)
        path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(RasterError, match="2 of 2 images cannot be used") as caught:
        predict(tiny_run.run, [tmp_path / "x.tif", tmp_path / "y.tif"], tmp_path / "maps", one)
    assert caught.value.exit_code == 3
