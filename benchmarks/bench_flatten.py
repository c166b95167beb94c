"""Pixels to tables: CSV and Parquet of a raster by flatten, against pandas' to_csv of the same table.

Run: python benchmarks/bench_flatten.py [rounds]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow.parquet
import rasterio
from affine import Affine
from timing import in_turn

from terrazzo.rasters.raster import open_raster
from terrazzo.workflows.context import Context
from terrazzo.workflows.flatten import flatten
from terrazzo.workflows.summarize import summarize

SHAPE = (4, 512, 768)


def raster(path: Path, dtype: str) -> Path:
    """Smooth ground with noise, a corner without data."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[1], : SHAPE[2]]
    values = 2000 + 900 * np.sin(rows / 90) * np.cos(columns / 70) + rng.normal(0, 60, SHAPE)
    values[:, :40, :60] = 0
    place = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    shape = {"count": SHAPE[0], "height": SHAPE[1], "width": SHAPE[2]}
    with rasterio.open(path, "w", "GTiff", **shape, dtype=dtype, nodata=0, crs="EPSG:32633", transform=place, compress="zstd") as file:
        file.write(values.astype(dtype))
    return path


def by_flatten(image: Path, out: Path, threads: int) -> None:
    for left in (out, Path(f"{out}.json")):
        left.unlink(missing_ok=True)
    flatten([image], out, context=Context(threads=threads))


def naive_summary(image: Path) -> list[object]:
    """What a notebook does: all pixels at once, band by band."""
    found: list[object] = []
    with open_raster(image) as opened:
        pixels = opened.read()
    for band in pixels.values:
        values = band[pixels.valid]
        found += [values.mean(), values.std(), np.percentile(values, [1, 2, 5, 25, 50, 75, 95, 98, 99]), np.histogram(values, 256)]
    return found


def our_summary(image: Path, folder: Path) -> None:
    for left in folder.glob("*"):
        left.unlink()
    summarize([image], folder, context=Context())


def main(repeats: int) -> None:
    print(f"{SHAPE[1]} x {SHAPE[2]} pixels of {SHAPE[0]} bands, {repeats} rounds: ours, the other, ratio (spread)")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for dtype in ("uint16", "float32"):
            image = raster(folder / f"{dtype}.tif", dtype)
            by_flatten(image, folder / "table.parquet", 1)
            frame: pd.DataFrame = pyarrow.parquet.read_table(folder / "table.parquet").to_pandas()
            for suffix in (".csv", ".parquet"):
                for threads in (1, 2):
                    found = in_turn(
                        lambda out=folder / f"ours{suffix}", image=image, threads=threads: by_flatten(image, out, threads),  # type: ignore[misc]
                        lambda frame=frame: frame.to_csv(folder / "pandas.csv", index=False),  # type: ignore[misc]
                        repeats,
                    )
                    rate = len(frame) / found.first_s / 1e6
                    print(f"{dtype:8s} {suffix:8s} {threads} thread(s) {found}   ours: {rate:.2f} million rows/s")
            summary = in_turn(
                lambda image=image: our_summary(image, folder / "summary"),  # type: ignore[misc]
                lambda image=image: naive_summary(image),  # type: ignore[misc]
                repeats,
            )
            print(f"{dtype:8s} summarize, with charts; numpy without {summary}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
