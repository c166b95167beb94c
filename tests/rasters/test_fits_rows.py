"""FITS images on disk: any type, in stored order, with the cards of the image that they are made from."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters import fits_rows
from terrazzo.rasters.fits_rows import FitsLayout, cards_of
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window
from terrazzo.rasters.write import LEGEND_TAG, MapStyle, MapWriter, writing_fits

TYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def values_of(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    rng = np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1e5, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bands", [1, 3])
def test_values_of_any_type_come_back_exactly(tmp_path: Path, dtype: str, bands: int) -> None:
    values = values_of(dtype, (bands, 37, 21))
    with writing_fits(tmp_path / "a.fits", (37, 21), FitsLayout(dtype=values.dtype, bands=bands)) as rows:
        for top in range(0, 37, 10):
            rows.add(values[:, top : top + 10])
    found = open_raster(tmp_path / "a.fits")
    assert found.dtype == values.dtype
    assert np.array_equal(found.read().values, values)
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        assert np.array_equal(np.squeeze(values), hdus[0].data)
    assert (tmp_path / "a.fits").stat().st_size % 2880 == 0


@pytest.mark.parametrize("kind", [fits.ImageHDU, fits.CompImageHDU])
def test_cards_are_those_of_the_image_but_not_of_its_pixels(tmp_path: Path, kind: Any) -> None:
    header = fits.Header([("CTYPE1", "RA---TAN"), ("CRVAL1", 10.25), ("OBJECT", "M 31"), ("BUNIT", "adu"), ("LONG", "x'" * 60)])
    header.add_comment("taken at night")
    values = values_of("uint16", (12, 9))
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(values), kind(values, header, name="SCI")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits", checksum=True)
    cards = cards_of(open_raster(tmp_path / "a.fits", DataOptions(hdu=2)), 2)
    assert (cards["CTYPE1"], cards["CRVAL1"], cards["OBJECT"], cards["LONG"]) == ("RA---TAN", 10.25, "M 31", "x'" * 60)
    assert str(cards["COMMENT"]) == "taken at night"
    assert not {"BZERO", "BSCALE", "BITPIX", "NAXIS", "NAXIS1", "XTENSION", "BUNIT", "EXTNAME", "CHECKSUM", "ZIMAGE", "TFIELDS"} & {*cards}


def test_coordinates_of_a_part_refer_to_its_own_pixels(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "a.fits", values_of("int16", (12, 9)), fits.Header([("CRPIX1", 5.5), ("CRPIX2", 6.5), ("CRPIX2A", 1.0)]))
    whole = open_raster(tmp_path / "a.fits")
    cards = cards_of(whole.part(Window(col_off=2, row_off=3, width=4, height=5)), None)
    assert (cards["CRPIX1"], cards["CRPIX2"], cards["CRPIX2A"]) == (3.5, 3.5, -2.0)
    assert cards_of(whole, None)["CRPIX1"] == 5.5


def test_a_class_map_names_its_classes_and_carries_its_legend(tmp_path: Path) -> None:
    values = np.random.default_rng(0).choice(np.array([0, 254, 255], np.uint8), (30, 17))
    legend = '{"name": "é <script> \\" = 中", "long": "' + "ab'&" * 50 + '"}'
    style = MapStyle(
        colors={0: (0, 0, 0)}, names={0: "glow", 254: "é\n"}, legend_json=legend, cards=fits.Header([("OBJECT", "dark"), ("BLANKS", 3)])
    )
    with MapWriter(tmp_path / "a.fits", Grid(shape=(30, 17)), style) as writer:
        writer.write(values)
    found = open_raster(tmp_path / "a.fits")
    pixels = found.read()
    assert np.array_equal(pixels.values[0], values)
    assert np.array_equal(pixels.valid, values != 255)
    assert json.loads(found.tags[LEGEND_TAG]) == json.loads(legend)
    with fits.open(tmp_path / "a.fits") as hdus:
        assert (hdus[0].header["CLASS0"], hdus[0].header["CLASS254"], hdus[0].header["OBJECT"]) == ("glow", "'\\xe9\\n'", "dark")


def test_a_disk_that_gives_back_other_bytes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits_rows, "BLOCK_ROWS", 4)
    checksums = iter([1, 2, 3, 4])
    monkeypatch.setattr(zlib, "crc32", lambda _: next(checksums))
    values = values_of("float32", (1, 8, 5))
    with (
        pytest.raises(EnvironmentFault, match="does not read back"),
        writing_fits(tmp_path / "a.fits", (8, 5), FitsLayout(dtype=values.dtype)) as rows,
    ):
        rows.add(values)
    assert list(tmp_path.iterdir()) == []
