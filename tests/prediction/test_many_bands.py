"""Images of any size and number of bands; bands from files beside each image."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.stream import predict_rows
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster

Make = Callable[..., Any]


def test_eight_bands_of_650_pixels_give_a_map_of_650_pixels(make_bundle: Make, make_predictor: Make, tmp_path: Path) -> None:
    """No side is a multiple of 32, and no user pads."""
    values = np.random.default_rng(0).integers(1, 2**11, (8, 650, 650), np.uint16)
    values[:, :37, :41] = 0
    settings = {"driver": "GTiff", "dtype": "uint16", "count": 8, "height": 650, "width": 650, "nodata": 0}
    with rasterio.open(tmp_path / "a.tif", "w", **settings) as dataset:
        dataset.write(values)
    predictor = make_predictor(make_bundle(bands=8, window=(200, 200)), overlap=0.1)
    job = predictor.job(open_raster(tmp_path / "a.tif"))
    indices = np.concatenate([rows.indices() for rows in predict_rows([job], predictor, lambda _: None)])
    assert indices.shape == (650, 650)
    np.testing.assert_array_equal(indices == IGNORE, values[0] == 0)


def test_the_card_joins_the_bands_and_the_map_is_that_of_the_stacked_file(
    make_bundle: Make, make_predictor: Make, write_tiff: Make, tmp_path: Path
) -> None:
    image, nir = write_tiff(37, 53, "images/a.tif", bands=3), write_tiff(37, 53, "nir/a.tif", bands=1)
    stacked = np.concatenate([rasterio.open(path).read() for path in (image, nir)])
    profile = {"driver": "GTiff", "dtype": "float32", "count": 4, "height": 37, "width": 53, "nodata": -9999}
    with rasterio.open(tmp_path / "stacked.tif", "w", **profile) as dataset:
        dataset.write(stacked)
    bundle = make_bundle(bands=4)
    card = bundle.card.model_copy(update={"reading": DataOptions(extra_bands=["../nir"])})
    predictor = make_predictor(dataclasses.replace(bundle, card=card))
    maps = []
    for raster in (open_raster(image, card.reading), open_raster(tmp_path / "stacked.tif")):
        job = predictor.job(raster)
        maps.append(np.concatenate([rows.indices() for rows in predict_rows([job], predictor, lambda _: None)]))
    np.testing.assert_array_equal(maps[0], maps[1])
    assert "extra_bands" in predictor.provenance(open_raster(image, card.reading))
