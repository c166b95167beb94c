"""PNG and JPEG beyond the contract of all formats; the oracle is Pillow's own high-level way."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

SHAPE = (13, 17)
RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, SHAPE, np.uint8)
COLOR = RNG.integers(0, 256, (*SHAPE, 3), np.uint8)


def bands_first(samples: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(samples, 2, 0)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(path: Path, rows: NDArray[np.uint8], bit_depth: int, color_type: int, *extra: bytes) -> Path:
    """A PNG from packed sample bytes (height, bytes a row), for kinds that Pillow and OpenCV do not write."""
    width = rows.shape[1] * 8 // (bit_depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type])
    header = struct.pack(">IIBBBBB", width, rows.shape[0], bit_depth, color_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks = [png_chunk(b"IHDR", header), *extra, png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def test_palette_png_gives_its_indices(tmp_path: Path) -> None:
    path = tmp_path / "labels.png"
    image = Image.fromarray(GREY % 3)
    image.putpalette([10, 20, 30, 250, 0, 0, 0, 0, 255])
    # classes stay what they are where the palette shows them transparent
    image.save(path, transparency=b"\x00\xff\x80")
    raster = open_raster(path)
    assert raster.bands == 1
    assert raster.palette == {0: (10, 20, 30), 1: (250, 0, 0), 2: (0, 0, 255)}
    pixels = raster.read()
    np.testing.assert_array_equal(pixels.values[0], GREY % 3)
    assert pixels.valid.all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_images_give_0_and_1(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    Image.fromarray(GREY > 127).save(path)
    raster = open_raster(path)
    assert raster.dtype == np.uint8
    np.testing.assert_array_equal(raster.read().values[0], GREY > 127)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_not_stretched(tmp_path: Path, bits: int) -> None:
    samples = RNG.integers(0, 2**bits, (5, 16), np.uint8)
    each = np.unpackbits(samples[..., None], axis=2)[..., -bits:]
    path = raw_png(tmp_path / "few.png", np.packbits(each.reshape(5, -1), axis=1), bits, 0, png_chunk(b"tRNS", b"\0\1"))
    raster = open_raster(path)
    pixels = raster.read()
    np.testing.assert_array_equal(pixels.values[0], samples)
    assert raster.nodata == (1.0,)
    np.testing.assert_array_equal(pixels.valid, samples != 1)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_validity_unless_it_is_asked_for(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "alpha.png"
    alpha = np.where(GREY > 200, 0, GREY)
    image = Image.fromarray(GREY if mode == "LA" else COLOR)
    image.putalpha(Image.fromarray(alpha))
    image.save(path)
    raster = open_raster(path)
    assert raster.bands == len(mode) - 1
    pixels = raster.read()
    np.testing.assert_array_equal(pixels.values, GREY[None] if mode == "LA" else bands_first(COLOR))
    np.testing.assert_array_equal(pixels.valid, alpha != 0)
    assert pixels.holes is not None
    assert pixels.holes.shape == pixels.values.shape
    pixels = open_raster(path, DataOptions(bands=[len(mode)])).read()
    np.testing.assert_array_equal(pixels.values[0], alpha)
    assert pixels.valid.all()


def test_transparent_grey_is_nodata(tmp_path: Path) -> None:
    for samples in (GREY, GREY.astype(np.uint16) * 257):
        path = tmp_path / "grey.png"
        Image.fromarray(samples).save(path, transparency=int(samples[2, 3]))
        raster = open_raster(path)
        assert raster.nodata == (float(samples[2, 3]),)
        np.testing.assert_array_equal(raster.read().valid, samples != samples[2, 3])


def test_a_transparent_colour_is_that_colour_only(tmp_path: Path) -> None:
    samples = COLOR.copy()
    samples[:4] = (9, 0, 7)
    samples[5] = (9, 50, 60)
    path = tmp_path / "color.png"
    Image.fromarray(samples).save(path, transparency=(9, 0, 7))
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.valid, ~(samples == (9, 0, 7)).all(2))
    assert pixels.valid[5].all()
    assert pixels.holes is not None
    assert not pixels.holes[:, 5].any()


@pytest.mark.parametrize("bands", [3, 4])
def test_16_bit_colours_keep_their_bits(tmp_path: Path, bands: int) -> None:
    samples = RNG.integers(0, 2**16, (*SHAPE, bands), np.uint16)
    if bands == 4:
        samples[:3, :, 3] = 0
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), samples)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.values, bands_first(samples)[[2, 1, 0]])
    np.testing.assert_array_equal(pixels.valid, samples[..., 3] != 0 if bands == 4 else np.ones(SHAPE, bool))


def test_16_bit_grey_with_alpha(tmp_path: Path) -> None:
    samples = RNG.integers(0, 2**16, (*SHAPE, 2), np.uint16)
    samples[:3, :, 1] = 0
    path = raw_png(tmp_path / "la16.png", samples.astype(">u2").view(np.uint8).reshape(SHAPE[0], -1), 16, 4)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.values[0], samples[..., 0])
    np.testing.assert_array_equal(pixels.valid, samples[..., 1] != 0)


def test_16_bit_transparent_colour(tmp_path: Path) -> None:
    samples = RNG.integers(0, 2**16, (*SHAPE, 3), np.uint16)
    samples[1, 2] = (300, 70, 65000)
    chunk = png_chunk(b"tRNS", struct.pack(">HHH", 300, 70, 65000))
    path = raw_png(tmp_path / "rgb16.png", samples.astype(">u2").view(np.uint8).reshape(SHAPE[0], -1), 16, 2, chunk)
    pixels = open_raster(path).read()
    np.testing.assert_array_equal(pixels.values, bands_first(samples))
    assert np.argwhere(~pixels.valid).tolist() == [[1, 2]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.kron(COLOR, np.ones((4, 4, 1), np.uint8))).save(path, exif=exif)
    with Image.open(path) as image:
        expected = bands_first(np.asarray(ImageOps.exif_transpose(image)))
    raster = open_raster(path)
    assert raster.shape == expected.shape[1:]
    np.testing.assert_array_equal(raster.read().values, expected)
    window = Window(col_off=5, row_off=7, width=9, height=11)
    np.testing.assert_array_equal(raster.read(window).values, expected[:, 7:18, 5:14])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_jpeg_is_grey_or_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(COLOR).convert(mode).save(path)
    raster = open_raster(path)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("L" if mode == "L" else "RGB"))
    assert raster.format == "JPEG"
    assert raster.bands == (1 if mode == "L" else 3)
    np.testing.assert_array_equal(raster.read().values, expected[None] if mode == "L" else bands_first(expected))


def test_damaged_exif_is_no_reason_to_warn_or_fail(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(COLOR).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x03\x01\x12\0\x03")
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")  # pytest takes the filters of the modules away
    assert open_raster(path).shape == SHAPE


@pytest.mark.parametrize("name", ["photo.jpg", "grey.png", "deep.png", "palette.png"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
def test_truncated_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    samples = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    if name == "deep.png":
        cv2.imwrite(str(path), samples.astype(np.uint16) * 255)
    else:
        Image.fromarray(samples if name == "photo.jpg" else samples[..., 0]).convert("P" if name == "palette.png" else None).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(RasterError, match=name.replace(".", r"\.") + r" is broken"):
        open_raster(path).read()


@pytest.mark.parametrize("kind", ["grey", "deep"])
def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), GREY if kind == "grey" else COLOR.astype(np.uint16) * 200)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(RasterError, match="is broken"):
        open_raster(path).read()


def test_our_own_pixel_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    # 225 megapixels in 28 kB: Pillow refuses what it takes for a bomb, here the recipe decides
    rows = np.zeros((15_000, 15_000 // 8), np.uint8)
    raw_png(path, rows, 1, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_raster(path).shape == (15_000, 15_000)
        with pytest.raises(RasterError, match=r"large\.png is 15000 x 15000.*225 megapixels.*limit is 200.*picture_mpx"):
            open_raster(path, DataOptions(picture_mpx=200))


def test_texts_are_tags_in_capitals(tmp_path: Path) -> None:
    path = tmp_path / "noted.png"
    notes = PngInfo()
    notes.add_text("terrazzo_legend", '{"é": 1}')
    notes.add_text("author", "\u4e2d")
    Image.fromarray(GREY).save(path, pnginfo=notes)
    assert open_raster(path).tags == {"TERRAZZO_LEGEND": '{"é": 1}', "AUTHOR": "\u4e2d"}


def test_windows_of_one_image_decode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(GREY).save(path)
    raster = open_raster(path)
    window = Window(col_off=1, row_off=1, width=3, height=3)
    raster.read(window)
    path.write_bytes(b"gone")
    np.testing.assert_array_equal(raster.read(window).values[0], GREY[1:4, 1:4])
    np.testing.assert_array_equal(raster.read().values[0], GREY)
    raster.close()
    with pytest.raises(RasterError):
        raster.read(window)


def jpeg_of_inks(inks: NDArray[np.uint8], *, marker: bool) -> bytes:
    """A JPEG of cyan, magenta, yellow, black; Pillow stores them inverted, as Adobe does, with Adobe's marker."""
    buffer = io.BytesIO()
    Image.fromarray(inks if marker else 255 - inks, "CMYK").save(buffer, "JPEG", quality=100, subsampling=0)
    data = buffer.getvalue()
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4])
    return data if marker else data[:start] + data[start + 2 + length :]


@pytest.mark.parametrize("marker", [True, False])
def test_inks_become_the_colours_that_they_print(tmp_path: Path, marker: bool) -> None:  # noqa: FBT001
    inks = np.zeros((8, 16, 4), np.uint8)
    inks[:, 8:, 0] = 255
    inks[4:, 8:, 3] = 255
    path = tmp_path / "print.jpg"
    path.write_bytes(jpeg_of_inks(inks, marker=marker))
    values = open_raster(path).read().values.astype(int)
    for row, column, color in ((1, 1, (255, 255, 255)), (1, 13, (0, 255, 255)), (6, 13, (0, 0, 0))):
        assert np.abs(values[:, row, column] - color).max() <= 6


def test_inks_stored_as_brightness_and_colour(tmp_path: Path) -> None:
    # no cyan, all magenta and yellow, as brightness and two differences; and half the black, inverted: a dark red
    stored = np.empty((16, 16, 4), np.uint8)
    stored[...] = (179, 171, 0, 127)
    data = bytearray(jpeg_of_inks(255 - stored, marker=True))
    place = data.index(b"Adobe") + 11
    assert data[place] == 0
    data[place] = 2
    path = tmp_path / "ycck.jpg"
    path.write_bytes(data)
    red, green, blue = open_raster(path).read().values[:, 8, 8].astype(int)
    assert abs(red - 127) < 9
    assert max(green, blue) < 9


def test_scans_beyond_all_measure(tmp_path: Path) -> None:
    path = tmp_path / "scans.jpg"
    Image.fromarray(COLOR).save(path, progressive=True)
    data = path.read_bytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    path.write_bytes(data[:-2] + scan * 12 + data[-2:])
    assert open_raster(path).read().values.shape == (3, *SHAPE)
    path.write_bytes(data[:-2] + scan * 1000 + data[-2:])
    with pytest.raises(RasterError, match=r"scans\.jpg is broken \(it has more than 32 scans"):
        open_raster(path)


def test_another_picture_behind_the_photo_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    Image.fromarray(COLOR).save(path)
    expected = open_raster(path).read().values
    path.write_bytes(path.read_bytes() + b"\xff\xda\0\x02" * 500)
    np.testing.assert_array_equal(open_raster(path).read().values, expected)


@pytest.mark.parametrize("filler", [b"\xff\xfe\0\2" * 5000, b"\xff" * 10**6])
def test_segments_beyond_all_measure(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "segments.jpg"
    Image.fromarray(COLOR).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:2] + filler + data[2:])
    with pytest.raises(RasterError, match=r"segments\.jpg is broken \(it (has more than 4096 segments|holds no pixels)"):
        open_raster(path)


def test_progressive_photos_count_twice(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    for progressive in (False, True):
        Image.new("RGB", (1000, 1000)).save(path, progressive=progressive)
        with pytest.raises(RasterError, match=rf"photo\.jpg is 1000 x 1000 pixels.* {6 if progressive else 3} megapixels"):
            open_raster(path, DataOptions(picture_mpx=2))


def test_a_declared_size_that_the_bytes_cannot_hold(tmp_path: Path) -> None:
    png = raw_png(tmp_path / "small.png", np.zeros((4, 4), np.uint8), 8, 0)
    data = png.read_bytes()
    png.write_bytes(data[:8] + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 15_000, 15_000, 8, 0, 0, 0, 0)) + data[33:])
    with pytest.raises(RasterError, match=r"small\.png is broken \(its \d+ bytes of pixels cannot be all"):
        open_raster(png)
    jpeg = tmp_path / "small.jpg"
    Image.fromarray(GREY).save(jpeg)
    data = jpeg.read_bytes()
    place = data.index(b"\xff\xc0") + 5
    jpeg.write_bytes(data[:place] + struct.pack(">HH", 20_000, 20_000) + data[place + 4 :])
    with pytest.raises(RasterError, match=r"small\.jpg is broken \(its \d+ bytes cannot hold its 400 megapixels"):
        open_raster(jpeg)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_compressed_notes_are_unpacked_up_to_a_limit(tmp_path: Path, kind: bytes) -> None:
    note = png_chunk(kind, b"note\0\0" + zlib.compress(bytes(2**24)))
    path = raw_png(tmp_path / "noted.png", np.zeros((4, 4), np.uint8), 8, 0, note)
    with pytest.raises(RasterError, match=r"noted\.png is broken \(Decompressed data too large"):
        open_raster(path)


def test_chunks_beyond_all_measure(tmp_path: Path) -> None:
    path = raw_png(tmp_path / "chunks.png", np.zeros((4, 4), np.uint8), 8, 0, *[png_chunk(b"teSt", b"")] * 21_000)
    with pytest.raises(RasterError, match=r"chunks\.png is broken \(it consists of more than \d+ chunks"):
        open_raster(path)


def test_16_bit_colours_that_are_more_than_declared(tmp_path: Path) -> None:
    path = raw_png(tmp_path / "deep.png", np.zeros((400_000, 12), np.uint8), 16, 2)
    data = path.read_bytes()
    path.write_bytes(data[:8] + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)) + data[33:])
    with pytest.raises(RasterError, match=r"deep\.png is broken \(it holds more pixels than it declares"):
        open_raster(path).read()
