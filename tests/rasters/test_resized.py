"""Images brought to a working size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from pydantic import ValidationError
from rasterio.crs import CRS

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window

MakeTiff = Callable[..., Path]

UTM = CRS.from_epsg(32633)
HERE = Affine(2, 0, 500000, 0, -2, 5000000)


def opened(path: Path, **options: Any) -> Raster:
    return open_raster(path, DataOptions.model_validate(options))


def values_of(raster: Raster, window: Window | None = None) -> NDArray[Any]:
    return raster.read(window).values


@pytest.mark.parametrize("place", [{}, {"crs": UTM, "transform": HERE}, {"crs": UTM, "transform": Affine(1, 2, 500000, 2, -1, 5000000)}])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_averages_of_whole_blocks_are_their_means(make_tiff: MakeTiff, place: dict[str, Any], dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (2, 24, 36)).astype(dtype)
    raster = opened(make_tiff(values, **place), resize=[8, 12], resampling="average")
    means = values.reshape(2, 8, 3, 12, 3).mean(axis=(2, 4))
    assert raster.shape == (8, 12)
    assert values_of(raster).dtype == values.dtype
    np.testing.assert_allclose(values_of(raster), means if dtype == "float32" else np.floor(means + 0.5), rtol=1e-6)


def test_the_ground_stays_the_same(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    raster = opened(make_tiff(ramp, crs=UTM, transform=HERE), resize=[74, 17])
    assert raster.own_grid.shape == ramp.shape[1:]
    assert raster.grid.transform == Affine(2 * 51 / 17, 0, 500000, 0, -1, 5000000)
    assert raster.grid.footprint(Window(col_off=0, row_off=0, width=17, height=74)).bounds == pytest.approx(
        raster.own_grid.footprint(Window(col_off=0, row_off=0, width=51, height=37)).bounds
    )


def test_windows_agree_with_the_whole(make_tiff: MakeTiff) -> None:
    path = make_tiff(np.random.default_rng(1).integers(0, 60000, (3, 700, 530)).astype(np.uint16))
    raster = opened(path, resize=[311, 600])
    whole = values_of(raster)
    for window in (Window(col_off=250, row_off=100, width=300, height=200), Window(col_off=599, row_off=0, width=1, height=311)):
        np.testing.assert_array_equal(values_of(raster, window), whole[:, *window.slices])


def test_nodata_stays_apart(make_tiff: MakeTiff) -> None:
    values = np.full((1, 20, 20), 100, np.int16)
    values[..., 10:] = -9999
    raster = opened(make_tiff(values, nodata=-9999), resize=[50, 50])
    pixels = raster.read()
    assert pixels.valid[:, :25].all()
    assert not pixels.valid[:, 25:].any()
    assert (pixels.values[0][pixels.valid] == 100).all()


def test_an_image_of_that_size_is_read_as_it_is(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    np.testing.assert_array_equal(values_of(opened(make_tiff(ramp), resize=list(ramp.shape[1:]))), ramp)


def test_what_lies_beside_comes_along(make_tiff: MakeTiff, tmp_path: Path) -> None:
    image = make_tiff(np.full((1, 30, 40), 10, np.uint8))
    make_tiff(np.full((1, 30, 40), 77, np.uint8), f"nir/{image.name}")
    with opened(image, resize=[15, 60], extra_bands=[str(tmp_path / "nir")]) as raster:
        assert values_of(raster).shape == (2, 15, 60)
        assert (values_of(raster)[:, 3, 9] == [10, 77]).all()


def test_a_band_of_another_size_without_a_place_is_refused(make_tiff: MakeTiff, tmp_path: Path) -> None:
    image = make_tiff(np.full((1, 30, 40), 10, np.uint8))
    make_tiff(np.full((1, 10, 40), 77, np.uint8), f"nir/{image.name}")
    with pytest.raises(RasterError, match="takes a place on the ground on both sides"):
        opened(image, resize=[15, 60], extra_bands=[str(tmp_path / "nir")])


def test_two_sizes_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        DataOptions(resize=(64, 64), cell_size=2.0)
