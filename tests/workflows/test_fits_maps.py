"""Detector frames: maps as FITS with the cards of their image, shares of the classes, a class alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from astropy.io import fits
from numpy.typing import NDArray

from terrazzo.errors import RasterError, UsageError
from terrazzo.labels.carried import carried_legend
from terrazzo.prediction import keeping
from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.context import Context
from terrazzo.workflows.predict import predict

ContextOf = Callable[..., Context]


@pytest.fixture
def values(tiny_run: Any) -> NDArray[np.uint16]:
    """(bands, height, width) of an image that the run can map."""
    with rasterio.open(tiny_run.folder / "images" / "a.tif") as file:
        found: NDArray[np.uint16] = file.read()
    return found


@pytest.fixture
def frame(tmp_path: Path, values: NDArray[np.uint16]) -> Path:
    """The image in HDU 2, unsigned by BZERO, 0 blank; another one before it."""
    header = fits.Header([("CTYPE1", "RA---TAN"), ("CRVAL1", 10.25), ("OBJECT", "dark"), ("EXPTIME", 60.0)])
    image = fits.ImageHDU(values, header)
    image.header["BLANK"] = -(2**15)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values[:, :9, :8]), image]).writeto(tmp_path / "ccd.fits")
    return tmp_path / "ccd.fits"


def classes_of(tiny_run: Any, out: Path, one: Context) -> NDArray[np.uint8]:
    """Those of the same pixels as a GeoTIFF."""
    predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], out, one)
    with rasterio.open(out / "a_predseg.tif") as file:
        found: NDArray[np.uint8] = file.read(1)
    return found


def test_a_map_has_the_cards_of_its_frame_and_the_classes_of_its_pixels(
    tiny_run: Any, tmp_path: Path, frame: Path, context_of: ContextOf
) -> None:
    done = predict(tiny_run.run, [frame], tmp_path / "maps", context_of(None, "prediction.format='fits'", "prediction.hdu=2"))
    expected = classes_of(tiny_run, tmp_path / "tif", context_of())
    assert done.written["outputs"] == [tmp_path / "maps" / "ccd_predseg.fits"]
    with fits.open(tmp_path / "maps" / "ccd_predseg.fits") as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert np.array_equal(np.nan_to_num(hdus[0].data, nan=255), expected)
        assert (header["BITPIX"], header["BLANK"], header["CTYPE1"], header["CRVAL1"], header["OBJECT"]) == (
            8,
            255,
            "RA---TAN",
            10.25,
            "dark",
        )
        assert (header["CLASS0"], header["CLASS7"]) == ("land", "water")
    with open_raster(tmp_path / "maps" / "ccd_predseg.fits") as raster:
        pixels = raster.read()
        legend = carried_legend(raster)
    assert np.array_equal(np.where(pixels.valid, pixels.values[0], 255), expected)
    assert (expected == 255).any()
    assert legend is not None
    assert legend.names == ("land", "water")
    facts = done.facts["maps"][0]["classes"]  # type: ignore[index]
    assert [each["share"] for each in facts] == [np.mean(expected[expected != 255] == value) for value in (0, 7)]


def test_the_second_time_it_is_kept_and_another_hdu_is_a_conflict(
    tiny_run: Any, tmp_path: Path, frame: Path, context_of: ContextOf
) -> None:
    sets = ("prediction.format='fits'", "prediction.hdu=2")
    predict(tiny_run.run, [frame], tmp_path / "maps", context_of(None, *sets))
    assert "kept from before" in predict(tiny_run.run, [frame], tmp_path / "maps", context_of(None, *sets)).text
    with pytest.raises(RasterError, match=r"Say which with --set data\.hdu=N, or predict --hdu N"):
        predict(tiny_run.run, [frame], tmp_path / "maps", context_of(None, sets[0]))


def test_a_large_frame_goes_on_where_it_was_broken_off(
    tiny_run: Any, tmp_path: Path, frame: Path, context_of: ContextOf, monkeypatch: pytest.MonkeyPatch, breaking_off: Any
) -> None:
    context = context_of(None, "prediction.format='fits'", "prediction.hdu=2")
    monkeypatch.setattr(keeping, "BLOCK_PX", 8 * 48 - 1)
    predict(tiny_run.run, [frame], tmp_path / "whole", context)
    with breaking_off(2):
        predict(tiny_run.run, [frame], tmp_path / "out", context)
    predict(tiny_run.run, [frame], tmp_path / "out", context)
    name = "ccd_predseg.fits"
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("kind", ["fits", "tif"])
def test_a_class_alone_keeps_the_values_of_the_image(
    tiny_run: Any, tmp_path: Path, frame: Path, values: NDArray[np.uint16], context_of: ContextOf, kind: str
) -> None:
    expected = classes_of(tiny_run, tmp_path / "tif", context_of())
    image = frame if kind == "fits" else tiny_run.folder / "images" / "a.tif"
    done = predict(tiny_run.run, [image], tmp_path / "maps", context_of(None, "prediction.hdu=2"), isolate="water")
    path = tmp_path / "maps" / f"{image.stem}_water_only.{kind}"
    assert path in done.written["outputs"]  # type: ignore[operator]
    with open_raster(path) as found:
        pixels = found.read()
        assert (found.dtype, found.nodata) == (np.dtype(np.uint16), (0.0, 0.0))
    assert np.array_equal(pixels.values, np.where(expected == 7, values, 0))
    if kind == "fits":
        assert fits.getheader(path)["OBJECT"] == "dark"


def test_a_class_that_the_model_does_not_know(tiny_run: Any, tmp_path: Path, context_of: ContextOf) -> None:
    with pytest.raises(UsageError, match="--isolate names 'sea'; the model's classes are land, water"):
        predict(tiny_run.run, [tiny_run.folder / "images" / "a.tif"], tmp_path / "out", context_of(), isolate="sea")
