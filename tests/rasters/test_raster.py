"""What Raster adds to the formats; each format's pixels are tested in formats/test_contract.py."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters import raster as raster_module
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, whole

MakeTiff = Callable[..., Path]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    missing=st.lists(st.sampled_from([np.nan, -np.inf, -9999.0, 1.0]), min_size=24, max_size=24),
    place=st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 8), st.integers(1, 8)),
    invalid=st.sampled_from(["all", "any"]),
)
def test_valid_and_holes_agree_with_each_other(
    make_tiff: MakeTiff, missing: list[float], place: tuple[int, int, int, int], invalid: str
) -> None:
    values: NDArray[np.float32] = np.array(missing, np.float32).reshape(2, 3, 4)
    path = make_tiff(values, nodata=-9999)
    window = Window(col_off=place[0], row_off=place[1], width=place[2], height=place[3])
    pixels = open_raster(path, DataOptions.model_validate({"invalid": invalid})).read(window)
    gone = np.pad(~(values == 1), ((0, 0), (3, 8), (3, 8)), constant_values=True)[
        :, place[1] + 3 : place[1] + 3 + place[3], place[0] + 3 : place[0] + 3 + place[2]
    ]
    valid = ~(gone.all(0) if invalid == "all" else gone.any(0))
    np.testing.assert_array_equal(pixels.valid, valid)
    if pixels.holes is None:
        assert not gone.any()
    else:
        np.testing.assert_array_equal(pixels.holes, gone | ~valid)
        assert gone.any()


def test_a_window_outside_the_raster_holds_nothing(make_tiff: MakeTiff) -> None:
    raster = open_raster(make_tiff(np.ones((2, 5, 6), np.int16)))
    pixels = raster.read(Window(col_off=6, row_off=0, width=3, height=4))
    assert pixels.values.shape == (2, 4, 3)
    assert pixels.values.dtype == np.int16
    assert not pixels.values.any()
    assert not pixels.valid.any()
    assert pixels.holes is not None
    assert pixels.holes.all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 300), (2, 300, 1)])
def test_thin_rasters(make_tiff: MakeTiff, shape: tuple[int, int, int]) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    np.testing.assert_array_equal(open_raster(make_tiff(values)).read().values, values)


def test_a_whole_window_reads_like_no_window(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    raster = open_raster(make_tiff(ramp))
    np.testing.assert_array_equal(raster.read(whole(raster.shape)).values, raster.read().values)


def test_a_read_beyond_the_limit_gives_its_size(make_tiff: MakeTiff, ramp: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_module, "READ_LIMIT_BYTES", ramp.nbytes)
    raster = open_raster(make_tiff(ramp))
    raster.read()
    with pytest.raises(RasterError, match=r"image\.tif: 38 x 51 pixels of 3 bands.*by windows"):
        raster.read(Window(col_off=0, row_off=0, width=51, height=38))


def test_a_file_that_declares_too_many_bands(tmp_path: Path) -> None:
    np.save(tmp_path / "photo.npy", np.zeros((5000, 4, 3), np.uint8))
    with pytest.raises(RasterError, match=r"photo\.npy declares 5000 bands.*data\.axes"):
        open_raster(tmp_path / "photo.npy")
    assert open_raster(tmp_path / "photo.npy", DataOptions(axes="bands_last")).bands == 3


def test_a_path_may_be_text(make_tiff: MakeTiff, ramp: NDArray[np.uint16]) -> None:
    assert open_raster(str(make_tiff(ramp))).shape == (37, 51)  # type: ignore[arg-type]
