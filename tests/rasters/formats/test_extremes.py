"""Every format at its ends: no file at all, odd names, the smallest and the largest images."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import RasterError
from terrazzo.rasters.files import find_images
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window

Values = NDArray[Any]


def write_tiff(path: Path, values: Values) -> None:
    profile = {"driver": "GTiff", "count": 1, "height": values.shape[0], "width": values.shape[1], "dtype": values.dtype.name}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values, 1)


def write_fits(path: Path, values: Values) -> None:
    fits.PrimaryHDU(values).writeto(path)


def write_npy(path: Path, values: Values) -> None:
    with path.open("wb") as file:
        np.save(file, values)


def write_npz(path: Path, values: Values) -> None:
    with path.open("wb") as file:
        np.savez(file, values)


WRITERS: dict[str, Callable[[Path, Values], None]] = {
    ".tif": write_tiff,
    ".png": lambda path, values: Image.fromarray(values).save(path, "PNG"),
    ".jpg": lambda path, values: Image.fromarray(values).save(path, "JPEG"),
    ".fits": write_fits,
    ".fits.gz": write_fits,
    ".npy": write_npy,
    ".npz": write_npz,
}

ODD_NAMES = [
    "line\nbreak",
    "sm\N{GRINNING FACE}le",
    "two..dots..",
    "  spaces  ",
    "right\N{RIGHT-TO-LEFT OVERRIDE}left",
    "quo'te\"s",
    "100%",
    "a#b?c=d&e",
    "-o",
    "n" * 246,
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 80,
    "back\\slash",
    "semi;colon:bar|",
    "*glob[x]?",
    "\x1b[31mred",
]


@pytest.mark.parametrize("suffix", WRITERS)
def test_odd_names_are_found_and_read(tmp_path: Path, suffix: str) -> None:
    values = np.full((5, 7), 90, np.uint8)
    plain = tmp_path / f"plain{suffix}"
    WRITERS[suffix](plain, values)
    folder = tmp_path / "..odd folder\n"
    folder.mkdir()
    for name in ODD_NAMES:
        (folder / f"{name}{suffix}").write_bytes(plain.read_bytes())
    found = find_images(folder.name, tmp_path)
    assert {file.name for file in found} == set(ODD_NAMES)
    for file in found:
        with open_raster(file.path) as raster:
            np.testing.assert_array_equal(raster.read().values[0], values)
        assert find_images(str(file.path), tmp_path)[0].path == file.path


def test_names_that_no_disk_takes(tmp_path: Path) -> None:
    for name in ("n" * 256 + ".tif", "nul\0byte.tif"):
        with pytest.raises(RasterError, match=r"cannot be read|does not exist"):
            open_raster(tmp_path / name)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".fits", ".npy", ".npz"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    path.mkdir()
    with pytest.raises(RasterError, match=rf"image\{suffix} is a folder"):
        open_raster(path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(RasterError, match=rf"image\{suffix} is a pipe"):
        open_raster(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with pytest.raises(RasterError, match=rf"image\{suffix} is a socket"):
            open_raster(path)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(RasterError, match=rf"image\{suffix} cannot be read"):
        open_raster(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(RasterError, match=rf"image\{suffix} is a device"):
        open_raster(path)
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(RasterError, match=rf"image\{suffix} does not exist"):
        open_raster(path)


def test_names_of_gdals_own_file_systems_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("/vsimem/a.tif", "/vsicurl/http://127.0.0.1:9/a.tif", "/vsizip//tmp/a.zip/a.tif", "<VRTDataset></VRTDataset>"):
        with pytest.raises(RasterError, match="only files on disk"):
            open_raster(Path(name))
    monkeypatch.chdir("/")
    with pytest.raises(RasterError, match="only files on disk"):
        open_raster(Path("vsimem/a.tif"))


def test_the_folders_of_a_path_may_be_named_like_them(tmp_path: Path) -> None:
    folder = tmp_path / "vsizip" / "s3:" / "GTIFF_DIR:1:"
    folder.mkdir(parents=True)
    write_tiff(folder / "a.tif", np.ones((2, 3), np.uint8))
    assert open_raster(folder / "a.tif").shape == (2, 3)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1)])
def test_smallest_images(tmp_path: Path, suffix: str, shape: tuple[int, int]) -> None:
    values = np.full(shape, 90, np.uint8)
    path = tmp_path / f"small{suffix}"
    WRITERS[suffix](path, values)
    with open_raster(path) as raster:
        assert raster.shape == shape
        np.testing.assert_array_equal(raster.read().values[0], values)
        pixels = raster.read(Window(col_off=shape[1] - 1, row_off=shape[0] - 1, width=512, height=512))
    assert pixels.values[0, 0, 0] == 90
    assert pixels.values.sum() == 90
    assert pixels.valid.sum() == 1


READ_ALL = """
import sys
from pathlib import Path
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import cover

def peak_kib():
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])

with open_raster(Path(sys.argv[1])) as raster:
    before = peak_kib()
    for window in cover(raster.shape, (2048, 2048), 0):
        raster.read(window)
print((peak_kib() - before) / 1024)
"""


@pytest.mark.parametrize(
    "name", ["large.tif", pytest.param("large.npy", marks=pytest.mark.slow), pytest.param("large.fits", marks=pytest.mark.slow)]
)
def test_windows_of_a_large_image_take_little_memory(tmp_path: Path, name: str) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the memory of a process")
    path, side = tmp_path / name, 24_000
    # holes in files: 1.2 GB of pixels, next to nothing on disk
    if name == "large.tif":
        profile = {"driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint16", "tiled": True}
        with rasterio.open(path, "w", **profile, blockxsize=512, blockysize=512, compress="deflate", sparse_ok=True):
            pass
    elif name == "large.npy":
        np.lib.format.open_memmap(path, "w+", np.uint16, (side, side)).flush()
    else:
        header = fits.PrimaryHDU(np.zeros((2, 2), np.int16)).header
        header["NAXIS1"] = header["NAXIS2"] = side
        path.write_bytes(header.tostring().encode())
        os.truncate(path, len(header.tostring()) + side * side * 2)
    reader = subprocess.run([sys.executable, "-c", READ_ALL, str(path)], capture_output=True, text=True, check=False, timeout=120)
    assert reader.returncode == 0, reader.stderr[-2000:]
    assert float(reader.stdout) < 640
