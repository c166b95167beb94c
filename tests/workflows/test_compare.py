"""compare: the same pixels for all, in step with evaluate; runs without labels, masks of other tools with them."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from terrazzo.errors import ConflictError, DataError, LabelError, PairingError, UsageError
from terrazzo.workflows.compare import compare
from terrazzo.workflows.comparison.contestants import short_names
from terrazzo.workflows.context import Context, open_context
from terrazzo.workflows.evaluate import evaluate
from terrazzo.workflows.predict import predict
from terrazzo.workflows.train import train

SHAPE = (45, 61)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Truth of eight images as 0 and 255, and masks of two tools: one errs a little, the other much, and only one of them in places."""
    rng = np.random.default_rng(3)
    for number in range(8):
        truth = np.kron(rng.integers(0, 2, (9, 9)), np.ones((5, 7)))[:, : SHAPE[1]] > 0
        flips = {"truth": 0.0, "good": 0.05, "bad": 0.15 + 0.01 * number}
        for folder, share in flips.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            wrong = rng.random(SHAPE) < share
            Image.fromarray(((truth ^ wrong) * 255).astype(np.uint8)).save(tmp_path / folder / f"im{number}.png")
    return tmp_path


def compared(places: list[Path], out: Path, labels: Path | None = None, *sets: str) -> dict[str, Any]:
    compare(places, out, labels, open_context(sets=sets))
    found: dict[str, Any] = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    return found


def read(path: Path) -> NDArray[np.bool_]:
    return np.asarray(Image.open(path)) > 127


def test_masks_of_tools_have_the_scores_that_evaluate_gives(masks: Path) -> None:
    found = compared([masks / "good", masks / "bad"], masks / "out", masks / "truth")
    assert found["maps"] == ["good", "bad"]
    for name in found["maps"]:
        evaluate(masks / name, masks / "truth", masks / f"scores_{name}")
        pixels = json.loads((masks / f"scores_{name}" / "evaluation.json").read_text())["pixels"]
        assert found["scores"][name]["mean_iou"] == pytest.approx(pixels["mean_iou"])
        assert found["scores"][name]["iou_1"] == pytest.approx(pixels["classes"][1]["iou"])
        assert found["scores"][name]["dice_0"] == pytest.approx(pixels["classes"][0]["f1"])
    (pair,) = found["differences"]
    assert (pair["first"], pair["second"]) == ("good", "bad")
    score = pair["scores"]["mean_iou"]
    assert score["difference"] == pytest.approx(found["scores"]["bad"]["mean_iou"] - found["scores"]["good"]["mean_iou"])
    assert score["low"] < score["difference"] < score["high"] < 0
    assert score["p"] == 2 / 2**8
    assert (score["better"], score["worse"]) == (0, 8)
    assert (found["units"], found["number_of_units"], found["images"]) == ("scenes", 8, 8)


def test_black_and_white_masks_are_read_as_classes_beside_labels_of_0_and_1(masks: Path) -> None:
    expected = compared([masks / "good", masks / "bad"], masks / "out", masks / "truth")
    (masks / "plain").mkdir()
    for path in (masks / "truth").iterdir():
        Image.fromarray(read(path).astype(np.uint8)).save(masks / "plain" / path.name)
    found = compared([masks / "good", masks / "bad"], masks / "plain_out", masks / "plain")
    assert found["scores"] == expected["scores"]


def test_objects_are_compared_where_asked(masks: Path) -> None:
    found = compared([masks / "good", masks / "bad"], masks / "out", masks / "truth", "evaluation.objects=1")
    for name in found["maps"]:
        evaluate(masks / name, masks / "truth", masks / f"scores_{name}", open_context(sets=["evaluation.objects=1"]))
        objects = json.loads((masks / f"scores_{name}" / "evaluation.json").read_text())["objects"]
        assert found["scores"][name]["object_f2"] == pytest.approx(objects["f2"])
        assert found["scores"][name]["object_ap"] == pytest.approx(objects["ap"])
    score = found["differences"][0]["scores"]["object_f2"]
    assert score["low"] <= score["difference"] <= score["high"]


def test_scenes_have_a_row_each(masks: Path) -> None:
    compared([masks / "good", masks / "bad"], masks / "out", masks / "truth")
    with (masks / "out" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    for row in rows:
        right = read(masks / row["maps"] / f"{row['scene']}.png") == read(masks / "truth" / f"{row['scene']}.png")
        assert float(row["accuracy"]) == pytest.approx(right.mean())
        assert int(row["pixels"]) == right.size


def test_what_one_leaves_out_counts_for_none(masks: Path) -> None:
    """Left-out pixels of a third tool, and its missing image, are in no score of the others."""
    (masks / "part").mkdir()
    for number in range(7):
        values = (read(masks / "good" / f"im{number}.png") * 1).astype(np.uint8)
        values[:, :30] = 255
        Image.fromarray(values).save(masks / "part" / f"im{number}.png")
    context = ("legend.classes=['a','b']", "legend.values=[0,1]", "legend.ignore=255")
    (masks / "plain").mkdir()
    for folder in ("truth", "good"):
        for path in (masks / folder).glob("*.png"):
            Image.fromarray((read(path) * 1).astype(np.uint8)).save(masks / folder / path.name)
    found = compared([masks / "good", masks / "part"], masks / "out", masks / "truth", *context)
    assert found["images"] == 7
    assert found["valid_pixels"] == 7 * SHAPE[0] * (SHAPE[1] - 30)
    assert found["left_out_pixels"] == 7 * SHAPE[0] * 30
    assert found["scores"]["good"] == found["scores"]["part"]
    assert found["differences"][0]["scores"]["accuracy"]["alike"] == 7
    assert any("1 map of good left out" in said for said in found["notices"])
    assert not (masks / "out" / "comparison.png").exists(), "nothing differs"


def test_few_scenes_are_cut_into_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.kron(rng.integers(0, 2, (40, 40)), np.ones((16, 16))).astype(np.uint8)
    for name, share in (("truth", 0), ("one", 0.1), ("two", 0.2)):
        (tmp_path / name).mkdir()
        Image.fromarray(truth ^ (rng.random(truth.shape) < share)).save(tmp_path / name / "big.png")
    found = compared([tmp_path / "one", tmp_path / "two"], tmp_path / "out", tmp_path / "truth")
    assert (found["units"], found["number_of_units"]) == ("blocks", 25)
    assert found["differences"][0]["scores"]["accuracy"]["high"] < -0.09


@pytest.fixture(scope="module")
def other(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with another seed and other windows, on the same images."""
    out = tmp_path_factory.mktemp("other") / "wide"
    train(tiny_run.folder / "recipe.toml", out, context=tiny_run.context("training.seed=3", "samples.size=24", "training.epochs=3"))
    return out


class TestRuns:
    def test_are_compared_on_what_both_held_out(self, tiny_run: Any, other: Path, tmp_path: Path) -> None:
        """Windows of 16 and of 24, on the same truth at full resolution: the figures are those that each run gives of itself."""
        found = compared([tiny_run.run, other], tmp_path / "out")
        for name, run in zip(found["maps"], (tiny_run.run, other), strict=True):
            own = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
            assert found["scores"][name]["mean_iou"] == pytest.approx(own["pixels"]["mean_iou"])
            assert found["valid_pixels"] == own["valid_pixels"]
        page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
        assert "Mean Dice on validation" in page
        assert 'src="http' not in page
        assert Image.open(tmp_path / "out" / "comparison.png").width > 1500
        assert found["notices"] == []

    def test_have_figures_side_by_side(self, tiny_run: Any, other: Path, tmp_path: Path) -> None:
        compare([tiny_run.run, other], tmp_path / "out")
        page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
        for name in (tiny_run.run.name, other.name):
            assert page.count(f">{name}<") >= 2
        assert page.count("<circle") > 10

    def test_and_maps_of_a_folder_are_doubted(self, tiny_run: Any, tmp_path: Path) -> None:
        predict(tiny_run.run, [tiny_run.folder / "images"], tmp_path / "maps", tiny_run.context())
        found = compared([tiny_run.run, tmp_path / "maps"], tmp_path / "out")
        assert found["images"] == 1
        assert found["scores"]["maps"] == found["scores"][tiny_run.run.name]
        assert any("What maps learned from is not known" in said for said in found["notices"])

    def test_that_held_out_other_images_have_nothing_in_common(self, tiny_run: Any, tmp_path: Path) -> None:
        sets = ("split.test_scenes=['a']", "split.validation_scenes=['c']", "training.epochs=1")
        train(tiny_run.folder / "recipe.toml", tmp_path / "run", context=tiny_run.context(*sets))
        with pytest.raises(PairingError, match=r"No image is mapped by all .*predict the same images"):
            compare([tiny_run.run, tmp_path / "run"], tmp_path / "out")

    def test_ground_that_the_other_learned_from_is_left_out(self, tiny_run: Any, tmp_path: Path) -> None:
        """One run holds out an image, the other only some blocks of it: the map of the second shows nothing else."""
        sets = ("split.by=block", "split.block_px=16", "split.validation_scenes=[]", "split.test_scenes=[]", "split.validation=0.3")
        train(tiny_run.folder / "recipe.toml", tmp_path / "run", context=tiny_run.context(*sets, "training.epochs=1", "samples.overlap=0"))
        with rasterio.open(tmp_path / "run" / "maps" / "d_predseg.tif") as file:
            mapped = int((file.read(1) != 255).sum())
        found = compared([tiny_run.run, tmp_path / "run"], tmp_path / "out")
        assert 0 < found["valid_pixels"] <= mapped < 40 * 48
        assert found["left_out_pixels"] > 0

    def test_that_held_nothing_out_are_refused(self, tiny_run: Any, tmp_path: Path) -> None:
        shutil.copytree(tiny_run.run, tmp_path / "run")
        found = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
        (tmp_path / "run" / "evaluation.json").write_text(json.dumps(found | {"part": "train"}), encoding="utf-8")
        with pytest.raises(DataError, match="held nothing out"):
            compare([tiny_run.run, tmp_path / "run"], tmp_path / "out")

    def test_of_other_classes_are_refused(self, tiny_run: Any, context_of: Callable[..., Context], tmp_path: Path) -> None:
        context = tiny_run.context("legend.remap={7=3}", "legend.values=[0,3]", "training.epochs=1")
        train(tiny_run.folder / "recipe.toml", tmp_path / "run", context=context)
        with pytest.raises(LabelError, match="Only maps of the same classes"):
            compare([tiny_run.run, tmp_path / "run"], tmp_path / "out")


class TestWhatCannotBeCompared:
    def test_is_alone(self, masks: Path) -> None:
        with pytest.raises(UsageError, match="takes two or more"):
            compare([masks / "good"], masks / "out", masks / "truth")

    def test_has_no_truth(self, masks: Path) -> None:
        with pytest.raises(UsageError, match="good is no run, so its labels are not known"):
            compare([masks / "good", masks / "bad"], masks / "out")

    def test_has_another_size(self, masks: Path) -> None:
        Image.open(masks / "bad" / "im3.png").resize((30, 20)).save(masks / "bad" / "im3.png")
        with pytest.raises(LabelError, match="im3: the map of bad is 20 x 30 pixels, the labels 45 x 61"):
            compare([masks / "good", masks / "bad"], masks / "out", masks / "truth")

    def test_is_compared_already(self, masks: Path) -> None:
        compare([masks / "good", masks / "bad"], masks / "out", masks / "truth")
        with pytest.raises(ConflictError, match="holds a comparison already"):
            compare([masks / "good", masks / "bad"], masks / "out", masks / "truth")


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["x/maps", "y/maps"], ["x/maps", "y/maps"]),
        (["x/maps", "x/maps"], ["maps (1)", "maps (2)"]),
    ],
)
def test_names_are_as_short_as_they_can_be(places: list[str], names: list[str]) -> None:
    assert short_names(places) == names
