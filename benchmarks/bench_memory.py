"""The peak memory of trainings against what `inspect` says of their recipes, each in a fresh process on one thread of the CPU.

Run: python benchmarks/bench_memory.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio
from imagery import ground
from PIL import Image

MIB = 2**20
SIDE = 640
STEPS = 3
CASES: tuple[tuple[str, tuple[int, int], int, int, dict[str, object]], ...] = (
    ("unet, 4 filters, depth 2", (64, 64), 1, 2, {"model.filters": 4, "model.depth": 2}),
    ("unet, 16 filters", (128, 128), 8, 2, {"model.filters": 16}),
    ("unet, 16 filters", (256, 256), 8, 2, {"model.filters": 16}),
    ("unet, 32 filters", (256, 256), 8, 2, {}),
    ("unet, 32 filters", (256, 256), 4, 6, {}),
    ("unet, 16 filters", (512, 512), 4, 2, {"model.filters": 16}),
    ("unet, 32 filters", (512, 512), 1, 2, {}),
    ("resunet, 32 filters", (160, 288), 4, 3, {"model.kind": "resunet"}),
    ("Unet on resnet34", (256, 256), 8, 2, {"model.architecture": "Unet"}),
    ("Unet on resnet34", (512, 512), 2, 6, {"model.architecture": "Unet"}),
    ("unet, 16 filters, bfloat16", (256, 256), 2, 2, {"model.filters": 16, "training.precision": "bfloat16"}),
    ("unet, 32 filters, sgd, lovasz", (192, 320), 2, 4, {"training.optimizer": "sgd", "training.loss": ["lovasz"]}),
)
"""Network, window, batch, classes and options."""


def write_data(folder: Path, classes: int) -> None:
    """Three images of three bands with their labels: one for each part."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8", "crs": "EPSG:32633"}
    for seed in range(3):
        image, labels = ground(SIDE, SIDE, seed)
        transform = rasterio.Affine(1, 0, (seed + 1) * 2 * SIDE, 0, -1, 0)
        with rasterio.open(folder / "images" / f"{seed}.tif", "w", transform=transform, **profile) as file:
            file.write(image.transpose(2, 0, 1))
        labels[: SIDE // 2] += (image[: SIDE // 2, :, 0] // 86 % (classes - 1)).astype("uint8")
        Image.fromarray(labels).save(folder / "labels" / f"{seed}.png")


def write_recipe(folder: Path, size: tuple[int, int], batch: int, options: dict[str, object]) -> Path:
    """A recipe of two short epochs."""
    tables: dict[str, dict[str, object]] = {
        "data": {"images": "images/*.tif", "labels": "labels/*.png"},
        "samples": {"size": list(size)},
        "split": {"by": "scene", "validation": 0.34, "test": 0.33},
        "draw": {"per_epoch": STEPS * batch},
        "model": {},
        "training": {"epochs": 2, "batch_size": batch, "precision": "float32"},
    }
    for name, value in options.items():
        table, _, key = name.partition(".")
        tables[table][key] = value
    lines = [f"[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for table, keys in tables.items()]
    path = folder / "recipe.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def told_bytes(recipe: Path) -> int:
    """The peak that `inspect` expects."""
    command = [sys.executable, "-m", "terrazzo", "inspect", str(recipe), "--device", "cpu", "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    return int(json.loads(done.stdout.splitlines()[-1])["files"][0]["training"]["peak_bytes"])


def peak_bytes(recipe: Path, out: Path) -> int:
    """The largest resident set of a whole training."""
    command = [sys.executable, "-m", "terrazzo", "train", str(recipe), "--out", str(out), "--device", "cpu", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the training of {recipe.read_text(encoding='utf-8')} ended with {process.returncode}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    print(f"{'network':32s} {'window':>9s} {'batch':>5s} {'classes':>7s} {'told':>9s} {'measured':>9s} {'told/measured':>13s}")
    for network, size, batch, classes, options in CASES:
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_data(folder, classes)
            recipe = write_recipe(folder, size, batch, options)
            told, peak = told_bytes(recipe), peak_bytes(recipe, folder / "run")
        window = f"{size[0]}x{size[1]}"
        print(
            f"{network:32s} {window:>9s} {batch:5d} {classes:7d} {told / MIB:5.0f} MiB {peak / MIB:5.0f} MiB {told / peak:13.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
