"""The demo holds what it promises, also on frames that it never simulated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

import terrazzo as tz
from terrazzo.errors import ConflictError
from terrazzo.labels.reader import LabelReader
from terrazzo.samples.scenes import find_scenes
from terrazzo.samples.store import SceneStore
from terrazzo.samples.table import load
from terrazzo.training.run import RunFolder
from terrazzo.workflows.context import Context
from terrazzo.workflows.demo import demo, threshold_rule

TINY = ("simulation.count=8", "simulation.size=64", "samples.size=32", "model.filters=4", "model.depth=2", "training.epochs=1")


def f1(evaluation: Path) -> dict[str, float]:
    classes = json.loads(evaluation.read_text(encoding="utf-8"))["pixels"]["classes"]
    return {entry["name"]: entry["f1"] for entry in classes}


@pytest.mark.slow
def test_the_demo_learns_what_thresholds_cannot(tmp_path: Path) -> None:
    result = tz.demo(tmp_path / "demo")
    held_out = f1(tmp_path / "demo" / "run" / "evaluation.json")
    assert min(held_out.values()) >= 0.90, held_out
    rules = dict(zip(held_out, result.facts["threshold_rule_f1"], strict=True))  # type: ignore[call-overload]
    assert rules["clusters"] < 0.6

    tz.simulate("ccd", tmp_path / "others", tz.open_context(sets=["simulation.seed=7", "simulation.count=12"]))
    tz.predict(tmp_path / "demo" / "run", [tmp_path / "others" / "images"], tmp_path / "maps")
    tz.evaluate(tmp_path / "maps", tmp_path / "others" / "labels", tmp_path / "scores")
    others = f1(tmp_path / "scores" / "evaluation.json")
    assert min(others.values()) >= 0.90, others


@pytest.fixture(scope="module")
def tiny_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "demo"
    demo(out, tiny_demo_context())
    return out


def tiny_demo_context(*sets: str) -> Context:
    return Context(recipe=tz.open_context(sets=[*TINY, *sets]).recipe, device="cpu", threads=1)


def test_the_whole_path_with_options_over_it(tiny_demo: Path) -> None:
    assert len(list((tiny_demo / "frames" / "images").iterdir())) == 8
    rows = (tiny_demo / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1
    assert set(f1(tiny_demo / "run" / "evaluation.json")) == {"background", "glow", "hot pixels", "clusters"}


def test_run_again_it_shows_what_it_left(tiny_demo: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_demo.rglob("*") if path.is_file()}
    again = demo(str(tiny_demo), tiny_demo_context())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "threshold rule F1" in again.text
    assert f"Report: {tiny_demo / 'run' / 'report.html'}" in again.text
    rules: Any = again.facts["threshold_rule_f1"]
    assert len(rules) == 4
    assert again.written["run"] == tiny_demo / "run"


def test_other_frames_are_a_conflict(tiny_demo: Path) -> None:
    with pytest.raises(ConflictError):
        demo(tiny_demo, tiny_demo_context("simulation.seed=5"))


def test_the_rule_is_learned_on_training_ground_and_judged_on_held_out(tiny_run: Any) -> None:
    """The first band of the tiny data is told by one threshold: 100 or so is land, 170 or so is water."""
    context = tiny_run.context("samples.overlap=0")
    samples = load(tiny_run.run / "samples.parquet")
    store = SceneStore(find_scenes(context.recipe.data, context.folder), LabelReader(samples.legend, context.recipe.data))
    truth, values = [], []
    for scene, window in zip(samples.part("test").frame["scene"], samples.part("test").windows(), strict=True):
        pixels, labels = store.image(scene, window), store.labels(scene, window)
        use = pixels.valid & (labels != 255)
        truth.append(labels[use])
        values.append(pixels.values[0][use])
    water, predicted = np.concatenate(truth) == 1, np.concatenate(values) > 135
    land_f1, water_f1 = threshold_rule(RunFolder(path=tiny_run.run), context)
    assert water_f1 == pytest.approx(f1_score(water, predicted), abs=0.01)
    assert land_f1 == pytest.approx(f1_score(~water, ~predicted), abs=0.01)
    assert water_f1 is not None
    assert water_f1 > 0.99
