"""Windows of a compressed GeoTIFF, against bare rasterio with one handle.

Run: python benchmarks/bench_windows.py [repeats]
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from timing import in_turn

from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, cover

SIDE_PX = 8192
WINDOW_PX = 512
BANDS = 3
COUNT = 64
"""Windows a round."""

PROFILE = {
    "driver": "GTiff",
    "width": SIDE_PX,
    "height": SIDE_PX,
    "count": BANDS,
    "dtype": "uint16",
    "tiled": True,
    "blockxsize": 512,
    "blockysize": 512,
    "compress": "zstd",
    "predictor": 2,
}

Sums = list[int]


def write_image(path: Path, nodata: int | None) -> None:
    """Hills with noise, as sensors see them; with nodata a tenth of the pixels is missing."""
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", **PROFILE, nodata=nodata) as dataset:
        for row in range(0, SIDE_PX, WINDOW_PX):
            y, x = np.mgrid[row : row + WINDOW_PX, :SIDE_PX]
            hills = 2000 + 900 * np.sin(x / 97) * np.cos(y / 143)
            strip: NDArray[np.float64] = np.stack([hills * (band + 1) / 3 + rng.normal(0, 60, hills.shape) for band in range(BANDS)])
            if nodata is not None:
                strip[:, :, : SIDE_PX // 10] = nodata
            dataset.write(strip.clip(0).astype(np.uint16), window=((row, row + WINDOW_PX), (0, SIDE_PX)))


def ours(path: Path, windows: list[Window]) -> Sums:
    with open_raster(path) as raster:
        return [int(raster.read(window).values[0, 0, 0]) for window in windows]


def bare_rasterio(path: Path, windows: list[Window]) -> Sums:
    with rasterio.open(path) as dataset:
        return [int(dataset.read(window=((at.row_off, at.row_end), (at.col_off, at.col_end)))[0, 0, 0]) for at in windows]


def main(repeats: int) -> None:
    rng = np.random.default_rng(1)
    aligned = list(cover((SIDE_PX, SIDE_PX), (WINDOW_PX, WINDOW_PX), 0))
    places = {
        "aligned": [aligned[number] for number in rng.choice(len(aligned), COUNT, replace=False)],
        "random": [
            Window(col_off=int(col), row_off=int(row), width=WINDOW_PX, height=WINDOW_PX)
            for col, row in rng.integers(0, SIDE_PX - WINDOW_PX, (COUNT, 2))
        ],
    }
    print(
        f"{COUNT} windows of {WINDOW_PX} x {WINDOW_PX} x {BANDS} of {SIDE_PX} x {SIDE_PX}, {repeats} rounds: ours, rasterio, ratio (spread)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for nodata in (None, 0):
            path = Path(folder) / f"nodata-{nodata}.tif"
            write_image(path, nodata)
            for name, windows in places.items():
                assert ours(path, windows) == bare_rasterio(path, windows)
                found = in_turn(partial(ours, path, windows), partial(bare_rasterio, path, windows), repeats)
                print(f"{name:8s} {'with nodata' if nodata is not None else 'plain':12s} {found}  {COUNT / found.first_s:5.0f} windows/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
