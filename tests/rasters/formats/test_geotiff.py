"""GeoTIFF beyond the contract of all formats; the oracle is rasterio itself."""

import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.env import get_gdal_config, set_gdal_config

from terrazzo.errors import RasterError
from terrazzo.rasters.formats.directory import CACHE_BYTES, IN_ORDER_CACHE_BYTES, rows_in_order
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

MakeTiff = Callable[..., Path]
Ramp = NDArray[np.uint16]

UTM = CRS.from_epsg(32616)


def dataset_mask(path: Path) -> NDArray[np.bool_]:
    with rasterio.open(path) as dataset:
        shown: NDArray[np.bool_] = dataset.dataset_mask() != 0
    return shown


def test_tagged_nodata_is_invalid_where_all_bands_have_it(make_tiff: MakeTiff, ramp: Ramp) -> None:
    ramp[:, :5, :7] = 3
    ramp[0, 20, 20] = 3
    path = make_tiff(ramp, nodata=3)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.valid, dataset_mask(path))
    assert pixels.holes is not None
    np.testing.assert_array_equal(pixels.holes, ramp == 3)
    assert not open_raster(path, DataOptions(invalid="any")).read().valid[20, 20]


def test_the_file_knows_its_nodata_better_than_the_options(make_tiff: MakeTiff, ramp: Ramp) -> None:
    assert open_raster(make_tiff(ramp, nodata=3), DataOptions(nodata=9)).nodata == (3, 3, 3)
    assert open_raster(make_tiff(ramp), DataOptions(nodata=9)).nodata == (9, 9, 9)


def test_nodata_may_be_given_for_each_band_used_or_each_band_of_the_file(make_tiff: MakeTiff, ramp: Ramp) -> None:
    path = make_tiff(ramp)
    assert open_raster(path, DataOptions(nodata=[1, None, 3])).nodata == (1, None, 3)
    assert open_raster(path, DataOptions(nodata=[1, None, 3], bands=[3, 1])).nodata == (3, 1)
    assert open_raster(path, DataOptions(nodata=[8, 9], bands=[3, 1])).nodata == (8, 9)
    with pytest.raises(RasterError, match=r"2 values.*3 bands"):
        open_raster(path, DataOptions(nodata=[8, 9]))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32", "int64", "uint64", "float32", "float64"])
def test_types_are_kept(make_tiff: MakeTiff, dtype: str) -> None:
    values = np.arange(35, dtype=dtype).reshape(1, 5, 7)
    values[0, 0, 0] = np.finfo(dtype).min if dtype.startswith("f") else np.iinfo(dtype).min
    values[0, 0, 1] = np.finfo(dtype).max if dtype.startswith("f") else np.iinfo(dtype).max
    pixels = open_raster(make_tiff(values, nodata=2)).read()
    assert pixels.values.dtype == dtype
    np.testing.assert_array_equal(pixels.values, values)
    assert not pixels.valid[0, 2]
    assert pixels.valid.sum() == 34


def test_alpha_is_validity_unless_it_is_asked_for(make_tiff: MakeTiff, ramp: Ramp) -> None:
    alpha = np.full((1, 37, 51), 65535, np.uint16)
    alpha[0, 10:, 20:] = 0
    path = make_tiff(np.concatenate([ramp, alpha]), photometric="rgb", alpha="unspecified")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    raster = open_raster(path)
    assert raster.bands == 3
    pixels = raster.read(Window(col_off=15, row_off=5, width=20, height=20))
    np.testing.assert_array_equal(pixels.valid, alpha[0, 5:25, 15:35] != 0)
    np.testing.assert_array_equal(pixels.values, ramp[:, 5:25, 15:35])
    pixels = open_raster(path, DataOptions(bands=[4, 1])).read()
    assert pixels.valid.all()
    np.testing.assert_array_equal(pixels.values, [alpha[0], ramp[0]])


@pytest.mark.parametrize("place", ["internal", "beside"])
def test_masks_inside_and_beside_the_file(make_tiff: MakeTiff, ramp: Ramp, place: str) -> None:
    path = make_tiff(ramp)
    shown = np.random.default_rng(0).random((37, 51)) < 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=place == "internal"), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(shown)
    assert (path.parent / "image.tif.msk").exists() == (place == "beside")
    window = Window(col_off=-5, row_off=30, width=30, height=30)
    pixels = open_raster(path).read(window)
    np.testing.assert_array_equal(pixels.valid[:7, 5:], shown[30:, :25])
    assert not pixels.valid[7:].any()
    assert not pixels.valid[:, :5].any()


def test_place_on_the_ground_is_kept(make_tiff: MakeTiff, ramp: Ramp) -> None:
    for transform in (Affine(2, 0, 100, 0, -2, 900), Affine(2, 0, 100, 0, 2, 900), Affine(2, 1, 100, 1, -2, 900)):
        grid = open_raster(make_tiff(ramp, crs=UTM, transform=transform)).grid
        assert grid.transform == transform
        assert grid.crs == UTM


def test_a_transform_without_crs_is_kept(make_tiff: MakeTiff, ramp: Ramp) -> None:
    grid = open_raster(make_tiff(ramp, transform=Affine(2, 0, 100, 0, -2, 900))).grid
    assert grid.transform is not None
    assert grid.crs is None
    assert not grid.georeferenced


def test_no_place_on_the_ground(make_tiff: MakeTiff, ramp: Ramp) -> None:
    grid = open_raster(make_tiff(ramp)).grid
    assert (grid.crs, grid.transform) == (None, None)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            {"gcps": [GroundControlPoint(row, col, col, -row) for row, col in ((0, 0), (0, 9), (9, 0), (9, 9))], "crs": UTM},
            "control points",
        ),
        ({"crs": UTM}, "a CRS but no transform"),
    ],
)
def test_half_a_place_is_none_and_is_told(
    make_tiff: MakeTiff, ramp: Ramp, caplog: pytest.LogCaptureFixture, place: dict[str, Any], said: str
) -> None:
    path = make_tiff(ramp, **place)
    with caplog.at_level(logging.INFO, "terrazzo"):
        grid = open_raster(path).grid
    assert (grid.crs, grid.transform) == (None, None)
    assert said in caplog.text
    assert str(path) in caplog.text


def test_palette_names_and_tags(make_tiff: MakeTiff) -> None:
    path = make_tiff(np.ones((1, 5, 6), np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 1: (250, 128, 0, 255)})
        dataset.descriptions = ("class",)
        dataset.update_tags(NOTE="<é>")
    raster = open_raster(path)
    assert raster.palette is not None
    assert raster.palette[0] == (1, 2, 3)
    assert raster.palette[1] == (250, 128, 0)
    assert raster.band_names == ("class",)
    assert raster.tags["NOTE"] == "<é>"


def test_complex_values_are_refused(make_tiff: MakeTiff) -> None:
    with pytest.raises(RasterError, match=r"complex64.*one real type"):
        open_raster(make_tiff(np.ones((1, 5, 6), np.complex64)))


def test_a_file_that_declares_a_terabyte_is_read_by_windows_only(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 10**6, "width": 10**6, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, blockxsize=4096, blockysize=4096, sparse_ok=True, compress="deflate") as dataset:
        dataset.write(np.full((1, 3, 3), 9, np.uint8), window=((500_000, 500_003), (700_000, 700_003)))
    assert path.stat().st_size < 2**21
    raster = open_raster(path)
    assert raster.read(Window(col_off=700_001, row_off=500_001, width=3, height=3)).values.sum() == 4 * 9
    with pytest.raises(RasterError, match=r"1000000 x 1000000.*931 GiB"):
        raster.read()


def test_a_broken_block_says_where(make_tiff: MakeTiff) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 64, 64), np.uint8)
    path = make_tiff(values, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    data = bytearray(path.read_bytes())
    start = len(data) - 300
    data[start : start + 200] = bytes(200)
    path.write_bytes(data)
    raster = open_raster(path)
    np.testing.assert_array_equal(raster.read(Window(col_off=0, row_off=0, width=16, height=16)).values, values[:, :16, :16])
    with pytest.raises(RasterError, match="rows 48 to 63, columns 48 to 63"):
        raster.read(Window(col_off=48, row_off=48, width=16, height=16))
    # a failed read leaves no broken handle behind
    np.testing.assert_array_equal(raster.read(Window(col_off=0, row_off=0, width=16, height=16)).values, values[:, :16, :16])


def test_a_vrt_named_tif_opens_nothing(make_tiff: MakeTiff, ramp: Ramp) -> None:
    inner = make_tiff(ramp, name="inner.tif")
    outer = inner.with_name("outer.tif")
    outer.write_text(
        '<VRTDataset rasterXSize="51" rasterYSize="37"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{inner}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with rasterio.open(outer) as dataset:
        assert dataset.driver == "VRT"  # what would happen without care
    with pytest.raises(RasterError, match="XML"):
        open_raster(outer)


@pytest.mark.parametrize(
    "name", ["line\nbreak.tif", "sm\N{GRINNING FACE}le.tif", "GTIFF_DIR:1:x.tif", "a!b.tif", "s3:x.tif", "q?a=b&c.tif", "#%20.tif"]
)
def test_odd_file_names_open(make_tiff: MakeTiff, ramp: Ramp, name: str) -> None:
    path = make_tiff(ramp)
    renamed = path.rename(path.with_name(name))
    np.testing.assert_array_equal(open_raster(renamed).read().values, ramp)


def test_relative_paths_open(make_tiff: MakeTiff, ramp: Ramp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_tiff(ramp).parent)
    raster = open_raster(Path("image.tif"))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(raster.read().values, ramp)


def test_opening_many_files_leaves_few_open(tmp_path: Path, make_tiff: MakeTiff) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list the open files of a process")
    data = make_tiff(np.ones((1, 4, 4), np.uint8)).read_bytes()
    rasters = []
    before = len(list(descriptors.iterdir()))
    for number in range(200):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(data)
        rasters.append(open_raster(path))
    assert all(raster.read().values.all() for raster in rasters)
    assert len(list(descriptors.iterdir())) - before < 100


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["none", "deflate", "lzw", "packbits", "zstd", "lzma", "lerc"])
def test_planes_and_compressions(make_tiff: MakeTiff, ramp: Ramp, interleave: str, compress: str) -> None:
    path = make_tiff(ramp, interleave=interleave, compress=compress, tiled=True, blockxsize=16, blockysize=32)
    np.testing.assert_array_equal(open_raster(path).read(Window(col_off=9, row_off=30, width=20, height=7)).values, ramp[:, 30:, 9:29])


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
def test_few_bits_give_the_stored_numbers(make_tiff: MakeTiff, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (2, 13, 17)).astype(np.uint8 if bits < 9 else np.uint16)
    np.testing.assert_array_equal(open_raster(make_tiff(values, nbits=bits)).read().values, values)


@pytest.mark.parametrize("bands", [2, 4])
def test_16_bit_alpha(tmp_path: Path, bands: int) -> None:
    values = np.random.default_rng(0).integers(1, 65_536, (bands, 13, 17)).astype(np.uint16)
    values[-1, :4] = 0
    path = tmp_path / "alpha.tif"
    profile = {"driver": "GTiff", "dtype": "uint16", "count": bands, "height": 13, "width": 17}
    with rasterio.open(path, "w", **profile, photometric="rgb" if bands == 4 else "minisblack", alpha="yes") as dataset:
        dataset.write(values)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.values, values[:-1])
    np.testing.assert_array_equal(pixels.valid, values[-1] != 0)


@pytest.mark.parametrize("compression", ["raw", "jpeg", "tiff_lzw"])
def test_8_bit_inks_are_colours(tmp_path: Path, compression: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 4), np.uint8), "CMYK")
    path = tmp_path / "print.tif"
    image.save(path, compression=compression)
    with Image.open(path) as stored:
        expected = np.moveaxis(np.asarray(stored.convert("RGB")).astype(int), 2, 0)
    raster = open_raster(path)
    assert raster.bands == 3
    assert np.abs(raster.read().values - expected).max() <= 1


def test_16_bit_inks_are_told(make_tiff: MakeTiff, ramp: Ramp, caplog: pytest.LogCaptureFixture) -> None:
    values = np.concatenate([ramp, ramp[:1]])
    path = make_tiff(values, photometric="cmyk")
    with caplog.at_level(logging.INFO, "terrazzo"):
        np.testing.assert_array_equal(open_raster(path).read().values, values)
    assert "image.tif is a picture for print" in caplog.text


def test_inverted_grey_is_told(make_tiff: MakeTiff, ramp: Ramp, caplog: pytest.LogCaptureFixture) -> None:
    path = make_tiff(ramp[:1], photometric="miniswhite")
    with caplog.at_level(logging.INFO, "terrazzo"):
        np.testing.assert_array_equal(open_raster(path).read().values, ramp[:1])
    assert "image.tif is stored inverted" in caplog.text


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_rows_are_read_as_stored_whatever_the_orientation_tag(tmp_path: Path, orientation: int, caplog: pytest.LogCaptureFixture) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    path = tmp_path / "turned.tif"
    Image.fromarray(values).save(path, tiffinfo={274: orientation})
    with caplog.at_level(logging.INFO, "terrazzo"):
        np.testing.assert_array_equal(open_raster(path).read().values[0], values)
    assert (f"orientation tag {orientation}" in caplog.text) == (orientation != 1)


def empty_tiff(path: Path, width: int, height: int, **layout: Any) -> Path:
    """A small file that declares many pixels."""
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "width": width, "height": height, "compress": "deflate", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, **layout):
        pass
    assert path.stat().st_size < 2**16
    return path


def test_tiles_too_large_to_decode_are_refused(tmp_path: Path) -> None:
    path = empty_tiff(tmp_path / "tiles.tif", 512, 512, tiled=True, blockxsize=32_768, blockysize=32_768)
    with pytest.raises(RasterError, match=r"tiles\.tif is stored in blocks.*each decoded whole.*gdal_translate"):
        open_raster(path)


def test_strips_too_large_to_find_a_row_in_are_refused(tmp_path: Path) -> None:
    path = empty_tiff(tmp_path / "strip.tif", 40_000, 30_000, blockysize=30_000)
    with pytest.raises(RasterError, match=r"strip\.tif is compressed in strips of 30000 rows, 1144 MiB each.*gdal_translate"):
        open_raster(path)
    assert open_raster(empty_tiff(tmp_path / "strip.tif", 20_000, 30_000, blockysize=30_000)).shape == (30_000, 20_000)


def test_blocks_that_are_kept_are_bounded(make_tiff: MakeTiff, ramp: Ramp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    path = make_tiff(ramp)
    for before, after in ((2**40, CACHE_BYTES), (2**20, 2**20)):
        set_gdal_config("GDAL_CACHEMAX", before)
        open_raster(path).close()
        assert get_gdal_config("GDAL_CACHEMAX") == after
    set_gdal_config("GDAL_CACHEMAX", CACHE_BYTES)


def test_fewer_blocks_are_kept_while_rows_are_read_in_order(make_tiff: MakeTiff, ramp: Ramp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GDAL_CACHEMAX", raising=False)
    set_gdal_config("GDAL_CACHEMAX", CACHE_BYTES)
    with rows_in_order():
        open_raster(make_tiff(ramp)).close()
        assert get_gdal_config("GDAL_CACHEMAX") == IN_ORDER_CACHE_BYTES
    assert get_gdal_config("GDAL_CACHEMAX") == CACHE_BYTES
    monkeypatch.setenv("GDAL_CACHEMAX", "512")
    with rows_in_order():
        assert get_gdal_config("GDAL_CACHEMAX") == CACHE_BYTES


def raw_tiff(path: Path, *tags: tuple[int, int, int, int]) -> Path:
    """A TIFF of 2 x 2 pixels with more tags (tag, kind, count, value), which are not sorted out."""
    entries = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (278, 3, 1, 2), (279, 4, 1, 4), *tags]
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    path.write_bytes(b"II*\0" + struct.pack("<I", 12) + bytes(4) + struct.pack("<H", len(entries)) + body + bytes(4))
    return path


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ((277, 3, 1, 60_000), "declares 60000 bands; at most 4096"),
        ((42_112, 2, 2**24, 0), "16777216 bytes of GDAL metadata; at most 1048576"),
        ((33_922, 12, 10**7, 0), "10000000 numbers of control points"),
    ],
)
def test_numbers_that_would_keep_gdal_busy_are_refused(tmp_path: Path, tag: tuple[int, int, int, int], said: str) -> None:
    with pytest.raises(RasterError, match=rf"busy\.tif.*{said}"):
        open_raster(raw_tiff(tmp_path / "busy.tif", tag))
    assert open_raster(raw_tiff(tmp_path / "plain.tif")).shape == (2, 2)
