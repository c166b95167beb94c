"""Where drawn windows lie: inside the scene, off held-out ground, around what was asked for."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.draw.epoch import EMPTY, FILLED, Drawn
from terrazzo.samples.draw.place import Placer, listed_windows
from terrazzo.samples.ground import HeldOut, Rectangles
from terrazzo.samples.options import WindowRule
from terrazzo.samples.rows import Sample


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """One scene, its labels in memory."""

    truth: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((40, 56), np.uint8))

    def shape(self, scene: str) -> Shape:
        height, width = self.truth.shape
        return height, width

    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]:
        return self.truth[window.slices]


def placer(rule: WindowRule, **options: Any) -> Placer:
    return Placer(**{"source": Scenery(), "size": (16, 16), "seed": 7, "rule": rule, **options})


def sample(col_off: int = 20, row_off: int = 12, side: int = 16, number: int = 3) -> Sample:
    return Sample(id=number, scene="a", window=Window(col_off=col_off, row_off=row_off, width=side, height=side))


def places(placer: Placer, sample: Sample, epochs: int, want: int = -1) -> list[Window]:
    return [placer.place(Drawn(sample=sample, want=want), epoch).window for epoch in range(epochs)]


def corners(windows: list[Window]) -> NDArray[np.int64]:
    return np.array([(window.col_off, window.row_off) for window in windows])


def test_listed_windows_stay() -> None:
    assert set(places(placer("listed"), sample(), 20)) == {sample().window}


@pytest.mark.parametrize("rule", ["jitter", "random"])
def test_a_place_is_a_function_of_seed_epoch_sample_and_repeat(rule: WindowRule) -> None:
    place = placer(rule).place
    first = place(Drawn(sample=sample()), 5)
    assert place(Drawn(sample=sample()), 5) == first
    others = [
        place(Drawn(sample=sample()), 6),
        place(Drawn(sample=sample(), repeat=1), 5),
        place(Drawn(sample=sample(number=4)), 5),
        replace(placer(rule), seed=8).place(Drawn(sample=sample()), 5),
    ]
    assert first.window not in [other.window for other in others]


def test_jitter_moves_by_half_a_window_at_most_and_stays_inside() -> None:
    found = corners(places(placer("jitter"), sample(), 300))
    assert found.min(axis=0).tolist() == [12, 4]
    assert found.max(axis=0).tolist() == [28, 20]
    corner = corners(places(placer("jitter"), sample(40, 24), 100))
    assert corner.max(axis=0).tolist() == [40, 24]


def test_random_windows_are_uniform_with_both_ends_included() -> None:
    """41 columns and 25 rows: each is met as often as chance allows, the first and the last too (R1)."""
    count = 6000
    found = corners(places(placer("random"), sample(), count))
    for axis, ends in ((0, 41), (1, 25)):
        met = np.bincount(found[:, axis], minlength=ends)
        assert len(met) == ends
        assert np.abs(met - count / ends).max() < 5 * np.sqrt(count / ends)


def test_random_windows_are_of_full_size_whatever_the_listed_one() -> None:
    assert {window.shape for window in places(placer("random"), sample(side=5), 10)} == {(16, 16)}
    small = placer("random", source=Scenery(truth=np.zeros((9, 30), np.uint8)))
    found = places(small, sample(0, 0, 9), 200)
    assert {window.shape for window in found} == {(9, 16)}
    assert {window.row_off for window in found} == {0}
    assert {window.col_off for window in found} == set(range(15))


rectangles = st.lists(
    st.builds(Window, col_off=st.integers(0, 55), row_off=st.integers(0, 39), width=st.integers(1, 30), height=st.integers(1, 30)),
    max_size=5,
)


@given(held=rectangles, rule=st.sampled_from(["jitter", "random"]), want=st.sampled_from([-1, 1, EMPTY, FILLED]), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_no_window_touches_held_out_ground_or_leaves_the_scene(held: list[Window], rule: WindowRule, want: int, seed: int) -> None:
    truth = (np.random.default_rng(seed).random((40, 56)) < 0.02).astype(np.uint8)
    held_out = HeldOut(rectangles={"a": Rectangles.of(held)})
    listed = [Window(col_off=col, row_off=row, width=9, height=9) for col in range(0, 48, 5) for row in range(0, 32, 5)]
    free = [window for window in listed if not held_out.touches("a", window)]
    drawing = placer(rule, source=Scenery(truth=truth), held_out=held_out, size=(9, 9), seed=seed)
    for number, window in enumerate(free[:12]):
        (found,) = places(drawing, Sample(id=number, scene="a", window=window), 1, want)
        assert found.intersection(whole((40, 56))) == found
        assert not any(found.intersection(other) for other in held)


def test_random_windows_fill_the_ground_beside_the_held_out() -> None:
    held_out = HeldOut(rectangles={"a": Rectangles.of([Window(col_off=0, row_off=0, width=20, height=40)])})
    found = corners(places(placer("random", held_out=held_out), sample(), 1000))
    assert found[:, 0].min() == 20
    assert found[:, 0].max() == 40


def test_where_nothing_is_free_the_listed_window_is_taken() -> None:
    everywhere = HeldOut(rectangles={}, everywhere=frozenset({"a"}))
    assert set(places(placer("random", held_out=everywhere), sample(), 20)) == {sample().window}
    crowded = HeldOut(rectangles={"a": Rectangles.of([Window(col_off=0, row_off=0, width=4, height=40), whole((40, 56))])})
    assert set(places(placer("jitter", held_out=crowded), sample(), 20)) == {sample().window}


def test_random_windows_keep_to_ground_that_the_table_lists() -> None:
    """Only the left half has labels, so only windows there are listed; the middle of a random one lies in one of them."""
    listed = {"a": Rectangles.of([Window(col_off=0, row_off=0, width=28, height=40)])}
    found = corners(places(placer("random", listed=listed), sample(0, 0), 800))
    assert found[:, 0].min() == 0
    assert 15 < found[:, 0].max() < 28 - 8 + 1


def test_the_table_lists_windows_of_all_parts(make_samples: Any) -> None:
    samples = make_samples({"a": (10, 30), "b": (10, 10)})
    samples.frame["split"] = ["train", None, "validation", "train"]
    listed = listed_windows(samples)
    assert {scene: rectangles.edges.shape[1] for scene, rectangles in listed.items()} == {"a": 3, "b": 1}


def test_centred_windows_have_a_pixel_of_their_class_in_the_middle() -> None:
    truth = np.zeros((40, 56), np.uint8)
    truth[15:25, 24:30] = 1
    truth[13, 21] = 2
    drawing = placer("jitter", source=Scenery(truth=truth))
    for index, pixels in ((1, 60), (2, 1)):
        found = places(drawing, sample(), 600, want=index)
        centres = Counter((window.row_off + 8, window.col_off + 8) for window in found)
        assert all(truth[centre] == index for centre in centres)
        assert len(centres) == pixels
        assert max(centres.values()) < 600 / pixels + 6 * np.sqrt(600 / pixels)


def test_centred_windows_at_the_edge_stay_inside() -> None:
    truth = np.zeros((40, 56), np.uint8)
    truth[0, 0] = 1
    assert set(places(placer("jitter", source=Scenery(truth=truth)), sample(0, 0), 5, want=1)) == {sample(0, 0).window}


def test_windows_hold_what_was_asked_for() -> None:
    """One object of four pixels in a wide scene, which most random windows miss (R8)."""
    truth = np.zeros((80, 90), np.uint8)
    truth[40:42, 50:52] = 1
    truth[:10] = 255
    drawing = placer("random", source=Scenery(truth=truth))
    around, away = sample(44, 34), sample(0, 60)
    filled = places(drawing, around, 200, want=FILLED)
    assert all((truth[window.slices] == 1).any() for window in filled)
    assert len(set(filled)) > 60
    assert not any((truth[window.slices] == 1).any() for window in places(drawing, away, 100, want=EMPTY))
    share = np.mean([(truth[window.slices] == 1).any() for window in places(drawing, around, 200)])
    assert share < 0.15
