"""All scores of a large map that need no probabilities, against the time to read map and labels.

Run: python benchmarks/bench_evaluate.py [side in pixels] [rounds]
"""

import resource
import sys
import tempfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window
from timing import in_turn

from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.labels.survey import row_blocks
from terrazzo.workflows.map_counts import count_map
from terrazzo.workflows.map_pairs import Pair, PairLegends

BLOCK = 512
PATCH_PX = 80
"""Classes lie in patches of about this size, as land cover does."""
LEGEND = Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(value, value, value)) for value in range(4)))


def write(path: Path, field: NDArray[np.float32], side: int, rng: np.random.Generator) -> None:
    """Class maps from a smooth field; one pixel in fifty differs, as along the edges of real maps."""
    layout = {"driver": "GTiff", "width": side, "height": side, "count": 1, "dtype": "uint8", "nodata": 255, "compress": "zstd"}
    tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "crs": "EPSG:32633", "transform": from_origin(5e5, 5e6, 1, 1)}
    columns = np.arange(side, dtype=np.float32) / PATCH_PX
    with rasterio.open(path, "w", **layout, **tiles) as file:
        for top in range(0, side, BLOCK):
            height = min(BLOCK, side - top)
            rows = np.arange(top, top + height, dtype=np.float32) / PATCH_PX
            values = cv2.remap(field, *np.meshgrid(columns, rows), cv2.INTER_CUBIC)
            values = values + rng.normal(scale=0.02, size=(height, side))
            file.write(np.digitize(values, [-0.7, 0.0, 0.7]).astype(np.uint8)[np.newaxis], window=Window(0, top, side, height))


def read_both(paths: list[Path]) -> None:
    """What GDAL alone takes."""
    for path in paths:
        with rasterio.open(path) as file:
            for block in row_blocks(file.shape):
                file.read(1, window=Window(block.col_off, block.row_off, block.width, block.height))


def main(side: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("map.tif", "truth.tif")]
        field = rng.normal(size=(side // PATCH_PX + 3,) * 2).astype(np.float32)
        write(paths[1], field, side, rng)
        write(paths[0], field + rng.normal(scale=0.15, size=field.shape).astype(np.float32), side, rng)
        pair, legends = Pair(name="a", prediction=paths[0], label=paths[1]), PairLegends(maps=LEGEND, labels=LabelReader(LEGEND))
        print(f"{side} x {side} pixels, {sum(path.stat().st_size for path in paths) / 2**20:.0f} MiB: reading both, all scores, ratio")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, options in (("all scores", EvaluationOptions()), ("without boundaries", EvaluationOptions(boundary=0))):
            print(f"{name:20s} {in_turn(partial(read_both, paths), partial(count_map, pair, legends, options), rounds)}")
        print(f"memory: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MiB more than before")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
