"""FITS beyond the contract of all formats; the oracle is astropy's own scaling."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from terrazzo.errors import RasterError
from terrazzo.rasters.formats import fits as fits_module
from terrazzo.rasters.formats import fits_units
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

RNG = np.random.default_rng(0)
STORED = RNG.integers(-120, 120, (11, 13)).astype(np.int16)
KINDS: dict[str, type[fits.ImageHDU]] = {"plain": fits.ImageHDU, "compressed": fits.CompImageHDU}


def write(path: Path, stored: NDArray[Any], kind: str = "plain", **cards: float) -> Path:
    """A file whose second HDU stores these values, with BSCALE, BZERO, BLANK cards that nothing was applied for."""
    hdu = KINDS[kind](stored, do_not_scale_image_data=True)
    for key, value in cards.items():
        hdu.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


@pytest.mark.parametrize("kind", ["plain", "compressed"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
@pytest.mark.parametrize(
    "cards", [{}, {"BSCALE": 0.5}, {"BZERO": 100}, {"BSCALE": 2, "BZERO": -7.5}, {"BSCALE": 0.25, "BZERO": 3, "BLANK": 5}]
)
def test_scaling_agrees_with_astropy(tmp_path: Path, kind: str, dtype: type[np.integer[Any]], cards: dict[str, float]) -> None:
    stored = np.abs(STORED).astype(dtype)
    path = write(tmp_path / "scaled.fits", stored, kind, **cards)
    expected = fits.getdata(path, 1)
    raster = open_raster(path)
    pixels = raster.read()
    assert raster.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(pixels.values[0], expected)
    np.testing.assert_array_equal(pixels.valid, np.isfinite(expected))


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.uint32, np.uint64])
def test_the_other_signedness_is_exact(tmp_path: Path, dtype: type[np.integer[Any]]) -> None:
    limits = np.iinfo(dtype)
    values = np.array([[limits.min, limits.min + 1, 77], [limits.max, limits.max - 1, limits.max // 2 + 1]], dtype)
    path = tmp_path / "unsigned.fits"
    fits.PrimaryHDU(values).writeto(path)
    raster = open_raster(path)
    assert raster.dtype == dtype
    np.testing.assert_array_equal(raster.read().values[0], values)


def test_blank_is_nodata_among_integers(tmp_path: Path) -> None:
    raster = open_raster(write(tmp_path / "blank.fits", STORED, BLANK=int(STORED[3, 4])))
    assert raster.dtype == np.int16
    assert raster.nodata == (float(STORED[3, 4]),)
    there = STORED[3, 4] != STORED
    np.testing.assert_array_equal(raster.read().valid, there)
    raster = open_raster(write(tmp_path / "unsigned.fits", STORED, BLANK=int(STORED[3, 4]), BZERO=2**15))
    assert raster.dtype == np.uint16
    np.testing.assert_array_equal(raster.read().valid, there)


def test_floats_are_native_and_nan_is_missing(tmp_path: Path) -> None:
    values = STORED.astype(np.float32)
    values[2, 2] = np.nan
    path = tmp_path / "float.fits"
    fits.PrimaryHDU(values).writeto(path)
    pixels = open_raster(path).read()
    assert pixels.values.dtype == np.dtype("=f4")
    assert np.argwhere(~pixels.valid).tolist() == [[2, 2]]


def test_several_images_ask_which(tmp_path: Path) -> None:
    path = tmp_path / "several.fits"
    parts = [fits.ImageHDU(STORED + number, name=name) for number, name in enumerate(("SCI", "VAR"))]
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])], name="CAT")
    fits.HDUList([fits.PrimaryHDU(), table, *parts]).writeto(path)
    with pytest.raises(RasterError, match=r"several\.fits.*2 \(SCI, 1 x 11 x 13\), 3 \(VAR.*--set data\.hdu=N"):
        open_raster(path)
    np.testing.assert_array_equal(open_raster(path, DataOptions(hdu=3)).read().values[0], STORED + 1)
    for hdu in (0, 1, 9):
        with pytest.raises(RasterError, match=rf"data\.hdu is {hdu}.*2 \(SCI"):
            open_raster(path, DataOptions(hdu=hdu))


def test_no_image(tmp_path: Path) -> None:
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(np.arange(5)), fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])]).writeto(path)
    with pytest.raises(RasterError, match="holds no image"):
        open_raster(path)


def test_bands_first_and_axes_of_length_1(tmp_path: Path) -> None:
    cube = RNG.integers(0, 99, (4, 11, 13)).astype(np.int16)
    for name, values in (("cube", cube), ("radio", cube[:1, None]), ("stokes", cube[None])):
        fits.PrimaryHDU(values).writeto(tmp_path / f"{name}.fits")
    window = Window(col_off=2, row_off=3, width=4, height=5)
    np.testing.assert_array_equal(open_raster(tmp_path / "cube.fits").read(window).values, cube[:, 3:8, 2:6])
    np.testing.assert_array_equal(open_raster(tmp_path / "radio.fits").read(window).values, cube[:1, 3:8, 2:6])
    np.testing.assert_array_equal(open_raster(tmp_path / "stokes.fits").read(window).values, cube[:, 3:8, 2:6])


def test_header_is_kept_as_tags(tmp_path: Path) -> None:
    assert open_raster(write(tmp_path / "tagged.fits", STORED, EXPTIME=30.5)).tags["EXPTIME"] == "30.5"


def test_truncated_pixels_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "cut.fits"
    fits.PrimaryHDU(np.zeros((100, 100), np.int16)).writeto(path)
    path.write_bytes(path.read_bytes()[:12_880])
    with pytest.raises(RasterError, match=r"truncated: HDU 0 needs 20000 bytes of pixels, 10000 are left"):
        open_raster(path)


def cards(*lines: str) -> bytes:
    """A header of cards, ended and filled up."""
    text = "".join(line.ljust(80) for line in (*lines, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


HEADER = ("SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2")
SIZE = ("NAXIS1  =                    4", "NAXIS2  =                    3")


@pytest.mark.parametrize("kind", KINDS)
def test_gzip_compressed_files(tmp_path: Path, kind: str) -> None:
    plain = write(tmp_path / "frame.fits", STORED, kind, BSCALE=0.5, BLANK=5)
    path = tmp_path / "frame.fits.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    window = Window(col_off=9, row_off=-1, width=9, height=9)
    with open_raster(path) as raster, open_raster(plain) as expected:
        assert raster.format == "FITS"
        np.testing.assert_array_equal(raster.read().values, expected.read().values)
        np.testing.assert_array_equal(raster.read(window).valid, expected.read(window).valid)
    data = bytearray(path.read_bytes())
    for broken in (data[:-30], data[:40] + b"\0\0" + data[42:], data[:-4] + b"\0\0\0\0"):
        path.write_bytes(broken)
        with pytest.raises(RasterError, match=r"frame\.fits\.gz"):
            open_raster(path)


def test_a_compressed_bomb_is_unpacked_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits_units, "DECODED_LIMIT_BYTES", 2**20)
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(cards(*HEADER, *SIZE) + bytes(2**25)))
    assert path.stat().st_size < 2**16
    with pytest.raises(RasterError, match=r"bomb\.fits\.gz takes more than 1 MiB\. Unpack it"):
        open_raster(path)


@pytest.mark.parametrize("key", ["ZNAXIS1", "ZTILE1"])
def test_tiles_that_would_take_too_much_memory(tmp_path: Path, key: str) -> None:
    path = write(tmp_path / "tiles.fits", STORED, "compressed")
    data = path.read_bytes()
    place = data.index(f"{key:<8}=".encode()) + 10
    path.write_bytes(data[:place] + f"{10**10:>20}".encode() + data[place + 20 :])
    with pytest.raises(RasterError, match=r"tiles\.fits would take \d+ MiB decompressed, more than 512 MiB"):
        open_raster(path)


def test_tiles_beyond_all_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "tiles.fits", STORED, "compressed")
    monkeypatch.setattr(fits_module, "TILE_LIMIT", 10)
    with pytest.raises(RasterError, match=r"tiles\.fits is compressed in 11 tiles; at most 10"):
        open_raster(path)


def test_a_header_without_end(tmp_path: Path) -> None:
    path = tmp_path / "endless.fits"
    for size in (3 * 2880, 2**22):
        path.write_bytes("".join(line.ljust(80) for line in (*HEADER, *SIZE)).encode().ljust(size))
        with pytest.raises(RasterError, match=r"endless\.fits is broken or truncated: the header of HDU 0 does not end"):
            open_raster(path)


def test_more_units_than_any_instrument_has(tmp_path: Path) -> None:
    extension = (
        "XTENSION= 'IMAGE   '",
        HEADER[1],
        "NAXIS   =                    0",
        "PCOUNT  =                    0",
        "GCOUNT  =        1",
    )
    path = tmp_path / "many.fits"
    path.write_bytes(cards(*HEADER[:2], extension[2]) + cards(*extension) * 2000)
    with pytest.raises(RasterError, match=r"many\.fits has more than 2000 HDUs"):
        open_raster(path)


def test_what_follows_the_last_unit_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "long.fits", STORED)
    path.write_bytes(path.read_bytes() + b"END OF TRANSMISSION".ljust(5000))
    np.testing.assert_array_equal(open_raster(path).read().values[0], STORED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BITPIX  =                   16", "BITPIX  =                   17"),
        ("NAXIS   =                    2", "NAXIS   =                 5000"),
        ("NAXIS1  =                    4", "NAXIS1  =                   -4"),
        ("NAXIS1  =                    4", "NAXIS1  =                 'no'"),
        ("NAXIS1  =                    4", "NAXIS1  =  9999999999999999999"),
        ("NAXIS1  =                    4", "BSCALE  =                1E999"),
    ],
)
def test_headers_that_make_no_sense_are_named(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "odd.fits"
    path.write_bytes(cards(*(line.replace(old, new) for line in (*HEADER, *SIZE))) + bytes(2880))
    with pytest.raises(RasterError, match=r"odd\.fits"):
        open_raster(path).read()


@pytest.mark.parametrize("compression", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
def test_every_compression_of_tiles(tmp_path: Path, compression: str) -> None:
    stored = np.abs(STORED)
    path = tmp_path / "tiles.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(stored, compression_type=compression)]).writeto(path)
    np.testing.assert_array_equal(open_raster(path).read().values[0], stored)


def test_compressed_floats_keep_their_holes(tmp_path: Path) -> None:
    values = STORED.astype(np.float32) / 7
    values[2, 3] = np.nan
    path = tmp_path / "float.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type="RICE_1", quantize_level=4)]).writeto(path)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.values[0], fits.getdata(path, 1))
    assert np.argwhere(~pixels.valid).tolist() == [[2, 3]]
