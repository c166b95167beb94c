"""Rows of the samples table."""

from dataclasses import replace
from typing import Any

from terrazzo.samples.rows import rows_by_scene, rows_of


def test_rows_of_a_table(make_samples: Any) -> None:
    samples = make_samples({"a": (10, 20), "b": (10, 10)})
    part = replace(samples, frame=samples.frame.iloc[1:])
    assert [(row.id, row.scene, row.window.col_off) for row in rows_of(part)] == [(1, "a", 10), (2, "b", 0)]


def test_rows_by_scene_keep_the_order_of_the_table(make_samples: Any) -> None:
    by_scene = rows_by_scene(make_samples({"b": (10, 20), "a": (10, 10)}))
    assert {scene: [row.id for row in rows] for scene, rows in by_scene.items()} == {"b": [0, 1], "a": [2]}
    assert list(by_scene) == ["b", "a"]
