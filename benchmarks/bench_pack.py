"""Random reads of packed samples against a folder of PNG: 512 x 512 pixels, three bands of 8 bits, and a mask.

    OMP_NUM_THREADS=1 python benchmarks/bench_pack.py [rounds] [samples]

The images are simulated aerial scenes. A round reads every sample once, in an order of its own; the files are in memory already.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from timing import in_turn

from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import whole
from terrazzo.samples.pack.store import PackedStore
from terrazzo.workflows.context import open_context
from terrazzo.workflows.index import index
from terrazzo.workflows.pack import pack
from terrazzo.workflows.simulate import simulate

SIDE = 512


def main(rounds: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stems = make_set(folder, count)
        for name, raw in (("compressed", False), ("raw", True)):
            pack(folder / "samples.parquet", folder / name, open_context(None, ["split.by=none"]), raw=raw)
        stores = {name: PackedStore.open(folder / name) for name in ("compressed", "raw")}
        check(folder, stems, stores)
        bytes_in = {name: sum(file.stat().st_size for file in (folder / name).rglob("*.*")) / 1e6 for name in ("png", "compressed", "raw")}
        print(", ".join(f"{name} {size:.0f} MB" for name, size in bytes_in.items()), f"of {count} samples")
        for name, store in stores.items():
            found = in_turn(reading(store), pngs(folder, stems), rounds)
            print(f"{name:12s} {count / found.first_s:8.0f} a second, png {count / found.second_s:6.0f}   {found}")


def make_set(folder: Path, count: int) -> list[str]:
    """Simulated scenes as PNG, and the table of them; returns their stems."""
    options = [f"simulation.count={count}", f"simulation.size={SIDE}", "scenes.nodata_share=0.0"]
    simulate("scenes", folder / "world", open_context(None, options))
    for kind in ("images", "labels"):
        (folder / "png" / kind).mkdir(parents=True)
    stems = []
    for path in sorted((folder / "world" / "images").glob("*.tif")):
        image = open_raster(path).read().values[2::-1].transpose(1, 2, 0)
        mask = open_raster(next((folder / "world" / "labels").glob(f"{path.stem}.*"))).read().values[0]
        cv2.imwrite(str(folder / "png" / "images" / f"{path.stem}.png"), np.ascontiguousarray(image))
        cv2.imwrite(str(folder / "png" / "labels" / f"{path.stem}.png"), mask)
        stems.append(path.stem)
    index(folder / "png" / "images", folder / "png" / "labels", folder / "samples.parquet", open_context(None, [f"samples.size={SIDE}"]))
    return stems


def check(folder: Path, stems: list[str], stores: dict[str, PackedStore]) -> None:
    """All hold the same pixels and labels."""
    for stem in stems[:8]:
        image, mask = read_png(folder, stem)
        for store in stores.values():
            pixels, labels = store.read(f"{stem}_0_0", whole((SIDE, SIDE)))
            assert np.array_equal(pixels.values, image[..., ::-1].transpose(2, 0, 1))
            assert np.array_equal(store.samples.legend.decode(labels), mask)


def read_png(folder: Path, stem: str) -> tuple[NDArray[Any], NDArray[Any]]:
    image = cv2.imread(str(folder / "png" / "images" / f"{stem}.png"), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(folder / "png" / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert mask is not None
    return image, mask


def reading(store: PackedStore) -> Callable[[], None]:
    rng, scenes, window = np.random.default_rng(0), store.samples.frame["scene"].to_numpy(str), whole((SIDE, SIDE))

    def read() -> None:
        for scene in rng.permutation(scenes).tolist():
            store.read(scene, window)

    return read


def pngs(folder: Path, stems: list[str]) -> Callable[[], None]:
    rng = np.random.default_rng(0)

    def read() -> None:
        for stem in rng.permutation(stems).tolist():
            read_png(folder, stem)

    return read


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7, int(sys.argv[2]) if len(sys.argv) > 2 else 64)
