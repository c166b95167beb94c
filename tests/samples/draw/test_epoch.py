"""What an epoch shows: sizes, shares and balance, from (seed, epoch) alone."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.window import Window
from terrazzo.samples.draw.contents import Contents
from terrazzo.samples.draw.epoch import ANY, EMPTY, FILLED, Draw
from terrazzo.samples.options import DrawOptions
from terrazzo.samples.rows import Sample
from terrazzo.samples.table import Samples


def draw_of(pixels: NDArray[np.int64], objects: NDArray[np.int64] | None = None, **options: Any) -> Draw:
    window = Window(col_off=0, row_off=0, width=10, height=10)
    samples = [Sample(id=100 + number, scene="a", window=window) for number in range(len(pixels))]
    contents = Contents(pixels=pixels, objects=np.zeros(len(pixels), np.int64) if objects is None else objects)
    return Draw(samples, contents, DrawOptions.model_validate(options))


def mixed(count: int, empty: float, seed: int = 0) -> NDArray[np.int64]:
    """Windows of three classes, of which a share holds only the first."""
    rng = np.random.default_rng(seed)
    others = rng.integers(1, 30, (count, 2)) * (rng.random(count) >= empty)[:, None]
    return np.column_stack([100 - others.sum(1), others])


@given(count=st.integers(1, 50), epoch=st.integers(0, 9), seed=st.integers(0, 2**63 - 1), per_epoch=st.none() | st.integers(1, 200))
def test_each_sample_once_before_any_twice(count: int, epoch: int, seed: int, per_epoch: int | None) -> None:
    draw = draw_of(np.ones((count, 2), np.int64), per_epoch=per_epoch, foreground=0)
    found = draw.epoch(epoch, seed)
    assert len(found) == draw.size == (per_epoch or count)
    counts = np.bincount(found.rows, minlength=count)
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(found.rows, draw.epoch(epoch, seed).rows)


def test_orders_differ_from_epoch_to_epoch_and_seed_to_seed() -> None:
    draw = draw_of(np.ones((20, 2), np.int64))
    assert len({tuple(draw.epoch(epoch, seed).rows) for epoch in range(3) for seed in range(3)}) == 9


def test_golden_order() -> None:
    """If it changes, runs of old recipes can no longer be repeated."""
    assert draw_of(np.ones((10, 2), np.int64), foreground=0).epoch(1, 7).rows.tolist() == [9, 0, 8, 6, 7, 1, 3, 4, 2, 5]


def test_what_is_drawn_knows_its_sample_and_its_repeat(make_samples: Callable[..., Samples]) -> None:
    samples = make_samples({"a": (10, 20), "b": (10, 10)})
    samples.frame["split"] = ["validation", "train", "train"]
    epoch = Draw.of(samples.part("train"), DrawOptions(per_epoch=4)).epoch(0, 0)
    assert sorted((drawn.sample.id, drawn.repeat) for drawn in epoch) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert epoch[1:3] == [epoch[1], epoch[2]]
    assert epoch[0].want == ANY


@pytest.mark.parametrize("share", [0.0, 0.2, 0.75])
def test_the_share_of_empty_windows_is_met(share: float) -> None:
    draw = draw_of(mixed(400, 0.5), empty_share=share)
    filled = draw.contents.filled
    assert draw.size == round(filled.sum() / (1 - share))
    found = draw.epoch(3, 1)
    assert np.count_nonzero(~filled[found.rows]) == round(share * draw.size)
    assert np.array_equal(found.wants == EMPTY, ~filled[found.rows])
    assert set(found.wants[filled[found.rows]].tolist()) == {FILLED}
    assert np.bincount(found.rows[found.wants == FILLED], minlength=400)[filled].tolist() == [1] * filled.sum()


def test_a_share_of_empty_windows_where_there_are_none() -> None:
    draw = draw_of(mixed(50, 0.0), empty_share=0.5)
    assert draw.size == 50
    assert set(draw.epoch(0, 0).wants.tolist()) == {FILLED}


def test_kinds_are_mixed_at_random() -> None:
    """In each half of an epoch there are as many empty windows, within the bounds of chance."""
    wants = draw_of(mixed(2000, 0.5), empty_share=0.5, per_epoch=2000).epoch(0, 0).wants
    assert abs(np.count_nonzero(wants[:1000] == EMPTY) - 500) < 5 * np.sqrt(2000 * 0.25) / 2


def test_foreground_turns_through_the_classes_and_weighs_by_their_pixels() -> None:
    pixels = np.array([[90, 10, 0], [70, 30, 0], [99, 0, 1], [100, 0, 0]])
    found = draw_of(pixels, foreground=0.5, per_epoch=1600).epoch(0, 0)
    of_class = [found.rows[found.wants == index] for index in (1, 2)]
    assert [len(rows) for rows in of_class] == [400, 400]
    assert np.bincount(of_class[0], minlength=4).tolist() == [100, 300, 0, 0]
    assert np.bincount(of_class[1], minlength=4).tolist() == [0, 0, 400, 0]
    assert np.count_nonzero(found.wants == ANY) == 800


def test_a_third_is_centred_unless_windows_are_chosen_otherwise() -> None:
    pixels = np.array([[90, 10], [100, 0], [100, 0]])
    usual = draw_of(pixels, per_epoch=30).epoch(0, 0)
    assert usual.rows[usual.wants == 1].tolist() == [0] * 10
    assert sorted(np.bincount(usual.rows[usual.wants == ANY]).tolist()) == [6, 7, 7]
    chosen: list[dict[str, Any]] = [
        {"foreground": 0},
        {"windows": "listed"},
        {"windows": "random"},
        {"balance": "class"},
        {"balance": "objects"},
        {"empty_share": 0.5},
    ]
    for options in chosen:
        assert not np.any(draw_of(pixels, per_epoch=30, **options).epoch(0, 0).wants > 0)
    of_one_class = draw_of(np.array([[100, 0], [100, 0]])).epoch(0, 0)
    assert sorted(of_one_class.rows.tolist()) == [0, 1], "there is nothing to centre on"


@pytest.mark.parametrize("options", [{"foreground": 0.3}, {"empty_share": 0.0}])
def test_a_training_part_without_any_class_is_said(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="the training part has none"):
        draw_of(np.array([[100, 0], [100, 0]]), **options)


class TestBalance:
    def test_by_class_pure_windows_are_met_equally_often(self) -> None:
        pixels = np.repeat(np.diag([100, 100, 100, 0]), [70, 25, 5, 0], axis=0)
        found = draw_of(pixels, balance="class", per_epoch=300).epoch(2, 3)
        assert pixels[found.rows].sum(0).tolist() == [10_000, 10_000, 10_000, 0]

    def test_by_class_the_formula(self) -> None:
        pixels = np.array([[80, 20, 0], [50, 0, 50], [100, 0, 0]])
        expected = [(80 / 230 + 1 + 0) / 3, (50 / 230 + 0 + 1) / 3, 100 / 230 / 3]
        found = draw_of(pixels, balance="class", per_epoch=9000).epoch(0, 0)
        assert np.abs(np.bincount(found.rows, minlength=3) - 9000 * np.array(expected)).max() < 3

    def test_by_objects_without_a_cap_each_number_is_met_equally_often(self) -> None:
        objects = np.repeat([0, 1, 2, 15], [500, 80, 19, 1])
        found = draw_of(mixed(600, 0), objects, balance="objects").epoch(1, 1)
        assert np.bincount(objects[found.rows])[[0, 1, 2, 15]].tolist() == [150, 150, 150, 150]

    def test_by_objects_with_a_cap_as_the_ships_were(self) -> None:
        objects = np.repeat([0, 1, 2, 15], [500, 250, 200, 3])
        draw = draw_of(mixed(953, 0), objects, balance="objects", cap=200)
        assert draw.size == 603
        epochs = [draw.epoch(number, 0).rows for number in range(4)]
        for rows in epochs:
            assert len(set(rows.tolist())) == 603
            assert np.bincount(objects[rows])[[0, 1, 2, 15]].tolist() == [200, 200, 200, 3]
        assert len({tuple(sorted(rows)) for rows in epochs}) == 4
        assert len(set(np.concatenate(epochs).tolist())) > 800

    def test_a_fixed_cap_keeps_its_windows_and_another_seed_has_others(self) -> None:
        objects = np.repeat([0, 1], [500, 30])
        draw = draw_of(mixed(530, 0), objects, balance="objects", cap=50, cap_fixed=True)
        assert {tuple(sorted(draw.epoch(number, 0).rows)) for number in range(3)} == {tuple(sorted(draw.epoch(7, 0).rows))}
        assert sorted(draw.epoch(0, 0).rows) != sorted(draw.epoch(0, 1).rows)
        assert draw.epoch(0, 0).rows.tolist() != draw.epoch(1, 0).rows.tolist()

    def test_with_a_share_of_empty_windows(self) -> None:
        objects = np.repeat([0, 1, 2], [300, 80, 20])
        pixels = np.column_stack([100 - objects, objects])
        draw = draw_of(pixels, objects, balance="objects", cap=40, empty_share=0.25)
        assert draw.size == 80
        assert np.bincount(objects[draw.epoch(0, 0).rows]).tolist() == [20, 40, 20]


@pytest.mark.parametrize(
    "options",
    [{}, {"balance": "class"}, {"balance": "objects"}, {"balance": "objects", "cap": 1000}, {"foreground": 0.3, "empty_share": 0.1}],
    ids=str,
)
def test_large_tables_are_drawn_in_no_time(options: dict[str, Any]) -> None:
    pixels = mixed(200_000, 0.8)
    objects = np.random.default_rng(0).poisson(2, 200_000)
    draw = draw_of(pixels, objects, **options)
    started = time.process_time()
    assert len(draw.epoch(0, 0)) == draw.size
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cap": 200}, "a cap needs balance = 'objects'"),
        ({"windows": "random", "balance": "class"}, "use foreground or empty_share"),
        ({"windows": "listed", "foreground": 0.2}, "set windows = 'jitter' or 'random'"),
        ({"foreground": 0.6, "empty_share": 0.5}, "more than all windows together"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DrawOptions.model_validate(options)
