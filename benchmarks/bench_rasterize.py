"""50,000 polygons into 10,000 x 10,000 pixels: labels of a vector file against one bare rasterio.features.rasterize.

The bare call gets shapely polygons that are in the raster's CRS already and a transform; ours start where a loaded file ends, so
that selecting, placing in pixels and, in the last line, reprojecting count too.

Run: python benchmarks/bench_rasterize.py [repeats]
"""

import sys
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import rasterio.crs
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import rasterize
from timing import in_turn

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.vectors import VectorFile, VectorLabels
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, cover, whole

SIDE = 10_000
COUNT = 50_000
CELL = 0.3
GRID = Grid(shape=(SIDE, SIDE), crs=rasterio.crs.CRS.from_epsg(32633), transform=Affine(CELL, 0, 500_000, 0, -CELL, 5_500_000))
IMAGE = LabelledImage(name="bench", path=Path("bench.tif"), grid=GRID)
LEGEND = Legend(classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(("ground", "roof"))))
WINDOW_PX = 512

Polygons = NDArray[np.object_]


def buildings() -> Polygons:
    """Star-shaped polygons of 8 to 40 corners, 3 to 12 m across, somewhere on the grid."""
    rng = np.random.default_rng(7)
    found = np.empty(COUNT, np.object_)
    for place, corners in enumerate(rng.integers(8, 41, COUNT)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = rng.uniform(1.5, 6) * rng.uniform(0.7, 1, corners)
        centre = (500_000, 5_500_000) + rng.uniform(0, SIDE * CELL, 2) * (1, -1)
        found[place] = shapely.Polygon(centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, np.newaxis])
    return found


def loaded(polygons: Polygons, crs: str) -> VectorFile:
    """The polygons as a loaded file."""
    rows = np.arange(len(polygons))
    return VectorFile(path=Path("b.gpkg"), crs=CRS(crs), in_pixels=False, parts=polygons, rows=rows, keys=None, codes=np.zeros_like(rows))


def bare(polygons: Polygons) -> NDArray[np.uint8]:
    drawn: NDArray[np.uint8] = rasterize(
        [(polygon, 1) for polygon in polygons], out_shape=GRID.shape, transform=GRID.transform, dtype=np.uint8
    )
    return drawn


def ours(file: VectorFile) -> NDArray[np.uint8]:
    return VectorLabels(IMAGE, file, LEGEND, LabelOptions()).read(whole(GRID.shape))


def by_window(file: VectorFile) -> None:
    labels = VectorLabels(IMAGE, file, LEGEND, LabelOptions())
    for window in cover(GRID.shape, (WINDOW_PX, WINDOW_PX), 0):
        labels.read(window)


def peak_mb(labels: VectorLabels) -> float:
    """Memory that reading all windows takes at most."""
    tracemalloc.start()
    for row in range(0, 2 * WINDOW_PX, WINDOW_PX):
        labels.read(Window(col_off=0, row_off=row, width=WINDOW_PX, height=WINDOW_PX))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main(repeats: int) -> None:
    polygons = buildings()
    back = Transformer.from_crs(32633, 4326, always_xy=True)
    degrees = shapely.transform(polygons, lambda points: np.stack(back.transform(points[:, 0], points[:, 1]), axis=1))
    file, geographic = loaded(polygons, "EPSG:32633"), loaded(degrees, "EPSG:4326")
    different = np.count_nonzero(ours(file) != bare(polygons))
    print(f"{COUNT} polygons, {SIDE} x {SIDE} pixels, {repeats} rounds; pixels that differ: {different}")
    print("bare rasterize, ours, ratio (spread); the aim is at most 1.2")
    print(f"whole image            {in_turn(partial(bare, polygons), partial(ours, file), repeats)}")
    print(f"windows of {WINDOW_PX}         {in_turn(partial(bare, polygons), partial(by_window, file), repeats)}")
    print(f"whole image, degrees   {in_turn(partial(bare, polygons), partial(ours, geographic), repeats)}")
    peak = peak_mb(VectorLabels(IMAGE, file, LEGEND, LabelOptions()))
    print(f"memory of windows      {peak:9.2f} MB; an array of the image has {SIDE**2 / 1e6:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
