"""Bit sets of classes that overlap."""

import numpy as np
import pytest

from terrazzo.errors import LabelError
from terrazzo.labels.bits import class_pixels, members, mixed, plane_of, set_names, to_bits, to_planes
from terrazzo.labels.legend import Legend, LegendClass

RNG = np.random.default_rng(3)
PLANES = RNG.random((3, 5, 7)) < 0.4
LEFT_OUT = RNG.random((5, 7)) < 0.2


def legend(*names: str, values: range | None = None, ignore: int | None = 255) -> Legend:
    given = values or range(1, len(names) + 1)
    classes = tuple(LegendClass(value=value, name=name, color=(10 * value, 0, 0)) for value, name in zip(given, names, strict=True))
    return Legend(classes=classes, ignore=ignore, encoding="multihot")


def test_planes_come_back() -> None:
    bits = to_bits(PLANES, LEFT_OUT)
    expected = np.where(LEFT_OUT, 255, PLANES)
    np.testing.assert_array_equal(to_planes(bits, 3), expected)
    np.testing.assert_array_equal(plane_of(bits, 1), expected[1])
    assert bits[~LEFT_OUT].max() < 8


def test_every_set_is_its_own_members() -> None:
    held = members(3)
    assert held.shape == (3, 8)
    np.testing.assert_array_equal((1 << np.arange(3)) @ held, np.arange(8))
    assert set_names(["a", "b"]) == ["no class", "a", "b", "a + b"]
    assert mixed(((200, 0, 0), (0, 100, 0))) == [(0, 0, 0), (200, 0, 0), (0, 100, 0), (100, 50, 0)]


def test_pixels_of_a_class_are_those_of_all_sets_that_hold_it() -> None:
    np.testing.assert_array_equal(class_pixels(to_bits(PLANES, LEFT_OUT), 3), (PLANES & ~LEFT_OUT).sum((1, 2)))


class TestTheLegend:
    def test_reads_what_it_writes(self) -> None:
        found = legend("roof", "tree", "wire")
        bits = to_bits(PLANES, LEFT_OUT)
        np.testing.assert_array_equal(found.encode(found.decode(bits)), bits)
        assert Legend.from_json(found.to_json()) == found
        assert found.plain().overlapping
        assert found.sets.names[5] == "roof + wire"
        assert found.sets.values == tuple(range(8))

    def test_white_is_a_class_unless_it_is_left_out(self) -> None:
        raw = np.array([[[255, 0]], [[1, 0]]])
        assert legend("a", "b", ignore=None).encode(raw).tolist() == [[3, 0]]
        assert legend("a", "b").encode(raw).tolist() == [[255, 0]]

    def test_pixels_that_are_not_valid_may_hold_anything(self) -> None:
        raw = np.array([[[9.0, 1.0]], [[np.nan, 0.0]]])
        assert legend("a", "b").encode(raw, np.array([[False, True]])).tolist() == [[255, 1]]

    def test_other_values_are_refused(self) -> None:
        with pytest.raises(LabelError, match=r"outside the legend: 7 \(2 pixels\)"):
            legend("a", "b").encode(np.array([[[7, 7]], [[1, 0]]]))
        with pytest.raises(LabelError, match=r"3 bands; of classes that overlap each has its own, 2 altogether"):
            legend("a", "b").encode(np.zeros((3, 1, 1), np.uint8))

    def test_one_class_stands_against_the_rest(self) -> None:
        alone = legend("roof", "tree").alone("tree")
        assert [alone.index_of(key) for key in ("tree", "roof", 2, 1, 255, "dog", 0)] == [1, 0, 1, 0, 255, None, None]

    def test_a_text_of_too_many_classes_is_refused(self) -> None:
        names = [str(number) for number in range(8)]
        with pytest.raises(LabelError, match="At most 7 classes can overlap"):
            Legend.from_json(legend(*names).to_json())
