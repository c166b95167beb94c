"""predict: maps of images; kept the second time, never another model's."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError, DataError, EnvironmentFault, ModelError, RasterError, RecipeError
from terrazzo.models.bundle import load_bundle
from terrazzo.prediction.engines.choose import Chooser
from terrazzo.prediction.engines.engine import Engine
from terrazzo.prediction.engines.probe import Work
from terrazzo.workflows.context import Context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.model import load
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]


@pytest.fixture
def one(context_of: ContextOf) -> Context:
    return context_of()


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_map_for_each_image_on_its_own_grid(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    done = predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "maps", one)
    assert done.written["outputs"] == [tmp_path / "maps" / f"{name}_predseg.tif" for name in "abcd"]
    assert done.text.splitlines()[0] == f"4 maps in {tmp_path / 'maps'}"
    for name in "abcd":
        with (
            rasterio.open(tiny_run.folder / "images" / f"{name}.tif") as image,
            rasterio.open(tmp_path / "maps" / f"{name}_predseg.tif") as found,
        ):
            assert (found.crs, found.transform, found.shape) == (image.crs, image.transform, image.shape)
            assert np.array_equal(found.read(1) == 255, image.read(1) == 0)


def test_what_is_left_of_a_folder_is_predicted_with_what_the_others_were(
    tiny_run: Any, tmp_path: Path, one: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine depends on how much there is to do: that of the whole folder counts, not of the rest."""
    pixels: list[list[int]] = []
    choose = Chooser.engine_for

    def noting(self: Chooser, work: Work, kept: Any = None) -> Engine:
        pixels[-1].append(work.pixels)
        return choose(self, work, kept)

    monkeypatch.setattr(Chooser, "engine_for", noting)
    for left in ("abcd", "b"):
        pixels.append([])
        for name in left:
            (tmp_path / f"{name}_predseg.tif").unlink(missing_ok=True)
        predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path, one)
    assert pixels[0][0] == pixels[1][0] > pixels[1][-1]


def test_an_image_at_an_address(tiny_run: Any, tmp_path: Path, one: Context, web: Any) -> None:
    image = tiny_run.folder / "images" / "d.tif"
    done = predict(tiny_run.run, [web.add("/far/d.tif", image.read_bytes())], tmp_path / "far", one)
    predict(tiny_run.run, [image], tmp_path / "near", one)
    assert done.written["outputs"] == [tmp_path / "far" / "d_predseg.tif"]
    with rasterio.open(tmp_path / "far" / "d_predseg.tif") as far, rasterio.open(tmp_path / "near" / "d_predseg.tif") as near:
        assert far.transform == near.transform
        assert np.array_equal(far.read(1), near.read(1))
    # the address itself is no secret; what signs it is not kept
    again = predict(tiny_run.run, [f"{web.address}/far/d.tif?token=geheim"], tmp_path / "far", one)
    assert "1 of them kept from before" in again.text


def test_equals_the_map_that_the_run_left(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    predict(tiny_run.run / "model", [tiny_run.folder / "images" / "d.tif"], tmp_path, one)
    with rasterio.open(tmp_path / "d_predseg.tif") as mine, rasterio.open(tiny_run.run / "maps" / "d_predseg.tif") as runs:
        classes = mine.read(1)
        assert np.array_equal(classes, runs.read(1))
    assert set(np.unique(classes)) == {0, 7, 255}


def test_thresholds_of_the_class_of_two(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image, threshold = tiny_run.folder / "images" / "d.tif", load_bundle(tiny_run.run).card.thresholds["water"]["f1"]

    def mapped(name: str, value: str) -> NDArray[np.uint8]:
        predict(tiny_run.run, [image], tmp_path / name, context_of(None, f"prediction.threshold={value}", "prediction.probabilities=true"))
        with rasterio.open(tmp_path / name / "d_predseg.tif") as found:
            classes: NDArray[np.uint8] = found.read(1)
        return classes

    best, all_water = mapped("best", "best"), mapped("zero", "0.0")
    with rasterio.open(tmp_path / "best" / "d_probabilities.tif") as found:
        water = found.read(2)
    valid = all_water != 255
    assert (all_water[valid] == 7).all()
    assert np.array_equal(best == 7, valid & (water / 65535 >= threshold - 1e-9))
    with pytest.raises(RecipeError, match="names sand; the classes are land, water"):
        mapped("other", "{sand = 0.5}")


def test_what_is_unsure_is_no_class_to_those_who_read_the_map(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    image, labels, maps = tiny_run.folder / "images" / "d.tif", tiny_run.folder / "labels" / "d.png", tmp_path / "maps"
    context = context_of(None, "prediction.unsure=0.6", "prediction.probabilities=true")
    predict(tiny_run.run, [image], maps, context, overlay=True, polygons=True)
    with rasterio.open(maps / "d_predseg.tif") as file:
        values = file.read(1)
    counted = json.loads(Path(str(evaluate(maps, labels, tmp_path / "out", context).written["evaluation"])).read_text(encoding="utf-8"))
    truth = np.asarray(Image.open(labels))
    assert 0 < np.count_nonzero(values == 254) < values.size - 20
    assert counted["pixels"]["unpredicted"] == np.count_nonzero((values >= 254) & (truth != 255))
    assert [entry["name"] for entry in counted["pixels"]["classes"]] == ["land", "water"]
    polygons = geopandas.read_file(maps / "d_polygons.gpkg")
    assert set(polygons["name"]) <= {"land", "water"}
    assert polygons["pixels"].sum() == np.count_nonzero(np.isin(values, [0, 7]))
    assert pd.read_csv(maps / "areas.csv")["name"].tolist() == ["land", "water", "unsure"]
    assert 'value="254"' in (maps / "d_predseg.qml").read_text(encoding="utf-8")


def test_the_second_time_maps_are_kept(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    predict(tiny_run.run, [images / "a.tif"], tmp_path, one)
    before = stamps(tmp_path)
    done = predict(tiny_run.run, [images / "a.tif"], tmp_path, one)
    assert done.text.splitlines()[0] == f"1 map in {tmp_path}, 1 of them kept from before"
    assert stamps(tmp_path) == before
    done = predict(tiny_run.run, [images], tmp_path, one)
    assert done.text.startswith("4 maps")
    assert done.text.splitlines()[0].endswith(", 1 of them kept from before")
    assert stamps(tmp_path)["a_predseg.tif"] == before["a_predseg.tif"]


def test_another_model_or_other_options_are_a_conflict(
    tiny_run: Any, tmp_path: Path, one: Context, other_model: Path, context_of: ContextOf
) -> None:
    image, out = tiny_run.folder / "images" / "a.tif", tmp_path / "maps"
    predict(tiny_run.run, [image], out, one)
    before = stamps(out)
    for model, context in ((other_model, one), (tiny_run.run, context_of(None, "prediction.overlap=0.25"))):
        with pytest.raises(ConflictError, match=r"did not make: a_predseg\.tif\. Give another OUT") as caught:
            predict(model, [image], out, context)
        assert caught.value.exit_code == 6
    assert stamps(out) == before


def test_another_image_of_the_same_name_is_a_conflict(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    shutil.copy(tiny_run.folder / "images" / "a.tif", tmp_path / "x.tif")
    predict(tiny_run.run, [tmp_path / "x.tif"], tmp_path / "maps", one)
    shutil.copy(tiny_run.folder / "images" / "b.tif", tmp_path / "x.tif")
    with pytest.raises(ConflictError):
        predict(tiny_run.run, [tmp_path / "x.tif"], tmp_path / "maps", one)


def test_a_file_of_the_users_is_never_overwritten(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    (tmp_path / "a_predseg.tif").write_text("mine", encoding="utf-8")
    with pytest.raises(ConflictError):
        predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path, one)
    assert [path.name for path in tmp_path.iterdir()] == ["a_predseg.tif"]


def test_probabilities_on_demand_also_later(tiny_run: Any, tmp_path: Path, one: Context, context_of: ContextOf) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path, one)
    done = predict(tiny_run.run, [image], tmp_path, context_of(None, "prediction.probabilities=true"))
    assert done.written["outputs"] == [tmp_path / "a_predseg.tif", tmp_path / "a_probabilities.tif"]
    with rasterio.open(tmp_path / "a_probabilities.tif") as found:
        assert found.descriptions == ("land", "water")
        values = found.read()
    with rasterio.open(tmp_path / "a_predseg.tif") as found:
        classes = found.read(1)
    clear = (values[0] != values[1]) & (classes != 255)
    assert np.array_equal(np.where(values[1] > values[0], 7, 0)[clear], classes[clear])
    assert (values[:, classes == 255] == 0).all()


def test_an_image_is_scaled_by_what_training_measured(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    """The statistics on disk, by hand: those of the image, which is much brighter, have no part in it."""
    values = np.random.default_rng(1).integers(500, 900, (2, 16, 16), np.uint16)
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", count=2, height=16, width=16, dtype="uint16") as file:
        file.write(values)
    predict(tiny_run.run, [tmp_path / "a.tif"], tmp_path / "maps", context_of(None, "prediction.probabilities=true"))
    bundle = load_bundle(tiny_run.run)
    statistics = [band["statistics"] for band in bundle.card.scaling["bands"]]
    scaled = [(band - each["mean"]) / each["sd"] for band, each in zip(values.astype(float), statistics, strict=True)]
    with torch.inference_mode():
        expected = bundle.network(torch.tensor(np.stack(scaled)[None], dtype=torch.float32))[0].softmax(0).numpy()
    with rasterio.open(tmp_path / "maps" / "a_probabilities.tif") as found:
        np.testing.assert_allclose(found.read() / 65535, expected, atol=1e-4)


def test_entropy_on_demand_is_that_of_the_probabilities(tiny_run: Any, tmp_path: Path, one: Context, context_of: ContextOf) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path, one)
    done = predict(tiny_run.run, [image], tmp_path, context_of(None, "prediction.probabilities=true", "prediction.entropy=true"))
    assert done.written["outputs"] == [tmp_path / f"a_{kind}.tif" for kind in ("predseg", "probabilities", "entropy")]
    with rasterio.open(tmp_path / "a_probabilities.tif") as found:
        shares = found.read() / 65535
    with rasterio.open(tmp_path / "a_entropy.tif") as found:
        assert (found.dtypes, found.nodata, found.descriptions) == (("uint16",), 65535, ("entropy",))
        values, scale = found.read(1), found.scales[0]
    with rasterio.open(tmp_path / "a_predseg.tif") as found:
        missing = found.read(1) == 255
    assert missing.any()
    assert np.array_equal(values == 65535, missing)
    expected = -(shares * np.log2(np.maximum(shares, 1e-9))).sum(axis=0)
    assert np.abs(values * scale - expected)[~missing].max() < 1e-4


def test_without_options_those_of_the_model_hold(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path, one)
    with rasterio.open(tmp_path / "a_predseg.tif") as found:
        options = json.loads(found.tags()["TERRAZZO_PROVENANCE"])["options"]
    assert options["precision"] == "float32"


def test_an_image_that_is_no_geotiff_has_a_png_map(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        np.save(tmp_path / "a.npy", file.read())
    done = predict(tiny_run.run, [tmp_path / "a.npy"], tmp_path / "maps", one)
    assert done.written["outputs"] == [tmp_path / "maps" / "a_predseg.png"]
    with Image.open(tmp_path / "maps" / "a_predseg.png") as found:
        assert found.mode == "P"
        assert set(np.unique(np.asarray(found))) <= {0, 7, 255}


def test_repeated_stems_keep_their_folder(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    for folder in ("x", "y"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(tiny_run.folder / "images" / "a.tif", tmp_path / "in" / folder / "a.tif")
    done = predict(tiny_run.run, [tmp_path / "in"], tmp_path / "out", one)
    assert done.written["outputs"] == [tmp_path / "out" / folder / "a_predseg.tif" for folder in ("x", "y")]


@pytest.mark.parametrize("names", [("x/a.tif", "y/a.tif"), ("x/a.fits", "x/a.npy")])
def test_two_images_are_never_written_to_one_map(tiny_run: Any, tmp_path: Path, one: Context, names: tuple[str, str]) -> None:
    """Folders that hold the same name, or two formats of one name."""
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".tif":
            shutil.copy(tiny_run.folder / "images" / "a.tif", path)
        elif path.suffix == ".npy":
            np.save(path, np.ones((2, 9, 9), np.uint16))
        else:
            fits.PrimaryHDU(np.ones((2, 9, 9), np.int16)).writeto(path)
    with pytest.raises(DataError, match=r"a\.(tif|npy) and .*a\.(tif|fits) would both be mapped to .*a_predseg\.(tif|png)"):
        predict(tiny_run.run, sorted({path.parent for path in paths}), tmp_path / "maps", one)
    assert list((tmp_path / "maps").iterdir()) == []


def test_an_input_given_twice_is_predicted_once(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    images = tiny_run.folder / "images"
    done = predict(tiny_run.run, [images / "a.tif", str(images / "[ab].tif")], tmp_path, one)
    assert [path.name for path in done.written["outputs"]] == ["a_predseg.tif", "b_predseg.tif"]  # type: ignore[union-attr]


class TestRefused:
    def test_other_bands_name_every_image(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        (tmp_path / "in").mkdir()
        for name in ("p", "q"):
            np.save(tmp_path / "in" / f"{name}.npy", np.ones((3, 9, 9)))
        shutil.copy(tiny_run.folder / "images" / "a.tif", tmp_path / "in" / "good.tif")
        with pytest.raises(DataError, match="2 of 3 images cannot be used") as caught:
            predict(tiny_run.run, [tmp_path / "in"], tmp_path / "maps", one)
        assert caught.value.exit_code == 3
        assert "p.npy has 3 bands, the model takes 2" in str(caught.value)
        assert "q.npy" in str(caught.value)
        assert list((tmp_path / "maps").iterdir()) == []

    def test_no_model_before_anything_else(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        with pytest.raises(RecipeError) as caught:
            predict(tmp_path / "nothing", [tiny_run.folder / "images"], tmp_path / "maps", one)
        assert caught.value.exit_code == 2
        assert not (tmp_path / "maps").exists()

    def test_a_pickle(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        (tmp_path / "model.pt").write_bytes(b"\x80\x04.")
        with pytest.raises(ModelError) as caught:
            predict(tmp_path / "model.pt", [tiny_run.folder / "images"], tmp_path / "maps", one)
        assert caught.value.exit_code == 4

    def test_an_unfinished_run_is_no_model(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        (tmp_path / "run" / "model").mkdir(parents=True)
        with pytest.raises(ModelError, match="run that has ended"):
            predict(tmp_path / "run", [tiny_run.folder / "images"], tmp_path / "maps", one)

    def test_no_image(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        with pytest.raises(RasterError, match="No image is found at"):
            predict(tiny_run.run, [tmp_path / "nothing"], tmp_path / "maps", one)

    def test_a_place_that_cannot_be_written(self, tiny_run: Any, tmp_path: Path, one: Context) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(EnvironmentFault) as caught:
            predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "file", one)
        assert caught.value.exit_code == 5


def test_maps_beside_their_images_are_not_mapped_themselves(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    for name in "ab":
        shutil.copy(tiny_run.folder / "images" / f"{name}.tif", tmp_path)
    context = context_of(None, "prediction.probabilities=true")
    first = predict(tiny_run.run, [tmp_path], tmp_path, context)
    before = stamps(tmp_path)
    again = predict(tiny_run.run, [tmp_path], tmp_path, context)
    assert again.written == first.written
    assert stamps(tmp_path) == before


def test_odd_names_survive(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    name = "ünï 🌊 [1] %s" + "x" * 100
    shutil.copy(tiny_run.folder / "images" / "a.tif", tmp_path / f"{name}.tif")
    predict(tiny_run.run, [tmp_path / f"{name}.tif"], tmp_path / "maps", one)
    assert sorted(os.listdir(tmp_path / "maps")) == ["areas.csv", f"{name}_predseg.qml", f"{name}_predseg.tif"]  # noqa: PTH208 - names as the disk holds them


def test_the_model_as_an_object(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    image = tiny_run.folder / "images" / "a.tif"
    predict(tiny_run.run, [image], tmp_path, one)
    with rasterio.open(tmp_path / "a_predseg.tif") as found:
        assert np.array_equal(load(tiny_run.run, "cpu").predict(image).classes, found.read(1))


def test_broken_blocks_are_listed_also_when_the_map_is_kept(tiny_run: Any, tmp_path: Path, one: Context) -> None:
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        profile, values = file.profile, file.read()
    path, out = tmp_path / "a.tif", tmp_path / "maps"
    with rasterio.open(path, "w", **{**profile, "tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}) as file:
        file.write(values)
    with rasterio.open(path) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    whole = path.read_bytes()
    path.write_bytes(whole[:offset] + bytes(255 - value for value in whole[offset : offset + 30]) + whole[offset + 30 :])
    for kept in (False, True):
        done = predict(tiny_run.run, [path], out, one)
        assert done.exit_code == 7
        assert ("kept from before" in done.text) == kept
        assert done.problems == [f"{path}: 1 block cannot be read; the map has no data there. They are listed in {out / 'failures.csv'}."]
        lines = (out / "failures.csv").read_text(encoding="utf-8").splitlines()
        assert lines[0] == '"map","image","col_off","row_off","width","height","reason"'
        assert lines[1].startswith(f'"a_predseg.tif","{path}","16","16","16","16","{path} is broken: rows 16 to')
        assert len(lines) == 2
    path.write_bytes(whole)
    (out / "a_predseg.tif").unlink()
    assert predict(tiny_run.run, [path], out, one).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["a_predseg.qml", "a_predseg.tif", "areas.csv"]
