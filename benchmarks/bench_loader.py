"""Augmented samples a second on two workers: from a packed store on disk, against peers that have the same images in memory.

512 x 512 x 3 bytes and their mask; all turn by any angle, zoom, shift and mirror image and mask together, reflect what comes from
outside (torchvision cannot), change brightness and contrast, and give batches of normalised float32.

Run: python benchmarks/bench_loader.py [repeats], in the environment that `make bench` sets up; peers that are not installed are left out.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from imagery import ground
from numpy.typing import NDArray
from PIL import Image
from timing import in_turn
from torch.utils.data import DataLoader, Dataset

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.reader import LabelReader
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.checks import check_scenes
from terrazzo.samples.draw.epoch import Drawn
from terrazzo.samples.draw.place import Placer
from terrazzo.samples.index import build_index
from terrazzo.samples.loader.loader import Loader
from terrazzo.samples.loader.preparation import Preparation
from terrazzo.samples.options import AugmentOptions, SamplesOptions
from terrazzo.samples.pack.frame import Form
from terrazzo.samples.pack.plan import Content, plan_shards
from terrazzo.samples.pack.store import PackedStore
from terrazzo.samples.pack.write import write_store
from terrazzo.samples.rows import rows_of
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling
from terrazzo.samples.scenes import Scene
from terrazzo.samples.store import SceneStore

SIDE_PX, COUNT, BATCH, WORKERS = 512, 64, 8, 2
MEAN, DEVIATION = 110.0, 40.0
ROTATE_DEG, ZOOM, SHIFT, LIGHT = 180.0, 0.2, 0.1, 0.2
LEGEND = Legend(classes=(LegendClass(value=0, name="ground", color=(0, 0, 0)), LegendClass(value=1, name="roof", color=(255, 0, 0))))

Pairs = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""(height, width, 3) images and (height, width) masks."""
Pair = tuple[torch.Tensor, torch.Tensor]
"""(3, height, width) float32 and (height, width) uint8."""


def packed(folder: Path, pairs: Pairs) -> PackedStore:
    """Images and masks as files, and from them a packed store."""
    scenes = []
    for number, (image, mask) in enumerate(pairs):
        scene = Scene(name=f"{number:03d}", image=folder / f"{number:03d}.png", label=folder / f"{number:03d}_mask.png")
        Image.fromarray(image).save(scene.image, compress_level=1)
        Image.fromarray(mask).save(folder / f"{number:03d}_mask.png", compress_level=1)
        scenes.append(scene)
    reader, data = LabelReader(LEGEND), DataOptions()
    samples = build_index(check_scenes(scenes, data), reader, SamplesOptions(size=SIDE_PX), Silent())
    content = Content(
        samples=replace(samples, frame=samples.frame.assign(split="train")),
        source=SceneStore(scenes, reader),
        form=Form(bands=3, dtype=np.dtype(np.uint8), codec="zstd"),
        band_names=(None,) * 3,
        nodata=(None,) * 3,
        reading=data,
        instances=False,
        origin="{}",
    )
    write_store(content, plan_shards(content, None), folder / "packed", Silent(), WORKERS)
    return PackedStore.open(folder / "packed")


def ours(store: PackedStore, options: AugmentOptions) -> Callable[[], Iterator[Pair]]:
    statistics = BandStatistics(mean=MEAN, sd=DEVIATION, median=MEAN, spread=DEVIATION, low=0, high=255)
    shape = (SIDE_PX, SIDE_PX)
    preparation = Preparation(
        store=store,
        scaling=Scaling(bands=(BandScaling.of("standard", statistics),) * 3),
        size=shape,
        seed=0,
        augment=options,
        placer=Placer(source=store, size=shape, seed=0),
    )
    loader = Loader(preparation=preparation, batch_size=BATCH, workers=WORKERS)
    shown = [Drawn(sample=sample) for sample in rows_of(store.samples)]

    def batches() -> Iterator[Pair]:
        return ((torch.from_numpy(batch.images), torch.from_numpy(batch.labels)) for batch in loader.batches(shown, 0))

    return batches


class Varied(Dataset[Pair]):
    """Pairs in memory, each varied when it is asked for."""

    def __init__(self, pairs: Pairs, vary: Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]) -> None:
        self._pairs, self._vary = pairs, vary

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, number: int) -> Pair:
        return self._vary(*self._pairs[number])


def peer(pairs: Pairs, vary: Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]) -> Callable[[], Iterator[Pair]]:
    """Torch's loader with as many processes, which stay for all rounds."""
    loader = DataLoader(Varied(pairs, vary), batch_size=BATCH, num_workers=WORKERS, persistent_workers=True, worker_init_fn=_one_thread)
    return lambda: iter(loader)


def _one_thread(_: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def torchvision(*, still: bool) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]:
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode, v2

    varied = [
        v2.RandomHorizontalFlip(),
        v2.RandomVerticalFlip(),
        # it cannot reflect what comes from outside: that stays black, which is less work
        v2.RandomAffine(
            ROTATE_DEG,
            (SHIFT, SHIFT),
            (1 - ZOOM, 1 + ZOOM),
            interpolation=InterpolationMode.BILINEAR,
            fill={tv_tensors.Mask: 255},
        ),
        v2.ColorJitter(brightness=LIGHT, contrast=LIGHT),
    ]
    chain = v2.Compose(
        [
            *([] if still else varied),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.Normalize([MEAN / 255] * 3, [DEVIATION / 255] * 3),
        ]
    )

    def vary(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Pair:
        picture, classes = chain(tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1)), tv_tensors.Mask(torch.from_numpy(mask)))
        return picture.as_subclass(torch.Tensor), classes.as_subclass(torch.Tensor)

    return vary


def albumentations(*, still: bool) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]:
    import albumentations
    import cv2

    varied = [
        albumentations.HorizontalFlip(),
        albumentations.VerticalFlip(),
        albumentations.Affine(
            scale=(1 - ZOOM, 1 + ZOOM),
            translate_percent=(-SHIFT, SHIFT),
            rotate=(-ROTATE_DEG, ROTATE_DEG),
            border_mode=cv2.BORDER_REFLECT_101,
            p=1,
        ),
        albumentations.RandomBrightnessContrast(LIGHT, LIGHT, p=1),
    ]
    normal = albumentations.Normalize((MEAN / 255,) * 3, (DEVIATION / 255,) * 3)
    chain = albumentations.Compose([*([] if still else varied), normal])

    def vary(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Pair:
        made = chain(image=image, mask=mask)
        return torch.from_numpy(np.ascontiguousarray(made["image"].transpose(2, 0, 1))), torch.from_numpy(
            np.ascontiguousarray(made["mask"])
        )

    return vary


def generator(*, still: bool) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]:
    """The way of Keras' ImageDataGenerator: one affine matrix, scipy's affine_transform band by band, then brightness and scaling."""
    from scipy import ndimage  # type: ignore[import-untyped]

    rng = np.random.default_rng()

    def moved(image: NDArray[np.float32], mask: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        turn = np.deg2rad(rng.uniform(-ROTATE_DEG, ROTATE_DEG))
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(rng.uniform(1 - ZOOM, 1 + ZOOM, 2))
        centre = np.array([SIDE_PX, SIDE_PX]) / 2 - 0.5
        offset = centre + rng.uniform(-SHIFT, SHIFT, 2) * SIDE_PX - matrix @ centre
        bands = [ndimage.affine_transform(image[:, :, band], matrix, offset, order=1, mode="reflect") for band in range(3)]
        image, mask = np.stack(bands, -1), ndimage.affine_transform(mask, matrix, offset, order=0, mode="reflect")
        for axis in (0, 1):
            if rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        contrast, brightness = rng.uniform(1 - LIGHT, 1 + LIGHT), rng.uniform(-LIGHT, LIGHT) * DEVIATION
        return (image - MEAN) * np.float32(contrast) + np.float32(MEAN + brightness), mask

    def vary(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Pair:
        values = image.astype(np.float32)
        if not still:
            values, mask = moved(values, mask)
        scaled = (values - np.float32(MEAN)) / np.float32(DEVIATION)
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1))), torch.from_numpy(np.ascontiguousarray(mask))

    return vary


PEERS = {"torchvision": torchvision, "albumentations": albumentations, "scipy": generator}


def main(repeats: int) -> None:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    torch.set_num_threads(1)
    pairs = [ground(SIDE_PX, SIDE_PX, seed) for seed in range(COUNT)]
    nothing = AugmentOptions(hflip=False, vflip=False, quarter_turns=False)
    everything = AugmentOptions(quarter_turns=False, rotate_deg=ROTATE_DEG, zoom=ZOOM, shift=SHIFT, brightness=LIGHT, contrast=LIGHT)
    with tempfile.TemporaryDirectory() as folder:
        store = packed(Path(folder), pairs)
        plain = list(ours(store, nothing)())
        print(f"{COUNT} samples of {SIDE_PX} x {SIDE_PX} x 3, {WORKERS} workers, {repeats} rounds: ours, the other, ratio (spread)")
        for name, make in PEERS.items():
            if importlib.util.find_spec(name) is None:
                print(f"{name:15s} is not installed")
                continue
            check(plain, list(peer(pairs, make(still=True))()))
            mine, theirs = ours(store, everything), peer(pairs, make(still=False))
            found = in_turn(partial(take, mine), partial(take, theirs), repeats)
            print(f"{name:15s} {found}   {COUNT / found.first_s:5.0f} and {COUNT / found.second_s:5.0f} samples/s", flush=True)


def check(mine: list[Pair], theirs: list[Pair]) -> None:
    """Without any variation all give the same."""
    for (image, mask), (other, classes) in zip(mine, theirs, strict=True):
        torch.testing.assert_close(image, other, rtol=1e-4, atol=1e-4)
        assert torch.equal(mask, classes)


def take(batches: Callable[[], Iterator[Pair]]) -> float:
    return sum(float(images[0, 0, 0, 0]) for images, _ in batches())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
