"""mosaic: which tiles go together, what counts where they overlap, and the file that they become."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.merge import merge
from tests.rasters.cloud_optimised import problems_of

from terrazzo.errors import ConflictError, DataError, RasterError, UsageError
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import open_context
from terrazzo.workflows.mosaic import mosaic

PLACE = Affine(2, 0, 500_000, 0, -2, 5_000_000)
SHARED = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, values: NDArray[Any], col: float = 0, row: float = 0, **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    settings = {"crs": "EPSG:32633", "transform": PLACE @ Affine.translation(col, row), "dtype": values.dtype.name, **profile}
    with rasterio.open(path, "w", driver="GTiff", count=count, height=height, width=width, **settings) as file:
        file.write(values)
    return path


def filled(value: float, shape: tuple[int, int, int] = (1, 8, 8), dtype: str = "int16") -> NDArray[Any]:
    return np.full(shape, value, dtype)


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        found: NDArray[Any] = file.read()
        return found


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two tiles of 8 x 8 that share 4 columns; each has a hole there."""
    one, two = filled(10), filled(21)
    one[0, 0, 5] = one[0, 7, 7] = -1
    two[0, 0, 2] = two[0, 7, 3] = -1
    return [write(tmp_path / "one.tif", one, nodata=-1), write(tmp_path / "two.tif", two, col=4, nodata=-1)]


@pytest.mark.parametrize(
    ("overlap", "inside", "hole_of_one", "hole_of_two"),
    [("first", 10, 21, 10), ("last", 21, 21, 10), ("min", 10, 21, 10), ("max", 21, 21, 10), ("mean", 16, 21, 10)],
)
def test_what_counts_where_tiles_overlap(
    pair: list[Path], tmp_path: Path, overlap: str, inside: int, hole_of_one: int, hole_of_two: int
) -> None:
    mosaic(pair, tmp_path / "out.tif", overlap=overlap)
    found = read(tmp_path / "out.tif")[0]
    assert found.shape == (8, 12)
    assert (found[3, 4:8] == inside).all()
    assert (found[0, 5], found[0, 6]) == (hole_of_one, hole_of_two)
    assert found[7, 7] == -1, "a hole of both"
    assert (found[3, :4] == 10).all()
    assert (found[3, 8:] == 21).all()


def test_min_and_max_are_those_of_rasterio(pair: list[Path], tmp_path: Path) -> None:
    for rule in ("min", "max", "first", "last"):
        mosaic(pair, tmp_path / f"{rule}.tif", overlap=rule)
        expected, transform = merge(pair, method=rule)
        np.testing.assert_array_equal(read(tmp_path / f"{rule}.tif"), expected)
        with rasterio.open(tmp_path / f"{rule}.tif") as file:
            assert file.transform == transform


def test_tiles_that_differ_are_named_if_asked(pair: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"two\.tif differs from .*one\.tif .* column 4, row 0") as caught:
        mosaic(pair, tmp_path / "out.tif", overlap="error")
    assert caught.value.exit_code == 3
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "out.tif").exists()
    with pytest.raises(UsageError, match="allowed are first, last"):
        mosaic(pair, tmp_path / "out.tif", overlap="best")


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"crs": "EPSG:32634"}, "in different CRS: EPSG:32633: 1 .*one.tif.*; EPSG:32634: 1 .*two.tif"),
        ({"transform": PLACE @ Affine.translation(8, 0) @ Affine.scale(1.01)}, "do not lie on the pixels of .*one.tif.*two.tif"),
        ({"col": 8.01}, "do not lie on the pixels of .*one.tif.*two.tif"),
        ({"transform": PLACE @ Affine.translation(8, 0) @ Affine.rotation(1)}, "do not lie on the pixels"),
        ({"values": filled(1, (2, 8, 8))}, "different numbers of bands: 1: 1 .*one.tif.*; 2: 1 .*two.tif"),
        ({"values": filled(1, dtype="uint8")}, "different types of values: int16: .*uint8"),
        ({"nodata": 5}, "different nodata values: None: .*5.*--nodata"),
        ({"crs": None, "transform": None}, "1 of 2 tiles have no place on the ground: .*two.tif"),
    ],
)
def test_tiles_that_do_not_go_together_are_named(tmp_path: Path, second: dict[str, Any], sentence: str) -> None:
    settings = {"values": filled(1), "col": 8, **second}
    tiles = [write(tmp_path / "one.tif", filled(1)), write(tmp_path / "two.tif", settings.pop("values"), **settings)]
    with pytest.raises(DataError, match=sentence):
        mosaic(tiles, tmp_path / "out.tif")


def test_all_broken_tiles_are_named(tmp_path: Path) -> None:
    write(tmp_path / "tiles" / "good.tif", filled(1))
    for name in ("bad", "worse"):
        (tmp_path / "tiles" / f"{name}.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(RasterError, match=r"(?s)2 of 3 tiles cannot be used.*bad\.tif.*worse\.tif"):
        mosaic([tmp_path / "tiles"], tmp_path / "out.tif")


def test_legends_that_differ_are_refused_and_equal_ones_kept(tmp_path: Path) -> None:
    def classes(name: str, col: int, legend: str) -> Path:
        path = write(tmp_path / name, filled(3, dtype="uint8"), col=col, nodata=255)
        with rasterio.open(path, "r+") as file:
            file.update_tags(TERRAZZO_LEGEND=legend, OWN=name)
            file.write_colormap(1, {3: (7, 8, 9, 255)})
        return path

    tiles = [classes("one.tif", 0, "a"), classes("two.tif", 8, "a"), classes("three.tif", 16, "b")]
    mosaic(tiles[:2], tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as file:
        assert file.tags()["TERRAZZO_LEGEND"] == "a"
        assert "OWN" not in file.tags()
        assert file.colormap(1)[3] == (7, 8, 9, 255)
    with pytest.raises(DataError, match="different legends"):
        mosaic(tiles, tmp_path / "other.tif")


def test_holes_between_tiles_are_nodata_or_masked(tmp_path: Path) -> None:
    def cross(nodata: int | None) -> list[Path]:
        folder = tmp_path / str(nodata)
        return [write(folder / "a.tif", filled(0), nodata=nodata), write(folder / "b.tif", filled(0), col=8, row=8, nodata=nodata)]

    corner = np.kron(np.eye(2, dtype=bool), np.ones((8, 8), bool))
    for nodata in (None, -3):
        mosaic(cross(nodata), tmp_path / f"{nodata}.tif")
        with rasterio.open(tmp_path / f"{nodata}.tif") as file:
            np.testing.assert_array_equal(file.dataset_mask() != 0, corner)
        with open_raster(tmp_path / f"{nodata}.tif") as raster:
            np.testing.assert_array_equal(raster.read().valid, corner)
    assert (read(tmp_path / "-3.tif")[0][~corner] == -3).all()
    mosaic(cross(None), tmp_path / "given.tif", nodata=99)
    assert (read(tmp_path / "given.tif")[0][~corner] == 99).all()
    with pytest.raises(DataError, match="holds 0 as a value"):
        mosaic(cross(None), tmp_path / "bad.tif", nodata=0)
    with pytest.raises(DataError, match="no pixel of type int16"):
        mosaic(cross(None), tmp_path / "bad.tif", nodata=0.5)


def test_nodata_of_several_kinds_becomes_one(tmp_path: Path) -> None:
    one, two = filled(4), filled(5)
    one[0, 0, 0], two[0, 0, 0] = -1, -2
    tiles = [write(tmp_path / "one.tif", one, nodata=-1), write(tmp_path / "two.tif", two, col=8, nodata=-2)]
    mosaic(tiles, tmp_path / "out.tif", nodata=-9)
    found = read(tmp_path / "out.tif")[0]
    assert (found[0, 0], found[0, 8], found[1, 1], found[1, 9]) == (-9, -9, 4, 5)


def test_tiles_without_a_place_are_laid_by_their_names(tmp_path: Path) -> None:
    values = np.arange(16 * 24, dtype=np.int16).reshape(1, 16, 24)
    bare: dict[str, Any] = {"crs": None, "transform": None}
    for col, row in ((0, 0), (8, 0), (16, 0), (0, 8), (8, 8), (16, 8)):
        write(tmp_path / "tiles" / f"frame_{col}_{row}.tif", values[:, row : row + 8, col : col + 8], **bare)
    mosaic([tmp_path / "tiles"], tmp_path / "out.tif")
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), values)
    write(tmp_path / "tiles" / "other_0_16.tif", values[:, :8, :8], **bare)
    with pytest.raises(DataError, match="2 images without a place"):
        mosaic([tmp_path / "tiles"], tmp_path / "out.tif")
    write(tmp_path / "tiles" / "last.tif", values[:, :8, :8], **bare)
    with pytest.raises(DataError, match=r"names that end in _COLUMN_ROW in pixels: .*last\.tif"):
        mosaic([tmp_path / "tiles"], tmp_path / "out.tif")


def test_chips_that_were_left_out_make_no_difference(tmp_path: Path) -> None:
    values = np.arange(1, 41 * 50 + 1, dtype=np.int16).reshape(1, 41, 50)
    values[:, :16] = 0
    image = write(tmp_path / "scene.tif", values, nodata=0)
    chip([image], tmp_path / "chips", context=open_context(None, ["chip.size=16"]))
    mosaic([tmp_path / "chips"], tmp_path / "out.tif")
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), values)
    with rasterio.open(tmp_path / "out.tif") as file:
        assert file.transform.almost_equals(PLACE)
    mosaic([tmp_path / "chips"], tmp_path / "small.tif", crop=True)
    np.testing.assert_array_equal(read(tmp_path / "small.tif"), values[:, 16:])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bands", [1, 3])
def test_the_file_is_cloud_optimised(tmp_path: Path, masked: bool, bands: int) -> None:  # noqa: FBT001
    rng = np.random.default_rng(0)
    values = rng.integers(1, 200, (bands, 1100, 1400), np.uint8)
    write(tmp_path / "a.tif", values)
    write(tmp_path / "b.tif", values[:, :100, :100], col=1400, row=1000 if masked else 0)
    mosaic([tmp_path / "a.tif", tmp_path / "b.tif"], tmp_path / "out.tif")
    assert problems_of(tmp_path / "out.tif") == []
    with rasterio.open(tmp_path / "out.tif") as file:
        assert file.overviews(1) == [2, 4]
        assert file.block_shapes == [(512, 512)] * bands
        assert file.profile["compress"] == "zstd"
        np.testing.assert_array_equal(file.read(window=((0, 1100), (0, 1400))), values)
        shown = np.zeros(file.shape, bool)
        shown[:1100, :1400] = True
        shown[(1000 if masked else 0) :, 1400:][:100] = True
        np.testing.assert_array_equal(file.dataset_mask() != 0, shown)
        half = file.read(1, out_shape=(file.height // 2, file.width // 2))
    expected = values[0, :1100, :1400].reshape(550, 2, 700, 2).mean(axis=(1, 3))
    assert np.abs(half[:549, :699] - expected[:549, :699]).max() <= 1


def test_only_a_mosaic_is_written_over(tmp_path: Path, pair: list[Path]) -> None:
    mosaic(pair, tmp_path / "out.tif")
    mosaic(pair, tmp_path / "out.tif", overlap="last")
    held = pair[0].read_bytes()
    with pytest.raises(ConflictError, match="is no mosaic"):
        mosaic(pair, pair[0])
    assert pair[0].read_bytes() == held
    with pytest.raises(UsageError, match=r"ends in \.tif"):
        mosaic(pair, tmp_path / "out.png")


MEMORY = """
import resource, sys
from terrazzo.workflows.mosaic import mosaic
from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import Context, open_context
folder, verb = sys.argv[1], sys.argv[2]
made = open_context(None, ["chip.size=512"])
context = Context(recipe=made.recipe, threads=1)
if verb == "chip":
    chip([folder + "/scene.tif"], folder + "/chips", context=context)
else:
    mosaic([folder + "/chips"], folder + "/out.tif", context=context)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_raster(tmp_path: Path) -> None:
    used: dict[str, list[int]] = {"chip": [], "mosaic": []}
    for side in (2048, 6144):
        folder = tmp_path / str(side)
        folder.mkdir()
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "zstd", "crs": "EPSG:32633", "transform": PLACE}
        with rasterio.open(folder / "scene.tif", "w", driver="GTiff", count=3, height=side, width=side, dtype="uint8", **layout) as file:
            for row in range(0, side, 512):
                file.write(np.full((3, 512, side), row // 512 + 1, np.uint8), window=((row, row + 512), (0, side)))
        for verb, found in used.items():
            environment = {**os.environ, "GDAL_CACHEMAX": "32"}
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", MEMORY, str(folder), verb],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            found.append(int(done.stdout))
    # 108 MiB of pixels more, nine times as many
    for small, large in used.values():
        assert large - small < 60, used


@pytest.mark.parametrize("name", ["solaris_footprints/sample_geotiff.tif", "nrcan_gdl/massachusetts/22978945_15.tif"])
def test_real_images_come_back(tmp_path: Path, name: str) -> None:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the project (../shared/data)")
    chip([path], tmp_path / "chips", context=open_context(None, ["chip.size=256"]))
    mosaic([tmp_path / "chips"], tmp_path / "out.tif")
    with rasterio.open(path) as before, rasterio.open(tmp_path / "out.tif") as after:
        assert (after.crs, after.transform, after.nodata) == (before.crs, before.transform, before.nodata)
        np.testing.assert_array_equal(after.read(), before.read())
        np.testing.assert_array_equal(after.read_masks(), before.read_masks())


def test_real_tiles_make_what_rasterio_makes_of_them(tmp_path: Path) -> None:
    folder = SHARED / "detectree_tests" / "img"
    if not folder.is_dir():
        pytest.skip("detectree_tests is not beside the project (../shared/data)")
    tiles = sorted(folder.glob("*.tif"))
    mosaic([folder], tmp_path / "out.tif", overlap="error")
    expected, transform = merge(tiles)
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), expected)
    with rasterio.open(tmp_path / "out.tif") as file, rasterio.open(tiles[0]) as first:
        assert (file.transform, file.crs) == (transform, first.crs)
