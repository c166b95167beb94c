"""What inspect tells of the training that a recipe describes, before it begins: its memory, and what stands in its way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from terrazzo.workflows.inspect import inspect
from terrazzo.workflows.inspection import training_need

RECIPE = """
[data]
images = "images"
labels = "labels"
[samples]
size = [32, 48]
[model]
filters = 4
depth = 2
[training]
precision = "float32"
batch_size = 6
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Two images of 40 x 60 pixels, five bands and three classes."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "ab":
        np.save(tmp_path / "images" / f"{name}.npy", rng.normal(0, 1, (5, 40, 60)).astype(np.float32))
        Image.fromarray(rng.integers(0, 3, (40, 60)).astype(np.uint8)).save(tmp_path / "labels" / f"{name}.png")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def found(recipe: Path, *more: str) -> dict[str, Any]:
    """What inspect finds of the recipe with lines added to its last table."""
    recipe.write_text(RECIPE + "\n".join(more), encoding="utf-8")
    result = inspect(recipe)
    assert result.exit_code == 0
    return json.loads(json.dumps(result.facts))["files"][0]  # type: ignore[no-any-return]


def test_the_memory_is_told_with_its_parts(recipe: Path) -> None:
    result = inspect(recipe)
    [line] = [line for line in result.text.splitlines() if line.startswith("  memory: ")]
    assert line.startswith("  memory: training takes about 1.")
    assert "(cpu, float32: program 1.28 GB, images 106 kB, weights" in line
    assert "a step with 6 samples" in line
    assert "are free" in line
    assert "problem" not in result.text


def test_programs_get_it_in_bytes(recipe: Path) -> None:
    six = found(recipe)["training"]
    assert six["images_bytes"] == 2 * 40 * 60 * (5 * 4 + 2)
    parts = max(six["step_bytes"], six["evaluation_bytes"], six["checkpoint_bytes"]) + six["samples_bytes"]
    assert six["peak_bytes"] == six["program_bytes"] + six["images_bytes"] + six["weights_bytes"] + max(parts, six["mapping_bytes"])
    assert six["free_bytes"] > 0


def test_what_does_not_fit_is_a_problem_with_what_to_lower(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_need, "free_bytes", lambda _: 10**9)
    result = inspect(recipe)
    assert "problem: Training takes about 1.29 GB of memory, and 1 GB are free. Set training.batch_size = 3 and" in result.text
    assert result.exit_code == 0


def test_a_batch_and_a_rate_that_are_left_open_do_not_stand_in_the_way(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe.write_text(RECIPE.replace("batch_size = 6", 'batch_size = "auto"\nlearning_rate = "find"'), encoding="utf-8")
    assert "a step with 8 samples" in inspect(recipe).text
    monkeypatch.setattr(training_need, "free_bytes", lambda _: 1_281_357_600)
    facts = json.loads(json.dumps(inspect(recipe).facts))["files"][0]["training"]
    assert facts["batch_size"] * facts["accumulate"] == 8
    assert facts["batch_size"] < 8


def test_a_system_that_does_not_say_what_is_free_is_no_problem(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_need, "free_bytes", lambda _: None)
    facts = found(recipe)
    assert facts["training"]["free_bytes"] is None
    assert facts["problems"] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('loss = ["binary"]', "which is for two classes; the legend has 3"),
        ('[model]\narchitecture = "Unet"\nencoder = "resnet35"', "there is no encoder 'resnet35'"),
        ('[model]\nstart = "nowhere"', "nowhere"),
    ],
    ids=["loss", "encoder", "start"],
)
def test_what_stands_in_the_way_is_a_problem(recipe: Path, line: str, words: str) -> None:
    text = RECIPE.replace("[model]\nfilters = 4\ndepth = 2\n", "") if "[model]" in line else RECIPE
    recipe.write_text(text + line, encoding="utf-8")
    result = inspect(recipe)
    assert words in result.text
    assert "2 images, 2 files of labels" in result.text


def test_going_on_from_a_model_takes_its_network(recipe: Path, tiny_run: Any) -> None:
    images = tiny_run.folder / "images"
    text = f'[data]\nimages = "{images}/*.tif"\nlabels = "{images.parent}/labels/*.png"\n[model]\nstart = "{tiny_run.run}"\n'
    recipe.write_text(text, encoding="utf-8")
    small = json.loads(json.dumps(inspect(recipe).facts))["files"][0]["training"]["weights_bytes"]
    assert 0 < small < 10**6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the program's own share was measured on Linux")
def test_the_peak_is_told_within_a_quarter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        Image.fromarray(rng.integers(0, 256, (300, 320, 3)).astype(np.uint8)).save(tmp_path / "images" / f"{name}.png")
        Image.fromarray(rng.integers(0, 2, (300, 320)).astype(np.uint8)).save(tmp_path / "labels" / f"{name}.png")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[data]\nimages = "images"\nlabels = "labels"\n[split]\nby = "scene"\nvalidation = 0.3\n[draw]\nper_epoch = 16\n'
        '[model]\nfilters = 24\n[training]\nepochs = 1\nprecision = "float32"\n',
        encoding="utf-8",
    )
    told = json.loads(json.dumps(inspect(recipe).facts))["files"][0]["training"]["peak_bytes"]
    command = [sys.executable, "-m", "terrazzo", "train", str(recipe), "--out", str(tmp_path / "run"), "--device", "cpu", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert told == pytest.approx(used.ru_maxrss * 1024, rel=0.25)
