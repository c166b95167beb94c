"""A class map as an array of xarray."""

import sys

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.errors import EnvironmentFault
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.prediction.outputs.labelled_array import to_dataarray
from terrazzo.rasters.grid import Grid

LEGEND = Legend(classes=(LegendClass(value=0, name="open sea", color=(0, 0, 0)), LegendClass(value=7, name="ice", color=(9, 8, 7))))
PLACE = Affine(2, 0, 500, 0, -3, 900)


@pytest.fixture
def values() -> NDArray[np.uint8]:
    return np.random.default_rng(0).choice(np.array([0, 7, 255], np.uint8), (5, 4))


def test_coordinates_are_the_middles_of_the_pixels(values: NDArray[np.uint8]) -> None:
    array = to_dataarray(values, Grid(shape=(5, 4), crs=CRS.from_epsg(32633), transform=PLACE), LEGEND)
    assert array.dims == ("y", "x")
    assert np.array_equal(array.values, values)
    assert array["x"].values.tolist() == [501, 503, 505, 507]
    assert array["y"].values.tolist() == [898.5, 895.5, 892.5, 889.5, 886.5]


def test_the_place_and_the_legend_go_along(values: NDArray[np.uint8]) -> None:
    array = to_dataarray(values, Grid(shape=(5, 4), crs=CRS.from_epsg(32633), transform=PLACE), LEGEND)
    place = array.coords[array.attrs["grid_mapping"]].attrs
    assert CRS.from_wkt(place["crs_wkt"]) == CRS.from_epsg(32633)
    assert [float(part) for part in place["GeoTransform"].split()] == [500, 2, 0, 900, 0, -3]
    assert array.attrs["_FillValue"] == 255
    assert array.attrs["flag_values"].tolist() == [0, 7]
    assert array.attrs["flag_meanings"] == "open_sea ice"
    assert array.attrs["classes"] == {0: "open sea", 7: "ice"}


@pytest.mark.parametrize("transform", [None, Affine.rotation(30)])
def test_without_a_straight_place_there_are_no_coordinates(values: NDArray[np.uint8], transform: Affine | None) -> None:
    array = to_dataarray(values, Grid(shape=(5, 4), transform=transform), LEGEND)
    assert not {"x", "y"} & {*array.coords}
    assert ("spatial_ref" in array.coords) == (transform is not None)


def test_without_xarray_it_says_what_to_install(values: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'terrazzo\[xarray\]'"):
        to_dataarray(values, Grid(shape=(5, 4)), LEGEND)
