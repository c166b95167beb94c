"""Chips from a raster of 10240 x 10240 pixels, against a bare rasterio loop over windows with a write each.

Run: python benchmarks/bench_chip.py [rounds] [side]
"""

import sys
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window
from timing import in_turn

from terrazzo.workflows.chip import chip
from terrazzo.workflows.context import open_context

CHIP_PX = 512
BANDS = 3


def write_scene(path: Path, side: int) -> None:
    """Smooth ground with noise, three bands of bytes, as zstd tiles."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 200, (side // 64, side // 64)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    place = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "zstd", "interleave": "pixel", "photometric": "rgb"}
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=BANDS, dtype="uint8", **place, **layout) as file:
        for band in range(BANDS):
            file.write(np.clip(ground + rng.normal(0, 6, ground.shape) + 10 * band, 1, 255).astype(np.uint8), band + 1)


def bare(scene: Path, out: Path) -> None:
    """What one writes in a notebook."""
    out.mkdir()
    with rasterio.open(scene) as source:
        for row in range(0, source.height, CHIP_PX):
            for col in range(0, source.width, CHIP_PX):
                window = Window(col, row, CHIP_PX, CHIP_PX)
                profile = {**source.profile, "width": CHIP_PX, "height": CHIP_PX, "transform": source.window_transform(window)}
                with rasterio.open(out / f"{col}_{row}.tif", "w", **profile) as target:
                    target.write(source.read(window=window))
    rmtree(out)


def ours(scene: Path, out: Path) -> None:
    chip([scene], out, context=open_context(None, [f"chip.size={CHIP_PX}"]))
    rmtree(out)


def main(rounds: int, side: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(folder / "scene.tif", side)
        print(f"{side} x {side} pixels, {BANDS} bands, chips of {CHIP_PX}: terrazzo, bare loop")
        print(in_turn(lambda: ours(folder / "scene.tif", folder / "ours"), lambda: bare(folder / "scene.tif", folder / "bare"), rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 10_240)
