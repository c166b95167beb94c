"""Maps on disk: their names, their legend, what they were made with, and that they are whole or not there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS

from terrazzo.errors import RasterError
from terrazzo.labels.legend import Legend
from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.maps import Watch, provenance_of, write_maps
from terrazzo.prediction.outputs.areas import class_areas
from terrazzo.prediction.outputs.names import map_path, probabilities_path
from terrazzo.prediction.prediction import Prediction
from terrazzo.prediction.stream import Job, predict_rows
from terrazzo.progress import Silent
from terrazzo.rasters.raster import Raster, open_raster

PLACE = {"crs": CRS.from_epsg(32633), "transform": Affine(2, 0, 500, 0, -2, 900)}


def indices_of(predictor: Any, path: Path) -> NDArray[np.uint8]:
    rows = predict_rows([predictor.job(open_raster(path))], predictor, lambda _: None)
    return np.concatenate([each.indices() for each in rows])


class TestNames:
    def test_a_geotiff_makes_a_geotiff_with_or_without_a_place(self, write_tiff: Any, tmp_path: Path) -> None:
        for profile in ({}, PLACE):
            raster = open_raster(write_tiff(4, 4, **profile))
            assert map_path(tmp_path, "sub/image", raster) == tmp_path / "sub" / "image_predseg.tif"

    @pytest.mark.parametrize("name", ["image.png", "image.npy"])
    def test_an_image_that_is_no_geotiff_makes_a_png(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        if path.suffix == ".png":
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        else:
            np.save(path, np.zeros((4, 4)))
        assert map_path(tmp_path, "image", open_raster(path)) == tmp_path / "image_predseg.png"

    def test_fits_with_a_place_makes_a_geotiff(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_tiff: Any) -> None:
        raster: Raster = open_raster(write_tiff(4, 4, **PLACE))
        monkeypatch.setattr(raster, "format", "FITS")
        assert map_path(tmp_path, "a", raster).name == "a_predseg.tif"

    def test_probabilities_lie_beside_their_map(self) -> None:
        assert probabilities_path(Path("out/a_b_predseg.png")) == Path("out/a_b_probabilities.tif")


@pytest.mark.parametrize("shape", [(1, 1), (5, 9), (40, 56)])
def test_a_geotiff_map_has_the_grid_the_values_and_the_legend(
    make_predictor: Any, write_tiff: Any, tmp_path: Path, shape: tuple[int, int]
) -> None:
    hole = np.zeros(shape, np.bool_)
    hole[-1, -1] = True
    path, predictor, out = write_tiff(*shape, hole=hole, **PLACE), make_predictor(), tmp_path / "out" / "image_predseg.tif"
    assert write_maps({out: predictor.job(open_raster(path))}, predictor, Silent()) == [out]
    with rasterio.open(out) as found:
        assert (found.crs, found.transform, found.nodata) == (PLACE["crs"], PLACE["transform"], 255)
        expected = predictor.bundle.legend.decode(indices_of(predictor, path))
        assert np.array_equal(found.read(1), expected)
        assert expected[-1, -1] == 255
        assert Legend.from_json(found.tags()["TERRAZZO_LEGEND"]) == predictor.bundle.legend
        assert found.colormap(1)[9] == (9, 0, 0, 255)
    assert provenance_of(out) == predictor.provenance(open_raster(path))


@pytest.mark.parametrize("median", [0, 2])
@pytest.mark.parametrize("threshold", [None, {"wood": 0.3}, {"wood": "otsu"}])
def test_pixels_that_are_unsure_have_a_value_of_their_own(
    make_predictor: Any, write_tiff: Any, tmp_path: Path, threshold: Any, median: int
) -> None:
    hole = np.zeros((40, 56), np.bool_)
    hole[3:9, 4:30] = True
    path, out = write_tiff(40, 56, hole=hole), tmp_path / "image_predseg.tif"
    plain, predictor = (make_predictor(threshold=threshold, median=median, unsure=unsure) for unsure in (None, 0.6))
    write_maps({out: predictor.open_job(path)}, predictor, Silent())
    classes = Prediction(plain.open_job(path), plain).classes
    rows = list(predict_rows([plain.open_job(path)], plain, lambda _: None))
    largest = np.concatenate([each.probabilities().max(axis=0) for each in rows]) / PROBABILITY_ONE
    with rasterio.open(out) as found:
        values = found.read(1)
        assert found.colormap(1)[254] == (128, 128, 128, 255)
        legend = Legend.from_json(found.tags()["TERRAZZO_LEGEND"])
    assert (legend.names, legend.shown[-1].name) == (("sea", "sand", "wood"), "unsure")
    assert np.array_equal(values == 255, hole)
    assert np.array_equal(values, Prediction(predictor.open_job(path), predictor).classes)
    if not median:
        assert np.array_equal(values, np.where((largest < 0.6) & ~hole, 254, classes))
    assert 0.05 < np.mean(values == 254) < 0.95
    assert np.array_equal(legend.plain().encode(values) == 255, (values == 254) | hole)
    areas = {area.name: area.pixels for area in class_areas(out)}
    assert areas["unsure"] == np.count_nonzero(values == 254)


def test_a_png_map_has_class_values_as_its_indices(make_bundle: Any, make_predictor: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(50, 20, (2, 20, 33)).astype(np.float32))
    predictor, out = make_predictor(), tmp_path / "a_predseg.png"
    write_maps({out: predictor.job(open_raster(tmp_path / "a.npy"))}, predictor, Silent())
    with Image.open(out) as found:
        assert found.mode == "P"
        assert np.array_equal(np.asarray(found), predictor.bundle.legend.decode(indices_of(predictor, tmp_path / "a.npy")))
    assert json.loads(provenance_of(out) or "")["model"] == "abc"


def test_what_is_no_map_has_no_provenance(write_tiff: Any, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_bytes(b"text")
    assert provenance_of(tmp_path / "text.tif") is None
    assert provenance_of(write_tiff(4, 4)) is None


def test_probabilities_are_those_of_the_blend(make_predictor: Any, write_tiff: Any, tmp_path: Path) -> None:
    hole = np.zeros((20, 33), np.bool_)
    hole[3, 4] = True
    path, predictor, out = write_tiff(20, 33, hole=hole), make_predictor(probabilities=True), tmp_path / "image_predseg.tif"
    written = write_maps({out: predictor.job(open_raster(path))}, predictor, Silent())
    assert written == [out, tmp_path / "image_probabilities.tif"]
    rows = predict_rows([predictor.job(open_raster(path))], predictor, lambda _: None)
    expected = np.concatenate([each.probabilities() for each in rows], axis=1)
    with rasterio.open(written[1]) as found:
        assert np.array_equal(found.read(), expected)
        assert found.descriptions == ("sea", "sand", "wood")
        assert found.dtypes[0] == "uint16"
        sums = found.read().sum(axis=0, dtype=np.int64)
    assert sums[3, 4] == 0
    assert np.abs(np.delete(sums.ravel(), 3 * 33 + 4) - PROBABILITY_ONE).max() <= 3


def test_every_row_is_shown_once_as_it_is_written(make_predictor: Any, write_tiff: Any, tmp_path: Path) -> None:
    predictor = make_predictor()
    paths = [write_tiff(40, 20, name="a.tif"), write_tiff(9, 30, name="b.tif")]
    jobs = {tmp_path / f"{path.stem}_predseg.tif": predictor.job(open_raster(path)) for path in paths}
    shown: dict[int, list[NDArray[np.uint8]]] = {}

    def seen(job: Job, rows: BlendedRows, indices: NDArray[np.uint8]) -> None:
        pieces = shown.setdefault(id(job), [])
        assert rows.row_off == sum(len(piece) for piece in pieces)
        pieces.append(indices)

    write_maps(jobs, predictor, Silent(), Watch(seen=seen))
    for path, job in jobs.items():
        with rasterio.open(path) as found:
            assert np.array_equal(predictor.bundle.legend.decode(np.concatenate(shown[id(job)])), found.read(1))


def test_an_image_that_breaks_leaves_the_finished_maps_and_no_half_one(make_predictor: Any, write_tiff: Any, tmp_path: Path) -> None:
    predictor, out = make_predictor(probabilities=True, batch_size=1), tmp_path / "out"
    good = write_tiff(20, 20, name="a.tif")
    bad = write_tiff(600, 20, name="b.tif", compress="deflate", blockysize=20, tiled=False)
    data = bytearray(bad.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    bad.write_bytes(bytes(data))
    jobs = {out / f"{path.stem}_predseg.tif": predictor.job(open_raster(path)) for path in (good, bad)}
    with pytest.raises(RasterError, match=r"b\.tif"):
        write_maps(jobs, predictor, Silent())
    assert sorted(path.name for path in out.iterdir()) == ["a_predseg.tif", "a_probabilities.tif"]
