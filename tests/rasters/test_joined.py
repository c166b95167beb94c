"""Bands of files beside an image."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.warp import reproject

from terrazzo.errors import RasterError
from terrazzo.rasters import assembly
from terrazzo.rasters.grid import cut_transform
from terrazzo.rasters.location import to_path
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.siblings import find_siblings
from terrazzo.rasters.window import Window

MakeTiff = Callable[..., Path]
Array = NDArray[Any]

UTM = CRS.from_epsg(32633)
HERE = Affine(1, 0, 500000, 0, -1, 5000000)


def numbers(count: int, height: int, width: int, dtype: str = "uint8", seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(1, 200, (count, height, width)).astype(dtype)


def joined(path: Path, *extra: str, **options: Any) -> Raster:
    return open_raster(path, DataOptions.model_validate({"extra_bands": list(extra), **options}))


class TestFinding:
    def test_a_folder_holds_the_file_of_the_same_stem(self, make_tiff: MakeTiff, tmp_path: Path) -> None:
        image, nir = numbers(3, 9, 11), numbers(1, 9, 11, seed=1)
        path = make_tiff(image, "images/a.tif")
        make_tiff(numbers(1, 9, 11, seed=2), "nir/a.b.tif")
        make_tiff(numbers(1, 9, 11, seed=3), "nir/A2.tif")
        Image.fromarray(nir[0]).save(tmp_path / "nir" / "a.png")
        (tmp_path / "nir" / "a.txt").write_text("notes")
        (tmp_path / "nir" / ".a.tif").write_bytes(b"hidden")
        for entry in ("../nir", str(tmp_path / "nir")):
            with joined(path, entry) as raster:
                assert raster.paths == (path, path.parent / entry / "a.png")
                assert raster.band_names == (None, None, None, "nir")
                np.testing.assert_array_equal(raster.read().values, np.concatenate([image, nir]))

    def test_a_pattern_with_the_stem(self, make_tiff: MakeTiff) -> None:
        image, dem = numbers(1, 5, 6), numbers(1, 5, 6, seed=1)
        path = make_tiff(image, "images/tile [7].tif")
        make_tiff(dem, "dem/2019_tile [7]_dem.tif")
        make_tiff(numbers(1, 5, 6, seed=2), "dem/2019_tile 7_dem.tif")
        for entry in ("../dem/2019_{stem}_dem.tif", "../dem/*_{stem}_*.tif", "../*/*{stem}_dem.*"):
            with joined(path, entry) as raster:
                assert raster.band_names == (None, "dem")
                np.testing.assert_array_equal(raster.read().values[1:], dem)

    def test_a_pattern_in_the_images_own_folder(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(3, 5, 6), "a.tif")
        make_tiff(numbers(1, 5, 6), "a_nir.tif")
        for entry in ("{stem}_nir.tif", "{stem}_*.tif", "{stem}?nir.*"):
            assert joined(path, entry).band_names == (None, None, None, "nir")

    def test_one_file_for_all_images(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 5, 6), "images/a.tif", crs=UTM, transform=HERE)
        make_tiff(numbers(1, 50, 60), "dem/country.tif", crs=UTM, transform=HERE)
        assert joined(path, "../dem/country.tif").band_names == (None, "dem")

    def test_what_is_missing_or_ambiguous_is_told_with_the_places(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 5, 6), "images/a.tif")
        make_tiff(numbers(1, 5, 6), "nir/a.tif")
        make_tiff(numbers(1, 5, 6), "nir/a.png")
        make_tiff(numbers(1, 5, 6), "dem/b.tif")
        with pytest.raises(RasterError) as caught:
            joined(path, "../nir", "../dem", "../gone/{stem}.tif")
        for words in ("images/a.tif needs", r"nir/a.* (a.png, a.tif)", "no image is", "dem/a.*", "gone/a.tif"):
            assert words in str(caught.value)

    def test_nothing_is_looked_for_beside_an_address(self) -> None:
        with pytest.raises(RasterError, match=r"https://host/a\.tif is not on disk.*Download"):
            find_siblings(to_path("https://host/a.tif"), ["../nir"])

    def test_an_image_is_not_its_own_sibling(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 5, 6), "a.tif")
        with pytest.raises(RasterError, match=r"no image is .*a\.\*"):
            joined(path, ".")


class TestBands:
    def test_numbers_go_on_and_names_are_told_apart(self, make_tiff: MakeTiff) -> None:
        image, nir, more = numbers(2, 5, 6), numbers(2, 5, 6, seed=1), numbers(3, 5, 6, seed=2)
        path = make_tiff(image, "images/a.tif")
        make_tiff(nir, "nir/a.tif")
        with rasterio.open(make_tiff(more, "more/nir/a.tif"), "r+") as dataset:
            dataset.descriptions = (None, "slope", "NIR")
        with joined(path, "../nir", "../more/nir") as raster:
            assert raster.band_names == (None, None, "nir_2", "nir_3", "nir_4", "slope", "NIR")
            np.testing.assert_array_equal(raster.read().values, np.concatenate([image, nir, more]))
        with joined(path, "../nir", "../more/nir", bands=["slope", 1, "nir_3", 3, "slope"]) as raster:
            np.testing.assert_array_equal(raster.read().values, np.stack([more[1], image[0], nir[1], nir[0], more[1]]))
            assert raster.band_names == ("slope", None, "nir_3", "nir_2", "slope")
        with pytest.raises(RasterError, match=r"bands 1 to 7"):
            joined(path, "../nir", "../more/nir", bands=[8])

    def test_only_the_bands_of_a_sibling(self, make_tiff: MakeTiff) -> None:
        nir = numbers(1, 5, 6, "int16", seed=1)
        path = make_tiff(numbers(3, 5, 6), "images/a.tif", nodata=7)
        make_tiff(nir, "nir/a.tif", nodata=-1)
        with joined(path, "../nir", bands=["nir"]) as raster:
            assert (raster.dtype.name, raster.nodata) == ("int16", (-1,))
            np.testing.assert_array_equal(raster.read().values, nir)

    def test_more_than_four_bands_from_many_files(self, make_tiff: MakeTiff) -> None:
        """A plain image, its NIR band, a DEM, and two more dates."""
        image, nir, dem = numbers(3, 20, 30), numbers(1, 20, 30, seed=1), numbers(1, 20, 30, "float32", seed=2) / np.float32(8)
        may, june = numbers(3, 20, 30, "uint16", seed=3), numbers(3, 20, 30, "uint16", seed=4)
        path = make_tiff(image, "images/a.tif")
        for values, name in ((nir, "nir/a.tif"), (dem, "dem/a_dem.tif"), (may, "may/a.tif"), (june, "june/a.tif")):
            make_tiff(values, name)
        with joined(path, "../nir", "../dem/{stem}_dem.tif", "../may", "../june") as raster:
            assert (raster.bands, raster.dtype.name) == (11, "float32")
            assert raster.band_names[3:] == ("nir", "dem", "may", "may_2", "may_3", "june", "june_2", "june_3")
            np.testing.assert_array_equal(raster.read().values, np.concatenate([image, nir, dem, may, june]))

    def test_types_are_joined_exactly_or_not_at_all(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 5, 6, "uint64"), "images/a.tif")
        make_tiff(numbers(1, 5, 6, "int64"), "nir/a.tif")
        with pytest.raises(RasterError, match=r"No type holds.*a\.tif \(uint64\), .*a\.tif \(int64\)"):
            joined(path, "../nir")
        make_tiff(numbers(1, 5, 6, "int16"), "low/a.tif")
        make_tiff(numbers(1, 5, 6, "uint16"), "high/a.tif")
        assert joined(make_tiff(numbers(1, 5, 6, "int8"), "images/a.tif"), "../low", "../high").dtype == np.int32


class TestMissing:
    def test_nodata_is_kept_by_band_in_the_type_of_its_file(self, make_tiff: MakeTiff) -> None:
        image = numbers(1, 3, 4, "int32")
        dem = numbers(1, 3, 4, "float32", seed=1)
        image[0, 0, 0], dem[0, 0, :2] = 5, np.finfo(np.float32).min
        dem[0, 2, 3] = np.nan
        path = make_tiff(image, "images/a.tif", nodata=5)
        # written with few digits, as many programs do: no float64 of the joined raster is equal to that
        make_tiff(dem, "dem/a.tif")
        with joined(path, "../dem", nodata=-3.40282e38) as raster:
            pixels = raster.read()
            assert raster.dtype == np.float64
        assert pixels.holes is None or not pixels.holes[1, 0, 1]
        with joined(path, "../dem", nodata=[None, -3.4028235e38]) as raster:
            pixels = raster.read()
        assert pixels.holes is not None
        np.testing.assert_array_equal(pixels.holes[1], [[True, True, False, False], [False] * 4, [False, False, False, True]])
        assert not pixels.valid[0, 0]
        assert np.count_nonzero(pixels.valid) == 11

    def test_the_images_alpha_hides_all_a_siblings_alpha_its_own(self, make_tiff: MakeTiff) -> None:
        image, nir = numbers(2, 3, 4), numbers(2, 3, 4, seed=1)
        image[1, 0], nir[1, :, 0] = 0, 0
        path, beside = make_tiff(image, "images/a.tif"), make_tiff(nir, "nir/a.tif")
        for file in (path, beside):
            with rasterio.open(file, "r+") as dataset:
                dataset.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
        with joined(path, "../nir") as raster:
            assert raster.band_names == (None, "nir")
            pixels = raster.read()
        np.testing.assert_array_equal(pixels.valid, image[1] != 0)
        assert pixels.holes is not None
        np.testing.assert_array_equal(pixels.holes, [image[1] == 0, (image[1] == 0) | (nir[1] == 0)])
        assert not joined(path, "../nir", invalid="any").read().valid[:, 0].any()
        with joined(path, "../nir", bands=["nir"]) as raster:
            np.testing.assert_array_equal(raster.read().valid, nir[1] != 0)

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        seed=st.integers(0, 2**16),
        invalid=st.sampled_from(["all", "any"]),
        place=st.tuples(st.integers(-3, 8), st.integers(-3, 8), st.integers(1, 9), st.integers(1, 9)),
        bands=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    )
    def test_any_window_is_that_of_the_stacked_parts(
        self, make_tiff: MakeTiff, seed: int, invalid: str, place: tuple[int, int, int, int], bands: list[int]
    ) -> None:
        rng = np.random.default_rng(seed)
        parts = [rng.integers(0, 3, (count, 7, 8)).astype(dtype) for count, dtype in ((2, "uint8"), (1, "float32"), (2, "int16"))]
        nodata = [0, 1, None]
        path, *_ = (
            make_tiff(part, f"{name}/a.tif", **({} if value is None else {"nodata": value}))
            for part, name, value in zip(parts, ("images", "x", "y"), nodata, strict=True)
        )
        stacked = np.concatenate(parts).astype(np.float32)
        gone = np.concatenate(
            [part == value if value is not None else np.zeros(part.shape, bool) for part, value in zip(parts, nodata, strict=True)]
        )
        chosen = [band - 1 for band in bands]
        window = Window(col_off=place[0], row_off=place[1], width=place[2], height=place[3])
        around = ((0, 0), (9, 20), (9, 20))
        rows, columns = (slice(start + 9, start + 9 + size) for start, size in ((place[1], place[3]), (place[0], place[2])))
        values = np.pad(stacked[chosen], around)[:, rows, columns]
        holes = np.pad(gone[chosen], around, constant_values=True)[:, rows, columns]
        valid = ~(holes.all(0) if invalid == "all" else holes.any(0))
        with joined(path, "../x", "../y", invalid=invalid, bands=bands) as raster:
            pixels = raster.read(window)
        np.testing.assert_array_equal(pixels.valid, valid)
        np.testing.assert_array_equal(pixels.values, values)
        found = np.zeros(values.shape, np.bool_) if pixels.holes is None else pixels.holes
        np.testing.assert_array_equal(found, holes | ~valid)


class TestOtherGrids:
    def test_a_coarse_dem_joins_a_fine_image(self, make_tiff: MakeTiff, caplog: pytest.LogCaptureFixture) -> None:
        image, dem = numbers(3, 67, 91), np.add.outer(np.arange(12.0), 10 * np.arange(13.0)).astype(np.float32)[None]
        dem[0, 5, 6] = -9999
        around = Affine(10, 0, 499985, 0, -10, 5000012)
        path = make_tiff(image, "images/a.tif", crs=UTM, transform=HERE)
        make_tiff(dem, "dem/a.tif", crs=UTM, transform=around, nodata=-9999)
        make_tiff(dem, "dem/b.tif", crs=UTM, transform=around, nodata=-9999)
        make_tiff(image, "images/b.tif", crs=UTM, transform=HERE)
        assembly._tell_resampled.cache_clear()
        with caplog.at_level(logging.INFO, "terrazzo"), joined(path, "../dem") as raster, joined(path.with_name("b.tif"), "../dem"):
            pixels = raster.read()
        assert caplog.text.count("are resampled (bilinear)") == 1
        np.testing.assert_array_equal(pixels.values[:3], image)
        expected = np.full((1, 67, 91), np.nan, np.float32)
        place = {"src_transform": around, "src_crs": UTM, "dst_transform": HERE, "dst_crs": UTM}
        reproject(dem, expected, **place, src_nodata=-9999, dst_nodata=np.nan, resampling=Resampling.bilinear)
        assert pixels.holes is not None
        np.testing.assert_array_equal(pixels.holes[3], np.isnan(expected[0]))
        np.testing.assert_array_equal(pixels.values[3], np.nan_to_num(expected[0]))
        assert pixels.valid.all()

    def test_another_crs(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 40, 50), "images/a.tif", crs=UTM, transform=HERE)
        ones = np.full((1, 60, 60), 3, np.uint8)
        make_tiff(ones, "nir/a.tif", crs=CRS.from_epsg(4326), transform=Affine(2e-5, 0, 14.9999, 0, -2e-5, 45.1536))
        with joined(path, "../nir") as raster:
            pixels = raster.read()
        assert (pixels.values[1] == 3).all()
        assert pixels.holes is None

    def test_the_same_shape_elsewhere_is_resampled_and_half_a_pixel_is_not(self, make_tiff: MakeTiff) -> None:
        image, nir = numbers(1, 20, 30), numbers(1, 20, 30, seed=1)
        path = make_tiff(image, "images/a.tif", crs=UTM, transform=HERE)
        make_tiff(nir, "nir/a.tif", crs=UTM, transform=cut_transform(HERE, (0.4, -0.4)))
        np.testing.assert_array_equal(joined(path, "../nir").read().values[1], nir[0])
        make_tiff(nir, "nir/a.tif", crs=UTM, transform=cut_transform(HERE, (2, 0)))
        pixels = joined(path, "../nir").read()
        np.testing.assert_array_equal(pixels.values[1, :, 2:], nir[0, :, :-2])
        assert pixels.holes is not None
        assert pixels.holes[1, :, :2].all()
        assert pixels.valid.all()

    def test_another_shape_without_a_place_is_refused_with_both(self, make_tiff: MakeTiff) -> None:
        path = make_tiff(numbers(1, 20, 30), "images/a.tif", crs=UTM, transform=HERE)
        make_tiff(numbers(1, 21, 30), "nir/a.tif")
        with pytest.raises(RasterError, match=r"nir/a\.tif is 21 x 30.*images/a\.tif is 20 x 30"):
            joined(path, "../nir")
        make_tiff(numbers(1, 20, 30), "nir/a.tif")
        assert joined(path, "../nir").bands == 2

    def test_image_and_siblings_on_a_target_grid(self, make_tiff: MakeTiff) -> None:
        """What has no place of its own lies where the image does."""
        image, nir = numbers(1, 40, 60), numbers(1, 40, 60, seed=1)
        path = make_tiff(image, "images/a.tif", crs=UTM, transform=HERE)
        make_tiff(nir, "nir/a.tif")
        with joined(path, "../nir", cell_size=2, resampling="average") as raster:
            pixels = raster.read()
        expected = np.concatenate([image, nir]).reshape(2, 20, 2, 30, 2).mean((2, 4))
        np.testing.assert_array_equal(pixels.values, np.floor(expected + 0.5))


@pytest.mark.parametrize(("order", "names"), [(["green", "blue"], ["green_nostats", "blue_nostats"]), (["blue"], ["blue_nostats"])])
def test_red_green_and_blue_in_files_of_their_own(
    shared: Callable[[str], Path], tmp_path: Path, order: list[str], names: list[str]
) -> None:
    source = shared("odd_rasters") / "rio-tiler"
    for color in ("red", "green", "blue"):
        (tmp_path / color).mkdir()
        (tmp_path / color / "scene.tif").symlink_to(source / f"{color}_nostats.tif")
    with joined(tmp_path / "red" / "scene.tif", *(f"../{color}" for color in order)) as raster:
        pixels = raster.read()
    expected = []
    for color in ("red", *order):
        with rasterio.open(source / f"{color}_nostats.tif") as dataset:
            expected.append(dataset.read(1))
    np.testing.assert_array_equal(pixels.values, expected)
    np.testing.assert_array_equal(pixels.valid, (np.array(expected) != 0).any(0))
