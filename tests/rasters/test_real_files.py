"""The reader on real files: odd ones from other projects' tests, and images of the data sets."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.crs import CRS

from terrazzo.errors import RasterError
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Window

Shared = Callable[[str], Path]

BROKEN = {
    "amsterdam_labels_A.tif": "git-LFS pointer",
    "broken_data_stream.png": "is broken",
    "crash-63b1dffefc8c075ddc606c0a2f5fdc15ece78863.tif": "cannot be opened",
    "seek_too_large.tif": "cannot be opened",
    "truncated_image.png": "truncated",
    "RGB.byte.gcp.vrt": "XML",
    "white-gemini-iv.vrt": "XML",
    "corrupt.tif": "rows 0 to 1023",
    "no_band.h5": "HDF5",
}
"""Files that cannot be used, and what is said about them."""

NO_GDAL_ORACLE = {"mode_16bit.png"}
"""An animation, of which GDAL reads the first frame instead of the still image."""


def assert_reads_like_an_oracle(raster: Raster, path: Path) -> None:
    pixels = raster.read()
    if raster.format == "JPEG":
        # decoders differ by a few grey values, so GDAL's is no oracle
        with Image.open(path) as image:
            if image.getexif().get(0x0112, 1) == 1:
                samples = np.asarray(image)
                np.testing.assert_array_equal(pixels.values, samples[None] if samples.ndim == 2 else np.moveaxis(samples, 2, 0))
        return
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(pixels.values, dataset.read(list(range(1, raster.bands + 1))))
        np.testing.assert_array_equal(pixels.valid, dataset.dataset_mask() != 0)
        assert raster.dtype == dataset.dtypes[0]


def odd_files(root: Path) -> list[Path]:
    with (root / "MANIFEST.csv").open() as manifest:
        paths = [root / row["file"] for row in csv.DictReader(manifest)]
    assert len(paths) > 80
    return paths


def test_every_odd_file_is_read_or_named(shared: Shared) -> None:
    for path in odd_files(shared("odd_rasters")):
        if path.name in BROKEN:
            with pytest.raises(RasterError, match=BROKEN[path.name]) as caught, open_raster(path) as raster:
                raster.read()
            assert path.name in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
            continue
        with open_raster(path) as raster:
            if path.name not in NO_GDAL_ORACLE:
                assert_reads_like_an_oracle(raster, path)
            height, width = raster.shape
            corner = raster.read(Window(col_off=width - 2, row_off=height - 2, width=4, height=4))
            assert not corner.valid[2:].any()


PILLOW_DIFFERS = {
    "g4_orientation_3.tif": "Pillow turns it",
    "g4_orientation_6.tif": "Pillow turns it",
    "total-pages-zero.tif": "stored inverted",
    "hopper4I.tif": "stored inverted, in 4 bits",
    "hopper.Lab.tif": "Pillow gives other colours than red, green, blue",
    "tiff_strip_cmyk_jpeg.tif": "Pillow gives inks",
    "tiff_16bit_RGB.tiff": "Pillow cuts 16 bits to 8",
    "tiff_tiled_planar_16bit_RGBa.tiff": "Pillow cuts 16 bits to 8",
}


def test_pillow_agrees_about_odd_tiffs(shared: Shared) -> None:
    compared = 0
    for path in odd_files(shared("odd_rasters")):
        if path.suffix not in (".tif", ".tiff") or path.name in BROKEN or path.name in PILLOW_DIFFERS:
            continue
        try:
            with Image.open(path) as image:
                smoothed = image.info.get("compression") == "jpeg"
                samples = np.atleast_3d(np.asarray(image))
        except OSError:
            continue
        # decoders of JPEG differ by a few grey values
        if smoothed:
            continue
        with open_raster(path) as raster:
            values = raster.read().values
        np.testing.assert_array_equal(values, np.moveaxis(samples, 2, 0)[: len(values)])
        compared += 1
    assert compared > 35


def test_inverted_and_turned_tiffs_as_stored(shared: Shared) -> None:
    folder = shared("odd_rasters") / "pillow"
    path = folder / "tiff_gray_2_4_bpp" / "hopper4I.tif"
    with Image.open(path) as image:
        np.testing.assert_array_equal(255 - open_raster(path).read().values[0] * 17, np.asarray(image))
    for orientation, turned in ((3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)):
        path = folder / f"g4_orientation_{orientation}.tif"
        with Image.open(path) as image:
            stored = np.asarray(image.transpose(turned))
        # stored inverted
        np.testing.assert_array_equal(open_raster(path).read().values[0] == 0, stored)


READ_EACH = """
import json, sys, time
from pathlib import Path
from terrazzo.errors import RasterError
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import cover

def peak_kib():
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])

before = peak_kib()
for path in map(Path, sys.argv[1:]):
    start = time.monotonic()
    try:
        with open_raster(path) as raster:
            for window in cover(raster.shape, (256, 256), 0):
                raster.read(window)
            raster.read()
    except RasterError:
        pass
    print(json.dumps({"file": path.name, "seconds": time.monotonic() - start, "mib": (peak_kib() - before) / 1024}))
"""
"""Reads files one after the other, by windows and whole, and tells time and memory."""


def test_odd_files_take_neither_long_nor_much_memory(shared: Shared) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the memory of a process")
    paths = odd_files(shared("odd_rasters"))
    reader = subprocess.run([sys.executable, "-c", READ_EACH, *map(str, paths)], capture_output=True, text=True, check=False, timeout=300)
    assert reader.returncode == 0, reader.stderr[-2000:]
    told = [json.loads(line) for line in reader.stdout.splitlines()]
    assert [line["file"] for line in told] == [path.name for path in paths]
    slow = [line for line in told if line["seconds"] > 10]
    assert not slow
    assert told[-1]["mib"] < 1024


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("water_12band", "images/*.tif"), ("solaris_footprints", "*.tif"), ("nrcan_gdl", "**/*.tif"), ("dsb2018_nuclei", "**/*.png")],
)
def test_images_of_the_data_sets(shared: Shared, name: str, pattern: str) -> None:
    paths = sorted(shared(name).glob(pattern))[:12]
    assert paths
    for path in paths:
        with open_raster(path) as raster:
            assert_reads_like_an_oracle(raster, path)


def test_bands_and_values_of_the_water_set(shared: Shared) -> None:
    with open_raster(min((shared("water_12band") / "images").glob("*.tif")), DataOptions(bands=[12, 1])) as raster:
        assert raster.bands == 2
        assert raster.dtype == np.int16
    with open_raster(shared("solaris_footprints") / "sample_geotiff.tif") as raster:
        assert raster.grid.crs == CRS.from_epsg(32616)
        assert raster.nodata == (0.0,)


def test_fits_frames(shared: Shared) -> None:
    path = shared("gmos_fits") / "gmos.fits"
    with pytest.raises(RasterError, match=r"1 \(SCI.*2 \(VAR.*3 \(SKYFIT.*data\.hdu=N"):
        open_raster(path)
    with open_raster(path, DataOptions(hdu=1)) as raster:
        assert (raster.bands, raster.shape, raster.dtype) == (1, (150, 200), np.dtype(np.float32))
        assert raster.read().valid.all()
    frames = sorted(shared("ccd_damic_sim").glob("*/images/*.fits"))[:5]
    assert frames
    for frame in frames:
        assert open_raster(frame).read().values.std() > 0
