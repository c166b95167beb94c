"""Bands by number and by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.bands import band_words
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster

MakeTiff = Callable[..., Path]
PATH = Path("a.tif")


@pytest.fixture
def named(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> Path:
    path = make_tiff(ramp)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("Red", "Near infrared", None)
    return path


def test_names_and_numbers_choose_bands_in_the_given_order(named: Path, ramp: NDArray[np.uint16]) -> None:
    with open_raster(named, DataOptions(bands=["near INFRARED", 3, "red"])) as raster:
        assert raster.band_names == ("Near infrared", None, "Red")
        assert raster.all_band_names == ("Red", "Near infrared", None)
        np.testing.assert_array_equal(raster.read().values, ramp[[1, 2, 0]])


@pytest.mark.parametrize("name", ["nir", "re", "red ", "1", ""])
def test_other_names_are_refused_with_those_there_are(named: Path, name: str) -> None:
    with pytest.raises(RasterError, match=r"image\.tif has no band '.*' but 1 \(Red\), 2 \(Near infrared\), 3\."):
        open_raster(named, DataOptions(bands=[name]))


def test_a_name_of_several_bands_is_refused(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    path = make_tiff(ramp)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("B1", "b1", "b2")
    with pytest.raises(RasterError, match=r"2 bands 'b1': 1, 2\. Give a number"):
        open_raster(path, DataOptions(bands=["b1"]))
    assert open_raster(path, DataOptions(bands=["B2"])).bands == 1


def test_files_without_names_say_so(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    with pytest.raises(RasterError, match=r"no band 'red' but 1, 2, 3\."):
        open_raster(make_tiff(ramp), DataOptions(bands=["red"]))


def test_nodata_follows_the_bands_that_names_choose(named: Path) -> None:
    assert open_raster(named, DataOptions(nodata=[1, 2, 3], bands=["near infrared", 1])).nodata == (2, 1)


def test_long_lists_are_cut() -> None:
    assert band_words(("a", None)) == "1 (a), 2"
    assert band_words([None] * 200).endswith("29, 30 and 170 more")


def test_eight_bands_of_650_pixels_read_as_they_are(make_tiff: MakeTiff) -> None:
    values = np.random.default_rng(0).integers(0, 2**11, (8, 650, 650), np.uint16)
    with open_raster(make_tiff(values, compress="zstd", tiled=True), DataOptions(bands=[7, 5, 3, 2, 8, 1, 4, 6])) as raster:
        assert (raster.bands, raster.dtype.name, raster.shape) == (8, "uint16", (650, 650))
        np.testing.assert_array_equal(raster.read().values, values[[6, 4, 2, 1, 7, 0, 3, 5]])
