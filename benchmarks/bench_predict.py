"""A whole map of a COG, end to end, against a plain PyTorch loop and MONAI's sliding windows, and the share of the engine's own rate.

Run: python benchmarks/bench_predict.py [rounds] [side] [precision]   # peers take part up to 2048 pixels a side
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
import torch
from affine import Affine
from imagery import ground
from numpy.typing import NDArray
from rasterio.windows import Window as Slice
from timing import in_turn
from torch import Tensor, nn

from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.models.bundle import Bundle, ModelCard
from terrazzo.models.int8 import measured_ranges
from terrazzo.models.network import build_network, choose_runtime
from terrazzo.models.options import ModelOptions
from terrazzo.prediction.engines import choose
from terrazzo.prediction.engines.engine import ReadWindow
from terrazzo.prediction.maps import write_maps
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.stream import Predictor
from terrazzo.progress import Silent
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Pixels, open_raster
from terrazzo.rasters.window import Window
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import Scaling, measure

SIZE, OVERLAP, CLASSES = 512, 0.5, 4
SEED = 0
"""Of the scene; those of training follow."""
STEPS, BATCH, TRAINED_PX = 30, 4, 256
PEERS_LARGEST = 2048
"""Side of the largest map that the slower ones are waited for; their time is a matter of windows, of which larger maps have more."""
NETWORKS = {"classic U-Net, 32 filters": ModelOptions(filters=32), "smp Unet, resnet34": ModelOptions(architecture="Unet")}


def write_scene(path: Path, side: int) -> None:
    """A COG of three bands of bytes."""
    image, _ = ground(side, side, SEED)
    place = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    with rasterio.open(path, "w", driver="COG", width=side, height=side, count=3, dtype="uint8", compress="zstd", **place) as file:
        file.write(image.transpose(2, 0, 1))


def train(network: nn.Module, scaling: Scaling) -> None:
    """A few steps, so that classes are told apart: of first weights all are about as likely, and in bfloat16 others win."""
    runtime = choose_runtime("cpu", "auto")
    network = runtime.place(network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step in range(STEPS):
        images, labels = zip(*(ground(TRAINED_PX, TRAINED_PX, SEED + 1 + step * BATCH + number) for number in range(BATCH)), strict=True)
        shown = scaled(np.stack(images).transpose(0, 3, 1, 2), scaling)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(runtime.logits(network, shown), torch.from_numpy(np.stack(labels)).long())
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def model(options: ModelOptions, scene: Path) -> Bundle:
    """A network that has learned a little of such scenes."""
    with open_raster(scene) as raster:
        pixels: Pixels = raster.read(Window(col_off=0, row_off=0, width=SIZE, height=SIZE))
    scaling = measure([(pixels, pixels.valid)], "standard", 10_000)
    legend = Legend(classes=tuple(LegendClass(value=value, name=str(value), color=(value * 60, 0, 0)) for value in range(CLASSES)))
    card = ModelCard(
        network=options,
        bands=3,
        window=(SIZE, SIZE),
        cell_size=None,
        crs=None,
        reading=DataOptions(),
        legend=json.loads(legend.to_json()),
        scaling=asdict(scaling),
        recipe={},
        versions={},
    )
    network = build_network(options, 3, CLASSES)
    train(network, scaling)
    with torch.inference_mode(), measured_ranges(network.eval()) as ranges:
        for number in range(BATCH):
            network(scaled(ground(SIZE, SIZE, SEED + number)[0].transpose(2, 0, 1)[None], scaling))
    card = card.model_copy(update={"int8_ranges": ranges})
    return Bundle(network=network.eval(), card=card, legend=legend, scaling=scaling, identity="benchmark")


def ours(predictor: Predictor, scene: Path, out: Path) -> None:
    write_maps({out / "map_predseg.tif": predictor.open_job(scene)}, predictor, Silent())
    shutil.rmtree(out)


def engine_alone(predictor: Predictor, scene: Path) -> Callable[[], None]:
    """The same windows, read and scaled before."""
    job = predictor.open_job(scene)
    with job.raster as raster:
        windows = [window for row_off in job.grid.row_starts for window in job.grid.row(row_off)]
        read = [(window, raster.read(window)) for window in windows]
    chips = [
        ReadWindow(window=window, chip=to_chip(pixels, predictor.bundle.scaling, (SIZE, SIZE)), valid=pixels.valid)
        for window, pixels in read
    ]

    def run() -> None:
        for _ in predictor.engine_for([job]).run(chips):
            pass

    return run


@torch.inference_mode()
def plain(network: nn.Module, bundle: Bundle, scene: Path, out: Path) -> None:
    """As tutorials have it: float32, channels first, window by window, the mean of the probabilities of overlapping windows."""
    out.mkdir()
    stride = int(SIZE * (1 - OVERLAP))
    with rasterio.open(scene) as source:
        total = np.zeros((CLASSES, source.height, source.width), np.float32)
        for row in range(0, source.height - stride, stride):
            for col in range(0, source.width - stride, stride):
                image = scaled(source.read(window=Slice(col, row, SIZE, SIZE)), bundle.scaling)[None]
                total[:, row : row + SIZE, col : col + SIZE] += network(image).softmax(1)[0].numpy()
        profile = {**source.profile, "driver": "GTiff", "count": 1}
    write(out, total.argmax(0), profile)


@torch.inference_mode()
def monai(network: nn.Module, bundle: Bundle, scene: Path, out: Path) -> None:
    from monai.inferers import sliding_window_inference

    out.mkdir()
    with rasterio.open(scene) as source:
        image, profile = scaled(source.read(), bundle.scaling)[None], {**source.profile, "driver": "GTiff", "count": 1}
    logits = sliding_window_inference(image, (SIZE, SIZE), 4, network, overlap=OVERLAP, mode="gaussian")
    write(out, np.asarray(logits)[0].argmax(0), profile)


def scaled(values: NDArray[np.uint8], scaling: Scaling) -> Tensor:
    """(..., bands, height, width), standardised as the model asks."""
    offset, factor = (np.array([getattr(band, name) for band in scaling.bands], np.float32)[:, None, None] for name in ("offset", "factor"))
    return torch.from_numpy((values.astype(np.float32) - offset) * factor)


def write(out: Path, classes: NDArray[np.int64], profile: dict[str, object]) -> None:
    with rasterio.open(out / "map.tif", "w", **profile) as target:
        target.write(classes.astype(np.uint8), 1)
    shutil.rmtree(out)


def compare(name: str, options: ModelOptions, asked: PredictionOptions, scene: Path, rounds: int, *, peers: bool) -> None:
    bundle, folder = model(options, scene), scene.parent
    # large work is what is measured, of which this is a part
    choose.WORTH_CONVERTING_PX = choose.WORTH_ROUNDING_PX = 0
    predictor = Predictor.of(bundle, "cpu", asked)
    job = predictor.open_job(scene)
    print(f"{name}: {predictor.engine_for([job]).forwards[0].means}")
    whole = partial(ours, predictor, scene, folder / "ours")
    print(f"  the engine alone   {in_turn(whole, engine_alone(predictor, scene), rounds)}")
    if not peers:
        return
    tutorial = build_network(options, 3, CLASSES).eval()
    tutorial.load_state_dict(bundle.network.state_dict())
    print(f"  plain loop         {in_turn(whole, partial(plain, tutorial, bundle, scene, folder / 'plain'), rounds)}")
    if find_spec("monai") is not None:
        print(f"  MONAI              {in_turn(whole, partial(monai, tutorial, bundle, scene, folder / 'monai'), rounds)}")


def main(rounds: int, side: int, precision: str) -> None:
    asked = PredictionOptions.model_validate({"overlap": OVERLAP, "precision": precision})
    with TemporaryDirectory() as name:
        scene = Path(name) / "scene.tif"
        write_scene(scene, side)
        print(f"{side} x {side} pixels, windows of {SIZE}, overlap {OVERLAP:.0%}, {torch.get_num_threads()} threads: ours, the other")
        for title, options in NETWORKS.items():
            compare(title, options, asked, scene, rounds, peers=side <= PEERS_LARGEST)


if __name__ == "__main__":
    rounds, side, precision = [*sys.argv[1:], *["3", "2048", "auto"][len(sys.argv) - 1 :]]
    main(int(rounds), int(side), precision)
