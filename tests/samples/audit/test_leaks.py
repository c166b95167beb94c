"""The audit finds every leak, and only leaks."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.samples.audit.leaks import find_leaks, leak_sentence
from terrazzo.samples.overlaps import Overlaps, UnionFind, components
from terrazzo.samples.table import Samples

MakeSamples = Callable[..., Samples]
Pairs = Callable[[Samples], list[tuple[int, int]]]


def with_split(samples: Samples, parts: Sequence[str | None]) -> Samples:
    samples.frame["split"] = pd.Series(list(parts), dtype=object)
    return samples


def test_windows_that_overlap_within_an_image_leak(make_samples: MakeSamples) -> None:
    samples = with_split(make_samples({"a": (10, 25)}), ["train", "train", "validation"])
    (leak,) = find_leaks(samples)
    assert (leak.kind, leak.a, leak.b) == ("ground", "a", "a")
    assert "1 pair of windows such as samples 1 and 2" in leak.detail


def test_windows_that_touch_do_not(make_samples: MakeSamples) -> None:
    for origins in (None, {"a": (0.3, 0.7)}):
        assert not find_leaks(with_split(make_samples({"a": (10, 30)}, origins=origins), ["train", "validation", "test"]))


def test_windows_without_a_part_do_not(make_samples: MakeSamples) -> None:
    assert not find_leaks(with_split(make_samples({"a": (10, 25)}), ["train", None, "validation"]))


def test_the_same_bytes_on_two_sides_leak(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (10, 10), "copy": (10, 10), "c": (10, 10)}, digests={"a": "x", "copy": "x"})
    (leak,) = find_leaks(with_split(samples, ["train", "test", "validation"]))
    assert (leak.kind, leak.a, leak.b) == ("bytes", "a", "copy")


def test_the_same_ground_in_two_images_leaks(make_samples: MakeSamples) -> None:
    scenes = {"a": (10, 10), "b": (10, 10), "c": (10, 10)}
    origins = {"a": (0.0, 0.0), "b": (9.0, 0.0), "c": (19.0, 0.0)}
    leaks = find_leaks(with_split(make_samples(scenes, origins=origins), ["validation", "train", "test"]))
    assert [(leak.kind, leak.a, leak.b) for leak in leaks] == [("ground", "b", "a")]


def test_less_than_half_a_pixel_of_shared_ground_is_rounding(make_samples: MakeSamples) -> None:
    for shift, leaks in ((9.97, 0), (9.9, 1)):
        origins = {"a": (0.0, 0.0), "b": (shift, 0.0)}
        samples = with_split(make_samples({"a": (10, 10), "b": (10, 10)}, origins=origins), ["train", "validation"])
        assert len(find_leaks(samples)) == leaks


def test_images_without_crs_are_never_compared(make_samples: MakeSamples) -> None:
    assert not find_leaks(with_split(make_samples({"a": (10, 10), "b": (10, 10)}), ["train", "validation"]))


def test_images_without_footprint_are_left_alone(make_samples: MakeSamples) -> None:
    samples = make_samples({"a": (10, 10), "b": (10, 10)}, origins={"a": (0.0, 0.0), "b": (0.0, 0.0)})
    samples.frame.geometry = [samples.frame.geometry[0], None]
    assert not find_leaks(with_split(samples, ["train", "validation"]))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equals_looking_at_every_pair(make_samples: MakeSamples, overlapping_pairs: Pairs, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = make_samples({"a": (25, 33), "b": (8, 40), "copy": (25, 33)}, size=(10, 9), overlap_px=4, digests={"a": "x", "copy": "x"})
    parts = rng.choice(np.array(["train", "validation", "test", None], object), len(samples), p=[0.5, 0.2, 0.1, 0.2])
    with_split(samples, parts.tolist())
    scenes = samples.frame["scene"].to_list()
    expected = {frozenset((scenes[first], scenes[second])) for first, second in overlapping_pairs(samples)}
    assert {frozenset((leak.a, leak.b)) for leak in find_leaks(samples)} == expected


def test_the_sentence_names_a_few_pairs(make_samples: MakeSamples) -> None:
    samples = make_samples({f"s{number}": (10, 10) for number in range(8)}, digests={f"s{number}": "x" for number in range(8)})
    leaks = find_leaks(with_split(samples, ["train"] * 7 + ["validation"]))
    sentence = leak_sentence(leaks)
    assert "7 pairs of scenes" in sentence
    assert "s0 and s7: the same image bytes in train and validation" in sentence
    assert "and 2 more" in sentence


class TestGroups:
    def test_components_equal_a_naive_walk(self, rng: np.random.Generator) -> None:
        edges = rng.integers(0, 60, (45, 2))
        labels = components(60, iter([(edges[:20, 0], edges[:20, 1]), (edges[20:, 0], edges[20:, 1])]))
        expected = np.arange(60)
        for _ in range(60):
            for first, second in edges:
                expected[[first, second]] = expected[[first, second]].min()
        assert np.array_equal(labels, np.unique(expected, return_inverse=True)[1])

    def test_nothing_joined_is_each_its_own(self) -> None:
        assert UnionFind(4).labels().tolist() == [0, 1, 2, 3]

    def test_pairs_come_in_chunks(self, make_samples: MakeSamples, monkeypatch: pytest.MonkeyPatch) -> None:
        samples = make_samples({"a": (40, 40)}, overlap_px=5)
        rows = np.arange(len(samples))
        whole = {
            tuple(pair) for mine, theirs in Overlaps(samples).pairs(rows, rows) for pair in zip(mine.tolist(), theirs.tolist(), strict=True)
        }
        monkeypatch.setattr("terrazzo.samples.overlaps.CHUNK", 3)
        pieces = [pair for mine, theirs in Overlaps(samples).pairs(rows, rows) for pair in zip(mine.tolist(), theirs.tolist(), strict=True)]
        assert set(pieces) == whole
        assert len(pieces) == len(whole)
