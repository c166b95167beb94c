"""Rows of the samples table."""

from dataclasses import replace
from typing import Any

from terrazzo.rasters.window import Window
from terrazzo.samples.rows import Sample, file_names, rows_by_scene, rows_of


def test_rows_of_a_table(make_samples: Any) -> None:
    samples = make_samples({"a": (10, 20), "b": (10, 10)})
    part = replace(samples, frame=samples.frame.iloc[1:])
    assert [(row.id, row.scene, row.window.col_off) for row in rows_of(part)] == [(1, "a", 10), (2, "b", 0)]


def test_rows_by_scene_keep_the_order_of_the_table(make_samples: Any) -> None:
    by_scene = rows_by_scene(make_samples({"b": (10, 20), "a": (10, 10)}))
    assert {scene: [row.id for row in rows] for scene, rows in by_scene.items()} == {"b": [0, 1], "a": [2]}
    assert list(by_scene) == ["b", "a"]


def test_windows_that_begin_at_one_pixel_have_names_of_their_own() -> None:
    places = [(0, 0, 8, 8), (8, 0, 8, 8), (8, 0, 8, 3), (8, 0, 8, 3)]
    rows = [
        Sample(id=number, scene="a", window=Window(col_off=left, row_off=top, width=width, height=height))
        for number, (left, top, width, height) in enumerate(places)
    ]
    assert file_names(rows) == ["a_0_0", "a_8_0_8x8", "a_8_0_8x3", "a_8_0_8x3_2"]
