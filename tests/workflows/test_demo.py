"""The demo holds what it promises, also on frames that it never simulated."""

import json
from pathlib import Path

import pytest

import terrazzo as tz


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
