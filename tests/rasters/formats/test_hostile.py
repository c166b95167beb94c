"""Broken and malicious files of every format: either their pixels come out, or one sentence that names the file.

Small valid files are changed at random (bits, fields, lengths, order), and in the ways that attackers think of. The machinery stands alone,
so that longer campaigns than a test may last can be run with it.
"""

import gzip
import io
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (21, 34), np.uint8)
COLOR = RNG.integers(0, 256, (21, 34, 3), np.uint8)
NUMBERS = RNG.integers(0, 999, (21, 34)).astype(np.int16)

WORDS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    4095,
    32_767,
    32_768,
    65_535,
    65_536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**64 - 1,
)
"""Numbers at which readers stumble."""


def tiff(values: Any, **profile: Any) -> bytes:
    bands = values[None] if values.ndim == 2 else values
    shape = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype.name}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **shape, **profile) as dataset:
            dataset.write(bands)
        return bytes(memory.read())


def tiff_of_everything() -> bytes:
    """Georeferenced, with nodata, names, tags, an overview and a mask inside."""
    place = {"crs": "EPSG:32631", "transform": from_origin(400_000, 5_000_000, 2, 2), "nodata": 7}
    with MemoryFile() as memory, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with memory.open(
            driver="GTiff",
            count=2,
            height=64,
            width=64,
            dtype="uint16",
            tiled=True,
            blockxsize=32,
            blockysize=32,
            compress="deflate",
            **place,
        ) as dataset:
            dataset.write(RNG.integers(0, 999, (2, 64, 64)).astype(np.uint16))
            dataset.descriptions = ("red", "nir")
            dataset.update_tags(NOTE="a note")
            dataset.write_mask(RNG.random((64, 64)) < 0.5)
        with memory.open() as dataset:
            assert dataset.count == 2
        return bytes(memory.read())


def pages() -> bytes:
    images = [Image.fromarray(GREY + number) for number in range(3)]
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw")
    return buffer.getvalue()


def picture(values: Any, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(buffer, kind, **options)
    return buffer.getvalue()


def deep_png(values: Any) -> bytes:
    return bytes(cv2.imencode(".png", values)[1])


def noted_png() -> bytes:
    notes = PngInfo()
    notes.add_text("note", "x" * 300, zip=True)
    return picture(COLOR, "PNG", pnginfo=notes, transparency=(1, 2, 3), icc_profile=b"p" * 200)


def photo_with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(COLOR, "JPEG", exif=exif)


def fits_of(*units: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(buffer)
    return buffer.getvalue()


def scaled_fits() -> bytes:
    unit = fits.ImageHDU(np.abs(NUMBERS), do_not_scale_image_data=True)
    for key, value in {"BSCALE": 0.5, "BZERO": 3, "BLANK": 5, "OBSERVER": "no one"}.items():
        unit.header[key] = value
    return fits_of(unit, fits.BinTableHDU.from_columns([fits.Column("a", "PJ()", array=np.array([[1], [2, 3]], object))]))


def npy(values: Any, version: tuple[int, int] = (1, 0)) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, values, version)
    return buffer.getvalue()


def npz(save: Callable[..., None], **arrays: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[], bytes]] = {
    "strips.tif": lambda: tiff(COLOR.transpose(2, 0, 1), photometric="rgb"),
    "planar.tif": lambda: tiff(COLOR.transpose(2, 0, 1), interleave="band", compress="packbits"),
    "tiles.tif": lambda: tiff(GREY, tiled=True, blockxsize=16, blockysize=16, compress="lzw", predictor=2),
    "big.tif": lambda: tiff(NUMBERS, BIGTIFF="YES", compress="zstd", predictor=2),
    "float.tif": lambda: tiff(NUMBERS.astype(np.float32), compress="deflate", predictor=3),
    "lzma.tif": lambda: tiff(NUMBERS, compress="lzma"),
    "lerc.tif": lambda: tiff(NUMBERS, compress="lerc"),
    "jpeg.tif": lambda: tiff(COLOR.transpose(2, 0, 1), compress="jpeg", photometric="ycbcr", tiled=True, blockxsize=16, blockysize=16),
    "webp.tif": lambda: tiff(COLOR.transpose(2, 0, 1), compress="webp"),
    "bits.tif": lambda: tiff(GREY % 2, nbits=1, compress="ccittfax4"),
    "swapped.tif": lambda: tiff(NUMBERS, ENDIANNESS="BIG"),
    "everything.tif": tiff_of_everything,
    "pages.tif": pages,
    "grey.png": lambda: picture(GREY, "PNG"),
    "palette.png": lambda: picture(Image.fromarray(COLOR).quantize(9), "PNG", transparency=b"\0\1"),
    "bits.png": lambda: picture(GREY > 99, "PNG"),
    "noted.png": noted_png,
    "deep.png": lambda: deep_png(np.dstack([COLOR, GREY]).astype(np.uint16) * 255),
    "photo.jpg": photo_with_exif,
    "progressive.jpg": lambda: picture(COLOR, "JPEG", progressive=True, quality=70),
    "inks.jpg": lambda: picture(Image.fromarray(COLOR).convert("CMYK"), "JPEG"),
    "plain.fits": lambda: fits_of(fits.ImageHDU(NUMBERS.astype(np.float32))),
    "scaled.fits": scaled_fits,
    "rice.fits": lambda: fits_of(fits.CompImageHDU(NUMBERS)),
    "gzip.fits": lambda: fits_of(fits.CompImageHDU(NUMBERS.astype(np.float32), compression_type="GZIP_2")),
    "hcompress.fits": lambda: fits_of(fits.CompImageHDU(NUMBERS, compression_type="HCOMPRESS_1")),
    "plio.fits": lambda: fits_of(fits.CompImageHDU(np.abs(NUMBERS), compression_type="PLIO_1")),
    "frame.fits.gz": lambda: gzip.compress(fits_of(fits.ImageHDU(NUMBERS))),
    "array.npy": lambda: npy(NUMBERS),
    "cube.npy": lambda: npy(np.asfortranarray(COLOR.astype(">f8")), (2, 0)),
    "stored.npz": lambda: npz(np.savez, image=COLOR, label=np.arange(3)),
    "packed.npz": lambda: npz(np.savez_compressed, image=NUMBERS, name=np.array("x")),
}


SEEDS = {name: write() for name, write in WRITERS.items()}
"""Small files of every format and compression."""


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A file changed in one to six places."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice((_flip, _flip, _word, _word, _word, _cut, _insert, _repeat, _move))(changed, rng)
    return bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    """Any byte, more often one near the start or the end, where headers are."""
    size = max(1, len(data))
    return rng.choice((rng.randrange(size), rng.randrange(min(size, 600)), size - 1 - rng.randrange(min(size, 300))))


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _word(data: bytearray, rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    place = _place(data, rng)
    word = rng.choice(WORDS) % 256**size
    data[place : place + size] = word.to_bytes(size, rng.choice(("little", "big")))


def _cut(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : None if rng.random() < 0.3 else start + rng.choice((1, 2, 4, 80, 512, 2880))]


def _insert(data: bytearray, rng: random.Random) -> None:
    place = _place(data, rng)
    data[place:place] = rng.randbytes(rng.choice((1, 2, 4, 80))) if rng.random() < 0.5 else bytes(rng.choice((1, 80, 2880)))


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    data[start:start] = data[start : start + rng.choice((1, 4, 12, 80, 500))] * rng.choice((1, 2, 30))


def _move(data: bytearray, rng: random.Random) -> None:
    start, target, size = _place(data, rng), _place(data, rng), rng.choice((1, 2, 4, 12, 20, 80))
    data[target : target + size] = data[start : start + size]


def hostile_bytes(name: str, seed: int) -> bytes:
    """The seed file of a name, changed at random; often its checksums are made right again, so that deeper layers are reached."""
    rng = random.Random(seed)
    data = SEEDS[name]
    if name.endswith(".gz") and rng.random() < 0.7:
        return gzip.compress(mutate(gzip.decompress(data), rng), 1)
    if name.endswith(".npz") and rng.random() < 0.5:
        return _rezipped(data, rng)
    changed = mutate(data, rng)
    return _rechecked(changed) if name.endswith(".png") and rng.random() < 0.7 else changed


def _rezipped(data: bytes, rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            target.writestr(entry, mutate(source.read(entry), rng) if rng.random() < 0.6 else source.read(entry))
    return buffer.getvalue()


def _rechecked(png: bytes) -> bytes:
    """The chunks with right checksums, as far as they can be followed."""
    out, place = bytearray(png[:8]), 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        body = png[place + 4 : place + 8 + length]
        if len(body) < length + 4:
            break
        out += png[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += length + 12
    return bytes(out + png[place:])


def read_all(path: Path, options: DataOptions = DataOptions()) -> None:
    """Open a file and read it by windows: all, or where it says that it is large, some everywhere. Raises RasterError only."""
    with open_raster(path, options) as raster:
        for window in windows(raster):
            pixels = raster.read(window)
            assert pixels.values.shape == (raster.bands, *window.shape)
            assert pixels.valid.shape == window.shape


def windows(raster: Raster) -> Iterator[Window]:
    height, width = raster.shape
    rows, columns = (sorted({0, length // 3, max(0, length - 40)}) for length in (height, width))
    for row in rows:
        for column in columns:
            yield Window(col_off=column, row_off=row, width=48, height=48)


def check(path: Path, options: DataOptions = DataOptions()) -> str:
    """'read', or the error's message, of which it is made sure that it is one line and names the file."""
    said = "read"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read_all(path, options)
        except RasterError as error:
            said = str(error)
    assert said == "read" or path.name in said
    assert len(said.splitlines()) == 1
    return said


OPTIONS = (DataOptions(), DataOptions(page="bands"), DataOptions(page=2), DataOptions(hdu=1, array="image", axes="bands_last"))


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_themselves_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(SEEDS[name])
    assert check(path) == "read"


@pytest.mark.parametrize("name", SEEDS)
# what GDAL says in bytes that are no text, rasterio cannot log: a line on stderr, no fault
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), options=st.sampled_from(OPTIONS))
def test_changed_files_are_read_or_named(tmp_path: Path, name: str, seed: int, options: DataOptions) -> None:
    path = tmp_path / name
    path.write_bytes(hostile_bytes(name, seed))
    check(path, options)


def mask_file() -> bytes:
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=21, width=34, dtype="uint8", nbits=1) as dataset:
            dataset.write(GREY[None] % 2)
            dataset.update_tags(INTERNAL_MASK_FLAGS_1="2")
        return bytes(memory.read())


BESIDE = {
    "image.tfw": b"2.0\n0.25\n0.5\n-3.0\n400100.5\n5000200.25\n",
    "image.tif.msk": mask_file(),
    "image.tif.aux.xml": b"<PAMDataset><GeoTransform> 4.1e+05,  2.0, 0.5,  5.1e+06,  0.0, -2.0</GeoTransform>"
    b'<PAMRasterBand band="1"><NoDataValue>3</NoDataValue></PAMRasterBand></PAMDataset>',
}
"""Files beside image.tif."""


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_changed_files_beside_are_obeyed_or_named(tmp_path: Path, name: str, seed: int) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(SEEDS["swapped.tif"])
    path.with_name(name).write_bytes(mutate(BESIDE[name], random.Random(seed)))
    said = "image."
    try:
        read_all(path)
    except RasterError as error:
        said = str(error)
    assert "image." in said
    assert len(said.splitlines()) == 1
