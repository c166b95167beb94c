"""GeoTIFFs that are written row by row: cloud-optimised, the same bytes whatever pieces the rows come in, whole or not there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from tests.rasters.cloud_optimised import problems_of

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters import tiff_rows
from terrazzo.rasters.directories import join
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.overviews import Reduction, halved
from terrazzo.rasters.tiff_rows import TiffFile, TiffLayout
from terrazzo.rasters.write import writing_bands

COLORS = {0: (10, 20, 30), 1: (250, 0, 0), 2: (0, 0, 255)}
MAP = TiffLayout(dtype=np.dtype(np.uint8), nodata=255, colors={**COLORS, 255: (0, 0, 0)}, tags={"TERRAZZO_LEGEND": "{}"})
SHARES = TiffLayout(dtype=np.dtype(np.uint16), band_names=("a", "b"), scale=1 / 65535, overviews="mean")
TALL, WIDE = (1555, 701), (37, 2100)


def values_of(layout: TiffLayout, shape: tuple[int, int]) -> NDArray[Any]:
    values = np.random.default_rng(0).integers(0, 3, (len(layout.band_names), *shape)).astype(layout.dtype)
    values[:, : shape[0] // 3, 40:] = 255
    return values


def write(path: Path, layout: TiffLayout, values: NDArray[Any], step: int = 300) -> None:
    grid = Grid(shape=(values.shape[1], values.shape[2]), crs=CRS.from_epsg(32616), transform=Affine(2, 0, 100, 0, -2, 900))
    with writing_bands(path, grid, layout) as rows:
        for top in range(0, values.shape[1], step):
            rows.add(values[:, top : top + step])


@pytest.mark.parametrize("shape", [TALL, WIDE, (512, 512), (3, 5)])
@pytest.mark.parametrize("layout", [MAP, SHARES], ids=["map", "bands"])
def test_a_file_is_cloud_optimised_with_overviews(tmp_path: Path, layout: TiffLayout, shape: tuple[int, int]) -> None:
    values = values_of(layout, shape)
    write(tmp_path / "a.tif", layout, values)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.tif"]
    assert problems_of(tmp_path / "a.tif") == []
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        overviews = dataset.overviews(1)
        assert dataset.subdatasets == []
    assert overviews == {TALL: [2, 4], WIDE: [2, 4, 8]}.get(shape, [])
    expected = values
    for level in range(len(overviews)):
        expected = halved(expected, layout.overviews, layout.nodata)
        with rasterio.open(tmp_path / "a.tif", overview_level=level) as overview:
            np.testing.assert_array_equal(overview.read(), expected)
            assert overview.nodata == layout.nodata
            if layout is MAP:
                assert overview.colormap(1)[2] == (0, 0, 255, 255)


@pytest.mark.parametrize("layout", [MAP, SHARES], ids=["map", "bands"])
def test_bytes_do_not_depend_on_the_pieces(tmp_path: Path, layout: TiffLayout) -> None:
    values = values_of(layout, TALL)
    for step in (1, 77, 512, 2000):
        write(tmp_path / f"{step}.tif", layout, values, step)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("layout", [MAP, SHARES], ids=["map", "bands"])
def test_large_files_are_big_tiffs(tmp_path: Path, layout: TiffLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_rows, "CLASSIC_BYTES", 100_000)
    values = values_of(layout, TALL)
    write(tmp_path / "a.tif", layout, values)
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0"
    assert problems_of(tmp_path / "a.tif") == []
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values)
        assert dataset.overviews(1) == [2, 4]


@pytest.mark.parametrize("level", [0, 1])
def test_a_level_that_the_disk_swallowed_is_found(tmp_path: Path, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(levels: list[Path], target: Path) -> list[int]:
        with rasterio.open(levels[level], "r+") as dataset:
            dataset.write(np.zeros((1, *dataset.shape), np.uint8))
        return join(levels, target)

    monkeypatch.setattr(tiff_rows, "join", lose)
    with pytest.raises(EnvironmentFault, match="does not read back"):
        write(tmp_path / "a.tif", MAP, values_of(MAP, TALL))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, path: Path, *args: Any, **options: Any) -> None:
        if path.stem.endswith("1"):
            raise EnvironmentFault("full")
        begin(self, path, *args, **options)

    begin = tiff_rows._Level.__init__
    monkeypatch.setattr(tiff_rows._Level, "__init__", fail)
    with pytest.raises(EnvironmentFault, match="full"):
        TiffFile(tmp_path / "a.tif", Grid(shape=TALL), MAP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reduction", ["mode", "mean"])
def test_missing_floats_stay_missing(tmp_path: Path, reduction: Reduction) -> None:
    layout = TiffLayout(dtype=np.dtype(np.float32), band_names=("height",), nodata=np.nan, overviews=reduction)
    values = np.full((1, 600, 30), 4.0, np.float32)
    values[:, 300:] = np.nan
    write(tmp_path / "a.tif", layout, values)
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as overview:
        np.testing.assert_array_equal(overview.read(1), values[0, ::2, ::2])
