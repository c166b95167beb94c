"""Random windows of a large cloud-optimised GeoTIFF, against torchgeo's RandomGeoSampler over a RasterDataset of the same file.

Both read as many windows from one thread; and with two workers each, as they would in training. First both read the same places and
must find the same pixels.

Run: python benchmarks/bench_random_windows.py [repeats], in the environment that `make bench` sets up.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from affine import Affine
from imagery import ground
from numpy.typing import NDArray
from rasterio.shutil import copy
from timing import in_turn

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.loader.loader import Loader
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

SIDE_PX = 10_240
TRANSFORM = Affine.translation(400_000, 5_000_000) @ Affine.scale(0.5, -0.5)
WINDOWS_PX = (256, 512)
COUNT, BATCH, WORKERS = 128, 8, 2
LEGEND = Legend(classes=(LegendClass(value=0, name="all", color=(0, 0, 0)),))


def write_image(path: Path) -> None:
    """A COG of 10240 x 10240 x 3 bytes, zstd with predictor, tiles of 512, with overviews."""
    plain = path.with_suffix(".plain.tif")
    profile = {"driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(plain, "w", **profile, crs="EPSG:32631", transform=TRANSFORM, interleave="pixel") as dataset:
        for row in range(0, SIDE_PX, 2048):
            for column in range(0, SIDE_PX, 2048):
                image, _ = ground(2048, 2048, row * SIDE_PX + column)
                dataset.write(image.transpose(2, 0, 1), window=((row, row + 2048), (column, column + 2048)))
    copy(plain, path, driver="COG", COMPRESS="ZSTD", PREDICTOR="YES", BLOCKSIZE=512, NUM_THREADS="ALL_CPUS")
    plain.unlink()


def places(side: int, rng: np.random.Generator) -> list[Window]:
    corners = rng.integers(0, SIDE_PX - side + 1, (COUNT, 2)).tolist()
    return [Window(col_off=column, row_off=row, width=side, height=side) for column, row in corners]


def ours(path: Path, side: int, workers: int, options: DataOptions) -> Callable[[], float]:
    """The loader as training uses it, labels that are not there and the scaling included."""
    store = SceneStore([Scene(name="a", image=path, label=None)], LabelReader(LEGEND, options))
    statistics = BandStatistics(mean=0, sd=1, median=0, spread=1, low=0, high=1)
    preparation = Preparation(
        store=store,
        scaling=Scaling(bands=(BandScaling.of("none", statistics),) * 3),
        size=(side, side),
        seed=0,
        augment=AugmentOptions(hflip=False, vflip=False, quarter_turns=False),
        placer=Placer(source=store, size=(side, side), seed=0),
    )
    loader, rng = Loader(preparation=preparation, batch_size=BATCH, workers=workers), np.random.default_rng(0)

    def read() -> float:
        shown = [Drawn(sample=Sample(id=number, scene="a", window=window)) for number, window in enumerate(places(side, rng))]
        return sum(float(batch.images[0, 0, 0, 0]) for batch in loader.batches(shown, 0))

    return read


def images_of(folder: Path) -> Any:
    from torchgeo.datasets import RasterDataset

    class Images(RasterDataset):  # type: ignore[misc]
        filename_glob = "*.tif"
        is_image = True

    return Images(str(folder), cache=True)


def torchgeo(folder: Path, side: int, workers: int) -> Callable[[], float]:
    from torch.utils.data import DataLoader
    from torchgeo.datasets import stack_samples
    from torchgeo.samplers import RandomGeoSampler

    images = images_of(folder)
    loader: Any = DataLoader(
        images,
        batch_size=BATCH,
        sampler=RandomGeoSampler(images, size=side, length=COUNT),
        collate_fn=stack_samples,
        num_workers=workers if workers > 1 else 0,
        persistent_workers=workers > 1,
    )
    return lambda: sum(float(batch["image"][0, 0, 0, 0]) for batch in loader)


def check(path: Path) -> None:
    """Both find the same pixels at the same places."""
    images = images_of(path.parent)
    with open_raster(path) as raster:
        for window in places(256, np.random.default_rng(1))[:8]:
            left, top = TRANSFORM @ (window.col_off, window.row_off)
            right, bottom = TRANSFORM @ (window.col_end, window.row_end)
            theirs: NDArray[np.float32] = images[left:right, bottom:top]["image"].numpy()
            assert np.array_equal(raster.read(window).values, theirs)


def main(repeats: int) -> None:
    if importlib.util.find_spec("torchgeo") is None:
        sys.exit("torchgeo is not installed: run `make bench`, which sets up an environment for it.")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.tif"
        write_image(path)
        check(path)
        print(f"{COUNT} windows of {SIDE_PX} x {SIDE_PX} x 3, {repeats} rounds: ours, torchgeo, ratio (spread)")
        for kept, options, megabytes in (("as installed", DataOptions(), None), ("too large to keep", DataOptions(cache_mb=0), "64")):
            # GDAL, which both read with, keeps what it decoded in a twentieth of the memory; all of this image has room there
            os.environ.pop("GDAL_CACHEMAX", None)
            if megabytes is not None:
                os.environ["GDAL_CACHEMAX"] = megabytes
            with rasterio.Env(**({"GDAL_CACHEMAX": int(megabytes) * 2**20} if megabytes else {})):
                measure(path, kept, options, repeats)


def measure(path: Path, kept: str, options: DataOptions, repeats: int) -> None:
    for side in WINDOWS_PX:
        for workers in (1, WORKERS):
            found = in_turn(ours(path, side, workers, options), torchgeo(path.parent, side, workers), repeats)
            speed = f"{COUNT / found.first_s:5.0f} and {COUNT / found.second_s:5.0f} windows/s"
            print(f"{kept:18s} {side} x {side}, {workers} workers   {found}   {speed}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
