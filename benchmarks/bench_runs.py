"""Run lengths of 768 x 768 images on one core: from table to mask and back, against the usual loop and pycocotools.

Run: python benchmarks/bench_runs.py [rounds]
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from timing import in_turn, seconds

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.rle import encode
from terrazzo.labels.run_write import write_runs
from terrazzo.labels.runs import RunLabels, RunTable
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import whole

SHAPE = (768, 768)
IMAGES = 60
SHIPS = 6
TABLE_ROWS = 230_000
LEGEND = Legend(classes=(LegendClass(value=0, name="sea", color=(0, 0, 0)), LegendClass(value=1, name="ship", color=(255, 0, 0))))

Mask = NDArray[np.bool_]


def ships() -> dict[str, Mask]:
    """Images of turned rectangles that do not touch."""
    rng = np.random.default_rng(0)
    masks = {}
    for number in range(IMAGES):
        canvas = np.zeros(SHAPE, np.uint8)
        for column in range(SHIPS):
            length, width = rng.uniform(20, 110), rng.uniform(8, 30)
            middle = (64 + 128 * column, rng.uniform(100, 668))
            cv2.fillConvexPoly(canvas, np.rint(cv2.boxPoints((middle, (length, width), rng.uniform(0, 180)))).astype(np.int32), 1)
        masks[f"{number:08x}.jpg"] = canvas.astype(np.bool_)
    return masks


def ours(table: RunTable) -> Iterator[NDArray[np.uint8]]:
    """Find each image's rows and burn them."""
    for name in table.names:
        path = Path("images") / name
        yield RunLabels(LabelledImage(name=path.stem, path=path, grid=Grid(shape=SHAPE)), table, LEGEND).read(whole(SHAPE))


def kaggle_loop(rows: pd.DataFrame) -> Iterator[NDArray[np.uint8]]:
    """The snippet that most notebooks share."""
    for _, cells in rows.groupby("ImageId")["EncodedPixels"]:
        total = np.zeros(SHAPE, np.uint8)
        for cell in cells:
            words = cell.split()
            starts, lengths = (np.asarray(part, dtype=int) for part in (words[0::2], words[1::2]))
            starts -= 1
            flat = np.zeros(SHAPE[0] * SHAPE[1], dtype=np.uint8)
            for low, high in zip(starts, starts + lengths, strict=True):
                flat[low:high] = 1
            total |= flat.reshape(SHAPE[::-1]).T
        yield total


def coco_decode(packed: list[list[dict[str, object]]]) -> Iterator[NDArray[np.uint8]]:
    """The C code of the COCO API, from texts that are grouped by image already."""
    return (coco_mask.decode(coco_mask.merge(objects)) for objects in packed)


def exhaust(decoder: Callable[[], Iterator[NDArray[np.uint8]]]) -> None:
    """Go through all masks, keeping none, as training does."""
    for _ in decoder():
        pass


def encode_all(masks: list[Mask]) -> list[str]:
    return [encode(mask) for mask in masks]


def kaggle_encode(masks: list[Mask]) -> list[str]:
    """The snippet that most notebooks share."""
    found = []
    for mask in masks:
        flat = np.concatenate([[0], mask.T.flatten(), [0]])
        runs = np.where(flat[1:] != flat[:-1])[0] + 1
        runs[1::2] -= runs[::2]
        found.append(" ".join(str(number) for number in runs))
    return found


def coco_encode(masks: list[Mask]) -> list[object]:
    return [coco_mask.encode(np.asfortranarray(mask.view(np.uint8))) for mask in masks]


def pandas_load(path: Path) -> int:
    """What a notebook does before its loop: read, and turn cells into numbers."""
    cells = pd.read_csv(path)["EncodedPixels"].dropna()
    return sum(len(np.array(cell.split(), dtype=np.int64)) for cell in cells) // 2


def our_load(path: Path) -> int:
    return len(RunTable.load(path).rows.starts)


def large_table(source: Path, path: Path) -> None:
    """As many rows as the largest public table, two thirds of them blank."""
    header, *lines = source.read_text().splitlines()
    cells = [line.partition(",")[2] for line in lines]
    rows = (f"{number:08x}.jpg,{cells[number % len(cells)] if number % 3 == 0 else ''}\n" for number in range(TABLE_ROWS))
    with path.open("w") as file:
        file.write(header + "\n")
        file.writelines(rows)


def main(repeats: int) -> None:
    cv2.setNumThreads(1)
    masks = ships()
    images = list(masks.values())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        write_runs(path, masks.items())
        table, rows = RunTable.load(path), pd.read_csv(path)
        parts = [[coco_mask.encode(np.asfortranarray(part)) for part in components(mask)] for mask in images]
        print(f"{IMAGES} images of {SHAPE[0]} x {SHAPE[1]} with {SHIPS} ships, {repeats} rounds: ours, the other, ratio (spread)")
        for other in (partial(kaggle_loop, rows), partial(coco_decode, parts)):
            np.testing.assert_array_equal(list(ours(table)), list(other()))
            found = in_turn(partial(exhaust, partial(ours, table)), partial(exhaust, other), repeats)
            print(f"decode  {other.func.__name__:14s} {found}   ours: {IMAGES / found.first_s:6.0f} images/s")
        assert encode_all(images) == kaggle_encode(images)
        for encoder in (kaggle_encode, coco_encode):
            found = in_turn(partial(encode_all, images), partial(encoder, images), repeats)
            print(f"encode  {encoder.__name__:14s} {found}   ours: {IMAGES / found.first_s:6.0f} images/s")
        large_table(path, Path(folder) / "large.csv")
        large = Path(folder) / "large.csv"
        assert our_load(large) == pandas_load(large)
        found = in_turn(partial(our_load, large), partial(pandas_load, large), min(repeats, 3))
        print(f"load    {'pandas + loop':14s} {found}   ours: {TABLE_ROWS / found.first_s:6.0f} rows/s, {large.stat().st_size >> 20} MiB")
        print(f"write   {IMAGES / seconds(partial(write_runs, Path(folder) / 'again.csv', masks.items())):6.0f} images/s, objects found")


def components(mask: Mask) -> list[NDArray[np.uint8]]:
    count, numbers = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    return [(numbers == number).astype(np.uint8) for number in range(1, count)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
