"""What GDAL has written is moved into another order; a file that a full disk has cut or left as zeros is told."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.directories import join, reorder


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Three bands of 96 x 80 pixels in tiles of 16, and two overviews."""
    path = tmp_path / "whole.tif"
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    pixels = np.random.default_rng(0).integers(0, 255, (3, 96, 80), np.uint8)
    with rasterio.open(path, "w", driver="GTiff", width=80, height=96, count=3, dtype="uint8", **layout) as file:
        file.write(pixels)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    return path


def test_all_levels_are_kept(whole: Path, tmp_path: Path) -> None:
    reorder(whole, tmp_path / "ordered.tif")
    with rasterio.open(whole) as before, rasterio.open(tmp_path / "ordered.tif") as after:
        assert np.array_equal(before.read(), after.read())
        assert after.overviews(1) == [2, 4]


@pytest.mark.parametrize("fill", [0, 1], ids=["cut", "zeros"])
def test_a_file_that_is_not_whole_is_told(whole: Path, tmp_path: Path, fill: int) -> None:
    """Wherever it ends, before the values of its last directory; where only pixels are missing, reading back will tell."""
    data, told = whole.read_bytes(), []
    for end in range(0, len(data), 37):
        (tmp_path / "cut.tif").write_bytes(data[:end] + bytes(fill * (len(data) - end)))
        try:
            reorder(tmp_path / "cut.tif", tmp_path / "ordered.tif")
        except EnvironmentFault as error:
            told.append(str(error))
    assert len(told) > len(data) // 37 // 20
    assert all(text.startswith(f"{tmp_path}: what was written does not read back as it was.") for text in told)


def test_levels_without_a_directory_are_told(tmp_path: Path) -> None:
    (tmp_path / "zeros.tif").write_bytes(bytes(500))
    with pytest.raises(EnvironmentFault, match="does not read back"):
        join([tmp_path / "zeros.tif"], tmp_path / "joined.tif")
