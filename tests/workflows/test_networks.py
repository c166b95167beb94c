"""Networks fitted from Python, without a recipe file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

import terrazzo as tz
from terrazzo.errors import ConflictError, RecipeError
from terrazzo.models.bundle import load_bundle
from terrazzo.recipes.recipe import load_recipe
from terrazzo.workflows.model import TrainedModel
from terrazzo.workflows.networks import Network

SETS = ("training.epochs=1", "training.batch_size=8", "model.filters=3", "model.depth=2", "legend.values=[0, 7]")
MAKERS = (tz.unet, tz.resunet, tz.vgg_unet)


@pytest.fixture
def here(tiny_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working directory; images and labels are elsewhere."""
    monkeypatch.chdir(tmp_path)
    return Path(tiny_run.folder)


def fitted(folder: Path, network: Network, out: str | None = None, *, resume: bool = False) -> TrainedModel:
    return network.fit(folder / "images", str(folder / "labels"), out, resume=resume, device="cpu")


def test_fit_predict_and_evaluate_two_folders(here: Path, tmp_path: Path) -> None:
    model = fitted(here, tz.vgg_unet(classes=2, height=16, width=24, sets=SETS))
    assert model.run == tmp_path / "runs" / "vgg_unet"
    bundle = load_bundle(model.run)
    assert (bundle.card.network.kind, bundle.card.window, bundle.legend.values) == ("vgg_unet", (16, 24), (0, 7))
    model.predict(here / "images" / "d.tif", "map.png")
    with Image.open("map.png") as picture, rasterio.open(here / "images" / "d.tif") as image:
        assert picture.size == (image.width, image.height)
        assert set(np.unique(np.asarray(picture))) <= {0, 7, 255}
    judged = model.evaluate(here / "images", here / "labels")
    assert judged.written["report"] == Path("evaluations/vgg_unet/report.html")
    scores = json.loads((tmp_path / "evaluations" / "vgg_unet" / "evaluation.json").read_text(encoding="utf-8"))
    # one pixel of each label is 255, and the four images have a hole of 4 x 5
    assert scores["valid_pixels"] == 4 * (40 * 48 - 4 * 5 - 1)
    assert (scores["images"], scores["pixels"]) == (4, judged.facts["pixels"])


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: str(maker.__name__))
def test_the_function_names_the_network(maker: Any) -> None:
    network = maker(classes=3, height=20, width=30, sets=["training.epochs=7"])
    recipe = network.recipe
    assert (recipe.model.kind, recipe.samples.shape, recipe.legend.values) == (maker.__name__, (20, 30), [0, 1, 2])
    assert recipe.training.epochs == 7


def test_what_is_fitted_is_a_run_like_any_other(here: Path, tmp_path: Path) -> None:
    ours = fitted(here, tz.unet(classes=2, height=16, width=16, sets=SETS), "ours")
    text = (tmp_path / "ours" / "recipe.toml").read_text(encoding="utf-8")
    (tmp_path / "kept.toml").write_text(text, encoding="utf-8")
    context = tz.Context(recipe=load_recipe(tmp_path / "kept.toml").recipe, device="cpu")
    tz.train("kept.toml", "theirs", context=context)
    weights = [(tmp_path / run / "model" / "model.safetensors").read_bytes() for run in ("ours", "theirs")]
    assert weights[0] == weights[1]
    assert ours.report == tmp_path / "ours" / "report.html"


def test_nothing_is_trained_twice_and_nothing_overwritten(here: Path, tmp_path: Path) -> None:
    network = tz.unet(classes=2, height=16, width=16, sets=SETS)
    first = fitted(here, network)
    before = (tmp_path / "runs" / "unet" / "report.html").stat().st_mtime_ns
    assert str(fitted(here, network).result) == str(first.result)
    assert (tmp_path / "runs" / "unet" / "report.html").stat().st_mtime_ns == before
    with pytest.raises(ConflictError, match="holds a run of another recipe"):
        fitted(here, tz.unet(classes=2, height=24, width=16, sets=SETS))
    (tmp_path / "runs" / "unet" / "report.html").unlink()
    with pytest.raises(ConflictError, match="unfinished run"):
        fitted(here, network)
    assert fitted(here, network, resume=True).report is not None


@pytest.mark.parametrize(
    ("classes", "sets", "message"),
    [
        (1, [], "classes is 1; the background is one of them"),
        (3, ['legend.classes=["sea", "land"]'], r"classes is 3, but legend\.classes has 2"),
        (3, ["legend.values=[0, 7]"], r"classes is 3, but legend\.values has 2"),
        (2, ["model.kind=resunet"], "the function's name already says that"),
        (2, ["samples.size=64"], "height and width already says that"),
        (2, ["data.images=elsewhere"], "fit already says that"),
        (2, ["training.epoch=3"], "epoch"),
    ],
)
def test_what_cannot_be_is_said_at_once(classes: int, sets: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tz.unet(classes, 16, 16, sets)


def test_a_window_that_cannot_be_names_its_argument() -> None:
    with pytest.raises(RecipeError, match="height and width"):
        tz.unet(classes=2, height=0, width=16)
