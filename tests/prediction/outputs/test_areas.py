"""How much of a map each class is."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.labels.class_files import map_style
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.prediction.outputs import areas
from terrazzo.prediction.outputs.areas import class_areas
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.write import MapWriter

LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in ((0, "land"), (3, "sea"), (9, "ice")))
)
SHAPE = (37, 21)


@pytest.fixture(autouse=True)
def _low_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "BAND_PX", 5 * SHAPE[1])


@pytest.fixture
def values() -> NDArray[np.uint8]:
    """Land and sea, and a corner without data."""
    found = np.random.default_rng(0).choice(np.array([0, 3], np.uint8), SHAPE)
    found[:4, :6] = 255
    return found


def write(path: Path, values: NDArray[np.uint8], crs: CRS | None, transform: Affine | None) -> Path:
    with MapWriter(path, Grid(shape=SHAPE, crs=crs, transform=transform), map_style(LEGEND, "{}")) as file:
        file.write(values)
    return path


def test_pixels_shares_and_the_plane(tmp_path: Path, values: NDArray[np.uint8]) -> None:
    found = class_areas(write(tmp_path / "a.tif", values, CRS.from_epsg(32633), Affine(2, 0, 0, 0, -3, 0)))
    assert [(each.value, each.name) for each in found] == [(0, "land"), (3, "sea"), (9, "ice")]
    sea = int(np.count_nonzero(values == 3))
    assert (found[1].pixels, found[1].share) == (sea, sea / (37 * 21 - 24))
    assert found[1].area_m2 == pytest.approx(6 * sea)
    assert (found[2].pixels, found[2].share, found[2].area_m2) == (0, 0, 0)


def test_feet_are_not_metres(tmp_path: Path, values: NDArray[np.uint8]) -> None:
    found = class_areas(write(tmp_path / "a.tif", values, CRS.from_epsg(2263), Affine(10, 0, 0, 0, -10, 0)))
    assert found[0].area_m2 == pytest.approx(found[0].pixels * (10 * 1200 / 3937) ** 2)


def test_degrees_are_measured_on_the_ellipsoid(tmp_path: Path) -> None:
    """The sea is north of the land: its pixels are smaller."""
    values = np.zeros(SHAPE, np.uint8)
    values[:10] = 3
    found = class_areas(write(tmp_path / "a.tif", values, CRS.from_epsg(4326), Affine(0.01, 0, 10, 0, -0.02, 60)))
    geod = pyproj.Geod(ellps="WGS84")
    for each, (north, south) in zip(found, ((59.8, 60 - 0.74), (60, 59.8)), strict=False):
        x = np.concatenate([np.linspace(10, 10.21, 100), np.linspace(10.21, 10, 100)])
        y = np.repeat([south, north], 100)
        assert each.area_m2 == pytest.approx(abs(geod.polygon_area_perimeter(x, y)[0]), rel=1e-5)


def test_without_a_place_there_are_no_square_metres_and_without_pixels_no_share(tmp_path: Path) -> None:
    found = class_areas(write(tmp_path / "a.png", np.full(SHAPE, 255, np.uint8), None, None))
    assert [(each.pixels, each.share, each.area_m2) for each in found] == [(0, 0.0, None)] * 3
