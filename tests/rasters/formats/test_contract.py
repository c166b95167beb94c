"""What every format keeps to, on the same pixels."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, Raster, open_raster
from terrazzo.rasters.window import Window

SHAPE = (37, 51)

Values = NDArray[Any]


def write_tiff(path: Path, values: Values) -> None:
    settings = {"driver": "GTiff", "count": len(values), "height": SHAPE[0], "width": SHAPE[1], "dtype": values.dtype.name}
    with rasterio.open(path, "w", **settings, tiled=True, blockxsize=16, blockysize=16, compress="deflate") as dataset:
        dataset.write(values)


def write_grey_png(path: Path, values: Values) -> None:
    Image.fromarray(values[0]).save(path, format="PNG")


def write_deep_png(path: Path, values: Values) -> None:
    cv2.imwrite(str(path), np.moveaxis(values[::-1], 0, 2))


def write_rgb_png(path: Path, values: Values) -> None:
    Image.fromarray(np.moveaxis(values, 0, 2)).save(path, format="PNG")


def write_fits(path: Path, values: Values) -> None:
    fits.PrimaryHDU(values).writeto(path)


def write_compressed_fits(path: Path, values: Values) -> None:
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values)]).writeto(path)


def write_npy(path: Path, values: Values) -> None:
    np.save(path, values)


def write_npz(path: Path, values: Values) -> None:
    np.savez_compressed(path, values)


WRITERS: list[tuple[str, Callable[[Path, Values], None], int, str]] = [
    ("u16.tif", write_tiff, 3, "uint16"),
    ("f32.tif", write_tiff, 2, "float32"),
    ("u8.png", write_grey_png, 1, "uint8"),
    ("rgb.png", write_rgb_png, 3, "uint8"),
    ("u16.png", write_grey_png, 1, "uint16"),
    ("deep.png", write_deep_png, 3, "uint16"),
    ("u16.fits", write_fits, 3, "uint16"),
    ("i32.fits", write_fits, 1, "int32"),
    ("f64.fits", write_fits, 2, "float64"),
    ("compressed.fits", write_compressed_fits, 1, "int16"),
    ("compressed16.fits", write_compressed_fits, 1, "uint16"),
    ("u16.npy", write_npy, 3, "uint16"),
    ("swapped.npy", write_npy, 2, ">i4"),
    ("u16.npz", write_npz, 3, "uint16"),
    ("packed.fits.gz", write_fits, 2, "float32"),
]

Case = tuple[Path, Values]


@pytest.fixture(params=WRITERS, ids=[name for name, *_ in WRITERS], scope="module")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    name, write, bands, dtype = request.param
    values = np.random.default_rng(0).integers(1, 250, (bands, *SHAPE)).astype(dtype)
    if values.dtype.itemsize > 1:
        values *= values.dtype.type(100)
    path = tmp_path_factory.mktemp("formats") / name
    write(path, values)
    return path, values


def naive_read(values: Values, window: Window) -> tuple[Values, NDArray[np.bool_]]:
    """Pixel by pixel, 0 and not valid outside."""
    read = np.zeros((len(values), *window.shape), values.dtype)
    valid = np.zeros(window.shape, bool)
    for row in range(window.height):
        for col in range(window.width):
            source = window.row_off + row, window.col_off + col
            if 0 <= source[0] < values.shape[1] and 0 <= source[1] < values.shape[2]:
                read[:, row, col] = values[:, source[0], source[1]]
                valid[row, col] = True
    return read, valid


def assert_pixels(pixels: Pixels, values: Values, valid: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(pixels.values, values)
    np.testing.assert_array_equal(pixels.valid, valid)
    assert pixels.values.dtype.isnative
    if valid.all():
        assert pixels.holes is None
    else:
        assert pixels.holes is not None
        np.testing.assert_array_equal(pixels.holes, np.broadcast_to(~valid, values.shape))


class TestEveryFormat:
    def test_facts(self, case: Case) -> None:
        path, values = case
        with open_raster(path) as raster:
            assert (raster.bands, *raster.shape) == values.shape
            assert raster.dtype == values.dtype.newbyteorder("=")
            assert raster.grid.shape == raster.shape
            assert len(raster.nodata) == len(raster.band_names) == raster.bands
            assert raster.path == path
            assert (
                raster.format == {".tif": "GTiff", ".png": "PNG", ".fits": "FITS", ".gz": "FITS", ".npy": "NPY", ".npz": "NPZ"}[path.suffix]
            )

    def test_whole(self, case: Case) -> None:
        path, values = case
        with open_raster(path) as raster:
            assert_pixels(raster.read(), values, np.ones(SHAPE, bool))

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(place=st.tuples(st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 70), st.integers(1, 70)))
    def test_any_window(self, case: Case, place: tuple[int, int, int, int]) -> None:
        path, values = case
        window = Window(col_off=place[0], row_off=place[1], width=place[2], height=place[3])
        with open_raster(path) as raster:
            assert_pixels(raster.read(window), *naive_read(values, window))

    def test_bands_in_the_order_asked_for(self, case: Case) -> None:
        path, values = case
        wanted = [len(values), 1]
        with open_raster(path, DataOptions(bands=wanted)) as raster:
            assert raster.bands == 2
            assert_pixels(raster.read(), values[[len(values) - 1, 0]], np.ones(SHAPE, bool))

    def test_bands_that_are_not_there(self, case: Case) -> None:
        path, values = case
        with pytest.raises(RasterError, match=rf"\[1, 9\].*bands 1 to {len(values)}"):
            open_raster(path, DataOptions(bands=[1, 9]))

    def test_declared_nodata(self, case: Case) -> None:
        path, values = case
        gone = float(values[0, 5, 7])
        with open_raster(path, DataOptions(nodata=gone, invalid="any")) as raster:
            pixels = raster.read()
            np.testing.assert_array_equal(pixels.valid, ~(values == gone).any(0))
            assert pixels.holes is not None
            np.testing.assert_array_equal(pixels.holes, (values == gone) | ~pixels.valid)

    def test_several_threads_may_read(self, case: Case) -> None:
        path, values = case
        windows = [Window(col_off=col, row_off=row, width=13, height=11) for row in range(26) for col in range(0, 38, 5)]
        with open_raster(path) as raster, ThreadPoolExecutor(4) as pool:
            for window, pixels in zip(windows, pool.map(raster.read, windows), strict=True):
                np.testing.assert_array_equal(pixels.values, values[:, *window.slices])

    def test_reading_after_close_opens_anew(self, case: Case) -> None:
        path, values = case
        raster = open_raster(path)
        raster.read(Window(col_off=0, row_off=0, width=2, height=2))
        raster.close()
        raster.close()
        np.testing.assert_array_equal(raster.read().values, values)
        raster.close()

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
    def test_truncated_files_name_themselves(self, case: Case, tmp_path: Path, share: float) -> None:
        path, _ = case
        cut = tmp_path / path.name
        data = path.read_bytes()
        cut.write_bytes(data[: max(12, int(len(data) * share * (0.4 if path.name.startswith("compressed") else 1)))])
        with pytest.raises(RasterError, match=path.name.replace(".", r"\.")), open_raster(cut) as raster:
            raster.read()

    def test_the_name_says_nothing_about_the_format(self, case: Case, tmp_path: Path) -> None:
        path, values = case
        disguised = tmp_path / "image.xyz"
        disguised.write_bytes(path.read_bytes())
        with open_raster(disguised) as raster:
            np.testing.assert_array_equal(raster.read().values, values)

    def test_what_is_read_may_be_read_again(self, case: Case) -> None:
        path, values = case
        raster: Raster
        with open_raster(path) as raster:
            window = Window(col_off=3, row_off=4, width=9, height=8)
            first = raster.read(window)
            second = raster.read(window)
            np.testing.assert_array_equal(first.values, second.values)
            np.testing.assert_array_equal(first.values, values[:, *window.slices])
