"""Memory and time of predict and vectorize on rasters that are larger than memory, each in a process of its own.

A raster of SIDE x SIDE pixels, three bands, of which one block in twenty, spread out, holds data; then rasters of 2048 columns full of
data and of 8192 to 32768 rows. The network is cheap and not trained, six classes: what is measured is the way of the pixels.

Run: python benchmarks/huge.py [side] [rows ...]
"""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.models.bundle import ModelCard, save_bundle
from terrazzo.models.network import build_network
from terrazzo.models.options import ModelOptions
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.scaling import measure

BLOCK_PX = 512
BANDS, CLASSES = 3, 6
SHARE = 20
"""One block in so many holds data."""
COLUMNS = 2048
PLACE = {"crs": "EPSG:32633", "transform": Affine(0.1, 0, 400_000, 0, -0.1, 5_900_000)}
LAYOUT = {"driver": "GTiff", "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "compress": "zstd", "bigtiff": "yes"}


def ground(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """(bands, height, width) of fields of 128 pixels a side, 1 to 255."""
    coarse = rng.integers(0, 255, (BANDS, max(1, shape[0] // 128), max(1, shape[1] // 128))).astype(np.float32)
    planes = [cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_NEAREST) for plane in coarse]
    image: NDArray[np.uint8] = np.clip(np.stack(planes), 1, 255).astype(np.uint8)
    return image


def write_sparse(path: Path, side: int) -> None:
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", **LAYOUT, **PLACE, height=side, width=side, count=BANDS, dtype="uint8", nodata=0, sparse_ok=True) as file:
        for row in range(0, side, BLOCK_PX):
            for column in range(0, side, BLOCK_PX):
                if rng.integers(SHARE) == 0:
                    shape = min(BLOCK_PX, side - row), min(BLOCK_PX, side - column)
                    file.write(ground(rng, shape), window=Window(column, row, shape[1], shape[0]))


def write_full(path: Path, rows: int) -> None:
    rng = np.random.default_rng(1)
    with rasterio.open(path, "w", **LAYOUT, **PLACE, height=rows, width=COLUMNS, count=BANDS, dtype="uint8", nodata=0) as file:
        for row in range(0, rows, BLOCK_PX):
            file.write(ground(rng, (BLOCK_PX, COLUMNS)), window=Window(0, row, COLUMNS, BLOCK_PX))


def write_model(folder: Path) -> None:
    options = ModelOptions(filters=4, depth=1)
    legend = Legend(classes=tuple(LegendClass(value=each, name=f"class {each}", color=(40 * each, 99, 0)) for each in range(CLASSES)))
    values = ground(np.random.default_rng(2), (256, 256))
    pixels = Pixels(values=values, valid=np.ones((256, 256), np.bool_), holes=None)
    card = ModelCard(
        network=options,
        bands=BANDS,
        window=(BLOCK_PX, BLOCK_PX),
        cell_size=(0.1, 0.1),
        crs="EPSG:32633",
        reading=DataOptions(),
        legend=json.loads(legend.to_json()),
        scaling=asdict(measure([(pixels, pixels.valid)], "standard", 256**2)),
        recipe={},
        versions={},
    )
    folder.mkdir()
    save_bundle(folder, build_network(options, BANDS, CLASSES, seed=0), card)


def measured(*command: str) -> tuple[float, int]:
    """Seconds and peak memory in MiB of one command of terrazzo."""
    started = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-m", "terrazzo", *command], os.environ)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"terrazzo {command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, used.ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


def both(folder: Path, image: Path) -> tuple[int, int]:
    """Peak memory of predict and of vectorize, which are printed with the times."""
    maps = folder / "maps"
    time_s, peak = measured("predict", str(folder / "model"), str(image), str(maps))
    print(f"{image.stem:16s} predict   {time_s:7.0f} s {peak:6d} MiB", flush=True)
    class_map = maps / f"{image.stem}_predseg.tif"
    time_s, peak_outlines = measured("vectorize", str(class_map), str(folder / f"{image.stem}.gpkg"))
    print(f"{image.stem:16s} vectorize {time_s:7.0f} s {peak_outlines:6d} MiB", flush=True)
    class_map.unlink()
    return peak, peak_outlines


def main(side: int, rows: list[int]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder / "model")
        if side:
            write_sparse(folder / "sparse.tif", side)
            both(folder, folder / "sparse.tif")
        peaks = []
        for height in rows:
            write_full(folder / f"rows_{height}.tif", height)
            peaks.append(both(folder, folder / f"rows_{height}.tif"))
        for verb, found in zip(("predict", "vectorize"), zip(*peaks, strict=True), strict=False):
            print(f"{verb}: the peak of the highest is {max(found) / found[0]:.3f} times that of the lowest")


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    main(numbers[0] if numbers else 50_000, numbers[1:] or ([] if numbers else [8192, 16_384, 32_768]))
