"""Resampling to another grid; the oracles are rasterio.warp.reproject, WarpedVRT and sums by hand."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject

from terrazzo.errors import RasterError
from terrazzo.rasters import warped
from terrazzo.rasters.grid import Grid, cut_transform
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Window

MakeTiff = Callable[..., Path]
Array = NDArray[Any]

UTM = CRS.from_epsg(32633)
EAST_OF_IT = CRS.from_epsg(32634)


def opened(path: Path, onto: Grid | None = None, **options: Any) -> Raster:
    return open_raster(path, DataOptions.model_validate(options), onto)


def row(make_tiff: MakeTiff, values: Any, **profile: Any) -> Path:
    """An image of one or more bands, (bands, columns), of cells 2 wide and high, from (500000, 5000000); all rows are alike."""
    bands = np.asarray(values)[:, None].repeat(4, axis=1)
    return make_tiff(bands, crs=UTM, transform=Affine(2, 0, 500000, 0, -2, 5000000), **profile)


def shown(pixels: Pixels) -> list[list[float | None]]:
    """The second row of each band, None where it is missing."""
    holes = np.zeros(pixels.values.shape, np.bool_) if pixels.holes is None else pixels.holes
    return [
        [None if gone else float(value) for value, gone in zip(*band, strict=True)]
        for band in zip(pixels.values[:, 1], holes[:, 1], strict=True)
    ]


class TestWhatIsMissing:
    """Cells of 2 read in cells of 1: at a quarter of a cell the value is 3/4 of the nearer and 1/4 of the farther one."""

    EXPECTED: ClassVar = [10, 12.5, 17.5, 20, None, None, 40, 40]

    def test_nodata_never_bleeds(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[10, 20, -9999, 40]], np.float32), nodata=-9999)
        assert shown(opened(path, cell_size=1).read()) == [self.EXPECTED]

    def test_declared_nodata_by_band(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[10, 20, 7, 40], [10, 20, 7, 40], [7, 7, 7, 11]], np.float32))
        pixels = opened(path, cell_size=1, nodata=[7, float("nan"), 7]).read()
        filled = [10, 12.5, 17.5, 16.75, 10.25, 15.25, 31.75, 40]
        assert shown(pixels) == [self.EXPECTED, filled, [None] * 6 + [11, 11]]
        assert pixels.valid.all()
        assert opened(path, cell_size=1, nodata=7).read().valid[0].tolist() == [True] * 4 + [False] * 2 + [True] * 2

    @pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
    def test_nan_and_infinity(self, make_tiff: MakeTiff, hole: float) -> None:
        path = row(make_tiff, np.array([[10, 20, hole, 40]], np.float64), nodata=-1)
        assert shown(opened(path, cell_size=1).read()) == [self.EXPECTED]

    def test_alpha_hides_however_thin_it_is_elsewhere(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[10, 20, 90, 40], [255, 1, 0, 128]], np.uint8))
        with rasterio.open(path, "r+") as dataset:
            dataset.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
        # whole numbers are rounded half up
        assert shown(opened(path, cell_size=1).read()) == [[10, 13, 18, 20, None, None, 40, 40]]

    def test_a_mask_inside_the_file_with_nodata(self, make_tiff: MakeTiff) -> None:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            path = row(make_tiff, np.array([[10, 20, 90, 40], [0, 8, 8, 8]], np.uint16))
            with rasterio.open(path, "r+") as dataset:
                dataset.write_mask(np.array([[255, 255, 0, 255]] * 4, np.uint8))
        pixels = opened(path, cell_size=1, nodata=0).read()
        assert shown(pixels) == [[10, 13, 18, 20, None, None, 40, 40], [None, None, 8, 8, None, None, 8, 8]]
        assert pixels.valid[0].tolist() == [True] * 4 + [False] * 2 + [True] * 2

    def test_a_value_that_happens_to_equal_nodata_is_a_value(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[-3, 3, 5, 0]], np.int16), nodata=0)
        assert shown(opened(path, cell_size=4, resampling="average").read()) == [[0, 5]]

    def test_what_lies_outside_is_missing(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[10, 20]], np.float32))
        grid = Grid(shape=(9, 6), crs=UTM, transform=Affine(1, 0, 499999, 0, -1, 5000001))
        pixels = opened(path, grid).read()
        assert pixels.valid.tolist() == [[False] * 6, *[[False, *[True] * 4, False]] * 8]
        assert pixels.values[0, 3, 1:5].tolist() == [10, 12.5, 17.5, 20]
        assert not pixels.values[0, :, 0].any()

    def test_averages_are_of_what_is_there(self, make_tiff: MakeTiff) -> None:
        path = row(make_tiff, np.array([[1, 3, -9, 5, -9, -9]], np.float32), nodata=-9)
        assert shown(opened(path, cell_size=4, resampling="average").read()) == [[2, 5, None]]

    def test_small_holes_stay_open(self, make_tiff: MakeTiff) -> None:
        values = np.arange(30 * 30, dtype=np.float32).reshape(1, 30, 30)
        values[0, 11, 17] = -9999
        path = make_tiff(values, crs=UTM, transform=Affine(2, 0, 500000, 0, -2, 5000000), nodata=-9999)
        for resampling in ("nearest", "bilinear", "cubic"):
            valid = opened(path, cell_size=1, resampling=resampling).read().valid
            assert np.argwhere(~valid).tolist() == [[22, 34], [22, 35], [23, 34], [23, 35]]


def smooth(height: int, width: int) -> NDArray[np.float32]:
    """(2, height, width) with slopes of at most 1 a pixel, so that differences are pixels of displacement."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([20 * np.sin(rows / 20) + 0.2 * columns, columns.astype(float)]).astype(np.float32)


def reprojected(values: Array, place: Affine, crs: CRS, raster: Raster, method: str) -> Array:
    """All at once, by rasterio, NaN outside."""
    out = np.full((len(values), *raster.shape), np.nan, np.float32)
    there = {"dst_crs": raster.grid.crs, "dst_transform": raster.grid.transform, "dst_nodata": np.nan}
    # left to itself, GDAL chooses kernels by the part of an image that it looks at
    scales = getattr(raster._layer, "_scales", None) or (1, 1)
    kernel = {"resampling": Resampling[method], "XSCALE": scales[0], "YSCALE": scales[1], "UNIFIED_SRC_NODATA": "NO"}
    reproject(values, out, src_transform=place, src_crs=crs, src_nodata=np.nan, **there, **kernel)
    return out


class TestOracles:
    @pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic", "average"])
    @pytest.mark.parametrize(
        ("transform", "cell"),
        [
            (Affine(10, 0, 500003, 0, -10, 5000004), 4),
            (Affine(10, 0, 500003, 0, -10, 5000004), 17),
            (Affine(10, 0, 500003, 0, 10, 5000004), 8.5),
            (Affine(8, 6, 500003, 6, -8, 5000004), 10),
            (Affine(0, 10, 500003, 10, 0, 5000004), 10),
        ],
    )
    def test_in_one_crs_it_is_what_reproject_gives(
        self, make_tiff: MakeTiff, monkeypatch: pytest.MonkeyPatch, method: str, transform: Affine, cell: float
    ) -> None:
        values = np.random.default_rng(0).normal(100, 50, (2, 70, 90)).astype(np.float32)
        path = make_tiff(values, crs=UTM, transform=transform)
        # many blocks, many seams
        monkeypatch.setattr(warped, "BLOCK_PX", 61)
        with opened(path, cell_size=cell, resampling=method) as raster:
            pixels = raster.read()
            expected = reprojected(values, transform, UTM, raster, method)
        np.testing.assert_array_equal(pixels.valid, np.isfinite(expected).all(0))
        np.testing.assert_allclose(pixels.values, np.nan_to_num(expected), rtol=1e-6, atol=1e-4)

    @pytest.mark.parametrize(
        ("transform", "crs", "target"),
        [
            (Affine(10, 0, 500003, 0, -10, 5000004), UTM, "EPSG:32632"),
            (Affine(10, 0, 500003, 0, -10, 5000004), UTM, "EPSG:4326"),
            (Affine(1e-4, 0, 17.9, 0, -1e-4, 45.1), CRS.from_epsg(4326), "EPSG:32633"),
            (Affine(8, 6, 500003, 6, -8, 5000004), UTM, "EPSG:3857"),
            (Affine(1, 0, 233572.4, 0, -1, 915538), CRS.from_epsg(26986), "EPSG:32619"),
        ],
    )
    def test_in_another_crs_it_is_right_within_an_eighth_of_a_pixel(
        self, make_tiff: MakeTiff, transform: Affine, crs: CRS, target: str
    ) -> None:
        values = smooth(320, 440)
        path = make_tiff(values, crs=crs, transform=transform)
        with opened(path, crs=target) as raster:
            pixels = raster.read()
            height, width = raster.shape
            grid = {"crs": target, "transform": raster.grid.transform, "height": height, "width": width}
            kernel = dict(zip(("XSCALE", "YSCALE"), raster._layer._scales, strict=True))  # type: ignore[attr-defined]
        exactly = {"resampling": Resampling.bilinear, "tolerance": 1e-6, "src_nodata": -999, "nodata": -999}
        with rasterio.open(path) as dataset, WarpedVRT(dataset, **grid, **exactly, **kernel) as vrt:
            exact = vrt.read()
        there = (exact != -999).all(0)
        assert (there != pixels.valid).mean() < 2e-4
        both = there & pixels.valid
        assert both.mean() > 0.4
        assert np.abs(pixels.values - exact)[:, both].max() < 0.13

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        seed=st.integers(0, 2**32 - 1), method=st.sampled_from(["nearest", "bilinear", "average"]), crs=st.sampled_from([UTM, EAST_OF_IT])
    )
    def test_an_image_of_any_size_anywhere_on_the_grid(self, make_tiff: MakeTiff, seed: int, method: str, crs: CRS) -> None:
        """No part of a small image is overlooked on a large grid, nor of a large one on a small grid."""
        rng = np.random.default_rng(seed)
        height, width = rng.integers(1, 60, 2)
        cell, target_cell = 10.0 ** rng.uniform(-0.5, 1.5, 2)
        turn = Affine.rotation(rng.uniform(0, 360) if rng.random() < 0.5 else 0)
        a, b, _, d, e, _ = turn[:6]
        place = Affine(a * cell, -b * cell, 500000, d * cell, -e * cell, 5000000)
        values = rng.normal(100, 50, (1, height, width)).astype(np.float32)
        path = make_tiff(values, crs=UTM, transform=place)
        shape = (int(rng.integers(50, 400)), int(rng.integers(50, 400)))
        (x,), (y,) = rasterio.warp.transform(UTM, crs, [500000], [5000000])
        corner = (x - rng.uniform(0, shape[1]) * target_cell, y + rng.uniform(0, shape[0]) * target_cell)
        grid = Grid(shape=shape, crs=crs, transform=Affine(target_cell, 0, corner[0], 0, -target_cell, corner[1]))
        with opened(path, grid, resampling=method) as raster:
            pixels = raster.read()
            expected = reprojected(values, place, UTM, raster, method)
        # an edge may fall on the other side of a centre, as both look places up within an eighth of a pixel
        assert (pixels.valid != np.isfinite(expected[0])).sum() <= (0 if crs == UTM else 3 + 0.02 * pixels.valid.sum())
        # of an image that is smaller than its kernel, GDAL takes the nearest pixel if it knows of no nodata
        if crs == UTM and min(height, width) * cell > 2 * target_cell:
            np.testing.assert_allclose(pixels.values, np.nan_to_num(expected), rtol=1e-5, atol=1e-3)

    def test_a_hole_far_away_does_not_change_a_pixel(self, make_tiff: MakeTiff) -> None:
        """Pixels near what is missing are warped in floating point, others in their own type."""
        values = np.random.default_rng(0).integers(1, 255, (2, 60, 90), np.uint8)
        place = {"crs": UTM, "transform": Affine(7, 0, 500003, 0, -7, 5000004), "nodata": 0}
        for method in ("nearest", "bilinear", "cubic", "average"):
            without = opened(make_tiff(values, **place), cell_size=3, resampling=method).read().values
            holed = values.copy()
            holed[:, 50, 80] = 0
            pixels = opened(make_tiff(holed, **place), cell_size=3, resampling=method).read()
            assert np.abs(pixels.values[:, :100, :150].astype(int) - without[:, :100, :150]).max() <= (method != "nearest")
            assert not pixels.valid[118, 188]

    @pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"])
    def test_every_type_is_kept_and_whole_numbers_are_rounded_within_their_range(self, make_tiff: MakeTiff, dtype: str) -> None:
        kind = np.dtype(dtype)
        top = 2**40 if kind.itemsize == 8 else np.iinfo(dtype).max if kind.kind in "iu" else 2**20
        values = np.random.default_rng(0).choice(np.array([0, top // 3, top], dtype), (1, 30, 40))
        path = make_tiff(values, crs=UTM, transform=Affine(2, 0, 500000, 0, -2, 5000000))
        with opened(path, cell_size=1, resampling="cubic") as raster:
            found = raster.read().values
        assert raster.dtype == found.dtype == kind
        near = opened(path, cell_size=1, resampling="nearest").read().values
        np.testing.assert_array_equal(near, values.repeat(2, 1).repeat(2, 2))
        assert np.abs(found[:, 20:40, 20:40].astype(float) - near[:, 20:40, 20:40]).max() < 1.3 * top

    def test_integers_that_no_float_holds_are_refused(self, make_tiff: MakeTiff) -> None:
        values = np.array([[[1, -(2**60)], [2, 3]]], np.int64)
        place = {"crs": UTM, "transform": Affine(2, 0, 500000, 0, -2, 5000000)}
        with pytest.raises(RasterError, match=r"int64 values up to 1152921504606846976.*Convert"):
            opened(make_tiff(values, **place), cell_size=1).read()
        assert not opened(make_tiff(values, **place), cell_size=1, nodata=-(2.0**60)).read().valid.all()


class TestWindows:
    @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(place=st.tuples(st.integers(-20, 320), st.integers(-20, 320), st.integers(1, 150), st.integers(1, 150)))
    def test_windows_are_crops_of_the_whole(self, far: tuple[Path, Pixels], place: tuple[int, int, int, int]) -> None:
        path, whole_image = far
        window = Window(col_off=place[0], row_off=place[1], width=place[2], height=place[3])
        with opened(path, crs="EPSG:32634", cell_size=3) as raster:
            pixels = raster.read(window)
        around = ((0, 0), (20, 200), (20, 200))
        rows, columns = slice(place[1] + 20, place[1] + 20 + place[3]), slice(place[0] + 20, place[0] + 20 + place[2])
        np.testing.assert_array_equal(pixels.values, np.pad(whole_image.values, around)[:, rows, columns])
        np.testing.assert_array_equal(pixels.valid, np.pad(whole_image.valid, around[1:])[rows, columns])

    @pytest.fixture
    def far(self, make_tiff: MakeTiff) -> tuple[Path, Pixels]:
        values = np.random.default_rng(0).integers(0, 255, (2, 100, 110), np.uint8)
        path = make_tiff(values, crs=UTM, transform=Affine(9, 0, 500003, 0, -9, 5000004), nodata=0)
        with opened(path, crs="EPSG:32634", cell_size=3) as raster:
            return path, raster.read()

    def test_threads_read_the_same(self, far: tuple[Path, Pixels]) -> None:
        path, whole_image = far
        windows = [Window(col_off=column, row_off=row, width=64, height=64) for row in range(0, 240, 40) for column in range(0, 280, 40)]
        with opened(path, crs="EPSG:32634", cell_size=3) as raster, ThreadPoolExecutor(8) as pool:
            for window, pixels in zip(windows, pool.map(raster.read, windows), strict=True):
                np.testing.assert_array_equal(pixels.values, whole_image.values[:, *window.slices])

    def test_a_large_reduction_reads_little_at_once(self, make_tiff: MakeTiff, monkeypatch: pytest.MonkeyPatch) -> None:
        values = np.random.default_rng(0).integers(0, 255, (1, 900, 1200), np.uint8)
        path = make_tiff(values, crs=UTM, transform=Affine(1, 0, 500000, 0, -1, 5000000), tiled=True)
        monkeypatch.setattr(warped, "READ_PX", 200)
        with opened(path, cell_size=20, resampling="average") as raster:
            inner, seen = raster._layer._layer, list[Window]()  # type: ignore[attr-defined]
            read = inner.read

            def spy(window: Window) -> Any:
                seen.append(window)
                return read(window)

            monkeypatch.setattr(inner, "read", spy)
            found = raster.read().values
        assert max(max(window.shape) for window in seen) <= 320
        np.testing.assert_allclose(found[0], values[0].reshape(45, 20, 60, 20).mean((1, 3)), rtol=0, atol=0.501)

    def test_closing_forgets_and_reading_opens_anew(self, far: tuple[Path, Pixels]) -> None:
        path, whole_image = far
        raster = opened(path, crs="EPSG:32634", cell_size=3)
        raster.read()
        raster.close()
        assert not raster._layer._blocks  # type: ignore[attr-defined]
        np.testing.assert_array_equal(raster.read().values, whole_image.values)


class TestOnto:
    """Masks are read on the grid of their image."""

    GRID = Grid(shape=(40, 60), crs=UTM, transform=Affine(1, 0, 500000, 0, -1, 5000000))

    def test_on_the_same_grid_it_is_bit_exact(self, make_tiff: MakeTiff) -> None:
        mask = np.random.default_rng(0).integers(0, 9, (1, 40, 60), np.uint8)
        for transform in (self.GRID.transform, cut_transform(Affine(1, 0, 500000, 0, -1, 5000000), (0.3, 0.3))):
            with opened(make_tiff(mask, crs=UTM, transform=transform), self.GRID) as raster:
                assert raster.grid == self.GRID
                np.testing.assert_array_equal(raster.read().values, mask)

    def test_a_mask_of_other_cells_takes_the_nearest(self, make_tiff: MakeTiff) -> None:
        mask = np.random.default_rng(0).integers(0, 9, (1, 20, 30), np.uint8)
        path = make_tiff(mask, crs=UTM, transform=Affine(2, 0, 500000, 0, -2, 5000000))
        pixels = opened(path, self.GRID, resampling="nearest").read()
        np.testing.assert_array_equal(pixels.values, mask.repeat(2, 1).repeat(2, 2))
        assert pixels.valid.all()

    def test_the_grid_is_stronger_than_the_options(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(np.ones((1, 20, 30), np.uint8), crs=UTM, transform=Affine(2, 0, 500000, 0, -2, 5000000))
        assert opened(path, self.GRID, crs="EPSG:4326", cell_size=1e-5).grid == self.GRID

    def test_without_a_place_the_shape_decides(self, make_tiff: MakeTiff) -> None:
        assert opened(make_tiff(np.ones((1, 40, 60), np.uint8)), self.GRID).read().valid.all()
        with pytest.raises(RasterError, match=r"image\.tif is 40 x 61 pixels .*is 40 x 60"):
            opened(make_tiff(np.ones((1, 40, 61), np.uint8)), self.GRID)

    def test_a_mask_without_a_place_lies_where_its_image_does(self, make_tiff: MakeTiff) -> None:
        values = np.random.default_rng(0).integers(0, 9, (1, 20, 30), np.uint8)
        image = make_tiff(values, "image.tif", crs=UTM, transform=Affine(8, 6, 500000, 6, -8, 5000000))
        mask = make_tiff(values, "mask.tif")
        options = DataOptions(cell_size=7, resampling="nearest")
        with open_raster(image, options) as raster, open_raster(mask, options, raster.grid, raster.place) as labels:
            np.testing.assert_array_equal(labels.read().values, raster.read().values)
            np.testing.assert_array_equal(labels.read().valid, raster.read().valid)


class TestRealFiles:
    def test_a_label_without_a_place_goes_with_its_tile(self, shared: Callable[[str], Path]) -> None:
        folder = shared("detectree_tests")
        for label in sorted((folder / "response_img").glob("*.tif")):
            with open_raster(folder / "img" / label.name) as image, opened(label, image.grid, resampling="nearest") as raster:
                assert raster.grid == image.grid
                with rasterio.open(label) as dataset:
                    np.testing.assert_array_equal(raster.read().values, dataset.read())

    def test_a_tile_on_the_mosaics_grid_moves_and_does_not_change(self, shared: Callable[[str], Path]) -> None:
        folder = shared("detectree_tests")
        tile = folder / "img" / "1091-322_03.tif"
        with open_raster(folder / "big_img" / "1091-322_00.tif") as mosaic, opened(tile, mosaic.grid) as placed:
            pixels = placed.read()
        expected = np.zeros((600, 875), np.bool_)
        expected[360:480, :175] = True
        np.testing.assert_array_equal(pixels.valid, expected)
        with rasterio.open(tile) as dataset:
            np.testing.assert_array_equal(pixels.values[:, 360:480, :175], dataset.read())

    def test_tiles_of_two_resolutions_come_to_one(self, shared: Callable[[str], Path]) -> None:
        tiles = shared("nrcan_gdl") / "tiles"
        for number in (1, 2):
            image, label = (tiles / f"tiled_{kind}_{number}.tif" for kind in ("image", "label"))
            with opened(image, cell_size=0.5) as raster, opened(label, raster.grid, resampling="nearest") as mask:
                assert raster.grid.cell_size == (0.5, 0.5)
                pixels, classes = raster.read(), mask.read().values
                with rasterio.open(image) as dataset:
                    expected = np.zeros((3, *raster.shape), np.uint8)
                    place = {"dst_crs": raster.grid.crs, "dst_transform": raster.grid.transform}
                    kernel = {"XSCALE": dataset.transform.a / 0.5, "YSCALE": dataset.transform.a / 0.5}
                    reproject(rasterio.band(dataset, [1, 2, 3]), expected, **place, **kernel, resampling=Resampling.bilinear)
                    again = np.zeros((1, *raster.shape), np.uint8)
                with rasterio.open(label) as dataset:
                    reproject(rasterio.band(dataset, [1]), again, **place)
            off = pixels.values.astype(int) - expected
            assert np.abs(off).max() <= 1
            assert (off != 0).mean() < 1e-2
            np.testing.assert_array_equal(classes, again)
            assert pixels.valid.mean() > 0.98
