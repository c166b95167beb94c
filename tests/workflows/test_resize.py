"""Training at another size than the images': maps and scores are of the images' own."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrazzo.samples.table import load
from terrazzo.workflows.context import Context
from terrazzo.workflows.index import index
from terrazzo.workflows.model import TrainedModel
from terrazzo.workflows.predict import predict
from terrazzo.workflows.train import train

ContextOf = Callable[..., Context]
SETS = ("data.resize=[24, 64]", "samples.size=[24, 32]", "samples.overlap=0.0", "training.epochs=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_run: object) -> Path:
    folder = Path(tiny_run.folder)  # type: ignore[attr-defined]
    out = tmp_path_factory.mktemp("resized") / "run"
    train(folder / "recipe.toml", out, context=tiny_run.context(*SETS))  # type: ignore[attr-defined]
    return out


def test_maps_and_scores_are_at_the_images_own_size(run: Path, tiny_run: object) -> None:
    folder = Path(tiny_run.folder)  # type: ignore[attr-defined]
    with rasterio.open(run / "maps" / "d_predseg.tif") as classes, rasterio.open(folder / "images" / "d.tif") as image:
        assert (classes.shape, classes.transform, classes.crs) == (image.shape, image.transform, image.crs)
        found, values = classes.read(1), image.read()
    np.testing.assert_array_equal(found == 255, (values == 0).all(axis=0))
    evaluation = json.loads((run / "evaluation.json").read_text())
    truth = np.asarray(Image.open(folder / "labels" / "d.png"))
    counted = (truth != 255) & (found != 255)
    assert evaluation["valid_pixels"] == counted.sum()
    assert evaluation["pixels"]["accuracy"] == pytest.approx((truth == found)[counted].mean())


def test_samples_keep_the_windows_that_were_learned_from(run: Path) -> None:
    samples = load(run / "samples.parquet")
    assert samples.frame["col_off"].unique().tolist() == [0, 32]
    assert (samples.frame["height"] == 24).all()
    assert samples.frame.loc[samples.frame["scene"] == "d", "mean_iou"].notna().all()


def test_predict_gives_the_same_map_and_python_too(run: Path, tiny_run: object, tmp_path: Path, context_of: ContextOf) -> None:
    image = Path(tiny_run.folder) / "images" / "d.tif"  # type: ignore[attr-defined]
    predict(run, [image], tmp_path / "maps", context_of())
    with rasterio.open(tmp_path / "maps" / "d_predseg.tif") as again, rasterio.open(run / "maps" / "d_predseg.tif") as first:
        np.testing.assert_array_equal(again.read(), first.read())
        np.testing.assert_array_equal(TrainedModel(run, "cpu").predict(image).classes, first.read(1))


def test_run_lengths_are_those_of_the_images_own_pixels(tmp_path: Path, context_of: ContextOf) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48), np.uint8)).save(tmp_path / "images" / "a.png")
    # column 9 from its row 5 on, ten pixels: one-based and down the columns
    (tmp_path / "ships.csv").write_text(f"ImageId,EncodedPixels\na.png,{9 * 32 + 5} 10\n")
    index(
        tmp_path / "images",
        tmp_path / "ships.csv",
        tmp_path / "s.parquet",
        context_of(None, "data.resize=[64, 96]", "samples.size=[64, 96]"),
    )
    assert load(tmp_path / "s.parquet").frame["pixels_1"].tolist() == [40]


def test_images_of_any_size_train_together(tmp_path: Path, context_of: ContextOf) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number, shape in enumerate([(20, 30), (64, 50), (33, 33)]):
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(0, 255, shape, np.uint8)).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(rng.integers(0, 2, shape, np.uint8)).save(tmp_path / "labels" / f"{number}.png")
    context = context_of(None, "data.resize=[32, 40]", "samples.size=[32, 40]")
    index(tmp_path / "images", tmp_path / "labels", tmp_path / "s.parquet", context)
    assert load(tmp_path / "s.parquet").frame[["height", "width"]].drop_duplicates().to_numpy().tolist() == [[32, 40]]
