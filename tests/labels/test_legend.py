"""Encoding and decoding of mask values."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.colors import default_colors, hex_color, parse_color
from terrazzo.labels.legend import IGNORE, NOWHERE, Legend, LegendClass
from terrazzo.labels.raw import NO_BAND, raw_of_color

Remap = dict[int, int]


def legend_of(*values: int, remap: Remap | None = None, threshold: float | None = None, ignore: int | None = IGNORE) -> Legend:
    colors = default_colors(len(values))
    classes = tuple(LegendClass(value=value, name=f"class {value}", color=color) for value, color in zip(values, colors, strict=True))
    return Legend(classes=classes, remap=remap or {}, threshold=threshold, ignore=ignore)


def naive(legend: Legend, raw: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Pixel by pixel, from the definition."""
    out = np.empty(raw.shape, np.uint8)
    for place in np.ndindex(raw.shape):
        value = raw[place].item()
        if legend.ignore is not None and value == legend.ignore:
            out[place] = IGNORE
        else:
            mapped = legend.remap.get(value, value)
            out[place] = IGNORE if mapped == IGNORE else legend.values.index(mapped)
    return out


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "int64", "uint64", "float32", "float64"])
def test_encode_gives_indices_in_the_order_of_the_legend(dtype: str) -> None:
    legend = legend_of(3, 0, 100)
    raw = np.array([[0, 3, 100], [100, 100, 0]], dtype)
    assert legend.encode(raw).tolist() == [[1, 0, 2], [2, 2, 1]]
    assert legend.encode(raw).dtype == np.uint8


@given(
    raw=hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.sampled_from([-1, 0, 1, 2, 7, 255, 70000]))
)
def test_encode_equals_the_definition_for_any_integers(raw: NDArray[np.int64]) -> None:
    legend = legend_of(0, 1, 2, remap={70000: 2, 1: 0, 0: 1, 7: IGNORE, 255: 1}, ignore=-1)
    assert np.array_equal(legend.encode(raw), naive(legend, raw))


@given(raw=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 5, 9, 254, 255])))
def test_bytes_and_wide_types_agree(raw: NDArray[np.uint8]) -> None:
    legend = legend_of(9, 0, 254, remap={5: 0})
    assert np.array_equal(legend.encode(raw), naive(legend, raw))
    assert np.array_equal(legend.encode(raw), legend.encode(raw.astype(np.float32)))


def test_remap_swaps_two_values_at_once() -> None:
    assert legend_of(0, 1, remap={0: 1, 1: 0}).encode(np.array([[0, 1]], np.uint8)).tolist() == [[1, 0]]


def test_ignore_may_be_any_value_or_none() -> None:
    assert legend_of(0, 1, ignore=-1).encode(np.array([[-1, 1]])).tolist() == [[255, 1]]
    assert legend_of(0, 1, ignore=None, remap={255: 1}).encode(np.array([[255, 0]], np.uint8)).tolist() == [[1, 0]]
    with pytest.raises(LabelError, match=r"255 \(1 pixel\)"):
        legend_of(0, 1, ignore=None).encode(np.array([[255, 0]], np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_values_outside_are_named_with_their_counts(dtype: str) -> None:
    with pytest.raises(LabelError, match=r"7 \(2 pixels\), 9 \(1 pixel\); the legend has 0, 1"):
        legend_of(0, 1).encode(np.array([[7, 7, 9], [0, 1, 1]], dtype))


def test_pixels_that_are_not_valid_are_left_out_unseen() -> None:
    raw = np.array([[0, 77], [1, 1]], np.uint8)
    valid = np.array([[True, False], [True, True]])
    for dtype in (np.uint8, np.int32):
        assert legend_of(0, 1).encode(raw.astype(dtype), valid).tolist() == [[0, 255], [1, 1]]


def test_nan_is_left_out_and_fractions_are_refused() -> None:
    assert legend_of(0, 1).encode(np.array([[np.nan, 1.0]])).tolist() == [[255, 1]]
    with pytest.raises(LabelError, match=r"0\.5"):
        legend_of(0, 1).encode(np.array([[0.5, 1.0]]))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_threshold_is_exclusive_and_takes_any_grey(dtype: str) -> None:
    raw = np.arange(100, 128).astype(dtype).reshape(4, 7)
    expected = (raw > 113).astype(np.uint8)
    expected[raw == 100] = IGNORE
    assert np.array_equal(legend_of(0, 1, threshold=113, ignore=100).encode(raw), expected)


def test_threshold_between_floats_leaves_nan_out() -> None:
    legend = legend_of(0, 1, threshold=0.3, ignore=None)
    assert legend.encode(np.array([[0.29, 0.31, np.nan, np.inf]], np.float32)).tolist() == [[0, 1, 255, 1]]


def test_booleans_are_zero_and_one() -> None:
    assert legend_of(0, 1).encode(np.array([[True, False]])).tolist() == [[1, 0]]


def test_empty_arrays_are_fine() -> None:
    assert legend_of(0, 1).encode(np.empty((0, 3), np.int32)).shape == (0, 3)


def test_decode_is_the_inverse() -> None:
    legend = legend_of(9, 0, 254)
    indices = np.array([[0, 1, 2, 255]], np.uint8)
    assert legend.decode(indices).tolist() == [[9, 0, 254, 255]]
    assert np.array_equal(legend.encode(legend.decode(indices)), indices)


def test_as_many_classes_as_a_byte_can_hold() -> None:
    legend = legend_of(*range(255))
    raw = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(legend.encode(raw), raw)
    assert np.array_equal(legend.decode(raw), raw)
    assert len(set(legend.colors)) > 200


def test_json_gives_the_legend_back() -> None:
    legend = Legend(
        classes=(LegendClass(value=0, name="sea, 'deep' <b>", color=(0, 10, 255)), LegendClass(value=4, name="Ufer ö 🌊", color=(1, 2, 3))),
        remap={255: 4, -1: 255},
        ignore=None,
    )
    assert Legend.from_json(legend.to_json()) == legend
    assert "\n" not in legend.to_json()
    grey = legend_of(0, 1, threshold=12.5, ignore=3)
    assert Legend.from_json(grey.to_json()) == grey
    other = replace(legend, aliases={"mer": 0, "void": IGNORE}, snap=True, encoding="instances")
    assert Legend.from_json(other.to_json()) == other


def test_json_of_versions_that_knew_less_is_read() -> None:
    older = json.loads(legend_of(0, 1).to_json())
    for name in ("aliases", "snap", "encoding"):
        del older[name]
    assert Legend.from_json(json.dumps(older)) == legend_of(0, 1)


class TestIndexOf:
    LEGEND = Legend(
        classes=tuple(LegendClass(value=value, name=name, color=(0, 0, 0)) for value, name in ((0, "Sea"), (5, "land"), (7, "Land"))),
        remap={90: 5, 91: IGNORE},
        aliases={"mer": 0, "Mer": 0, "void": IGNORE},
    )

    @pytest.mark.parametrize(
        ("key", "index"),
        [
            (0, 0),
            (5.0, 1),
            (90, 1),
            (91, IGNORE),
            (255, IGNORE),
            (math.nan, IGNORE),
            (6, None),
            (0.5, None),
            ("Sea", 0),
            ("sea", 0),
            ("land", 1),
            ("Land", 2),
            ("LAND", None),
            ("mer", 0),
            ("MER", 0),
            ("void", IGNORE),
            ("5", 1),
            ("6", None),
            ("", None),
            ("lan", None),
        ],
    )
    def test_takes_values_names_and_aliases(self, key: str | float, index: int | None) -> None:
        assert self.LEGEND.index_of(key) == index

    def test_a_text_is_a_number_only_where_no_name_is(self) -> None:
        names = Legend(classes=tuple(LegendClass(value=value, name=str(value + 1), color=(0, 0, 0)) for value in range(2)))
        assert [names.index_of(key) for key in ("0", "1", "2", "3")] == [None, 0, 1, None]

    def test_background_is_the_value_0(self) -> None:
        assert legend_of(3, 0).background == 1
        assert legend_of(3, 0, ignore=0).background == IGNORE
        assert legend_of(3, 4).background == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"classes": []}',
        '{"classes": 3}',
        '{"classes": [{"value": 300, "name": "a", "color": "#000000"}]}',
        '{"classes": [{"value": 0, "name": "a", "color": "red"}]}',
        json.dumps({"classes": [{"value": 0, "name": name, "color": "#000000"} for name in "ab"]}),
        '{"classes": [{"value": 0, "name": "a", "color": "#000000"}], "aliases": {"b": 3}}',
        '{"classes": [{"value": 0, "name": "a", "color": "#000000"}], "encoding": "runes"}',
    ],
)
def test_what_is_no_legend_is_refused(text: str) -> None:
    with pytest.raises(LabelError):
        Legend.from_json(text)


def test_plain_legend_reads_maps_that_hold_class_values() -> None:
    legend = legend_of(0, 7, remap={0: 7, 7: 0}, ignore=None)
    assert legend.plain().encode(np.array([[0, 7, 255]], np.uint8)).tolist() == [[0, 1, 255]]


def test_colors_go_to_text_and_back() -> None:
    for color in default_colors(40):
        assert parse_color(hex_color(color)) == color
    with pytest.raises(ValueError, match="#rrggbb"):
        parse_color("#12345")


class TestSnap:
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32"])
    def test_takes_the_nearest_value_the_lower_one_of_two(self, dtype: str) -> None:
        legend = replace(legend_of(0, 100, 200), snap=True)
        raw = np.array([[0, 49, 50, 51, 100], [150, 151, 200, 227, 228]], dtype)
        expected = [[0, 0, 0, 1, 1], [1, 2, 2, 2, IGNORE]]
        assert legend.encode(raw).tolist() == expected

    def test_without_an_ignore_value_white_is_the_brightest_class(self) -> None:
        assert replace(legend_of(0, 200, ignore=None), snap=True).encode(np.array([[255, 240, 99]], np.uint8)).tolist() == [[1, 1, 0]]

    def test_class_values_that_a_remap_leads_to_are_no_raw_values(self) -> None:
        legend = replace(legend_of(0, 1, 2, remap={126: 1, 255: 2}, ignore=None), snap=True)
        assert [legend.index(raw) for raw in (0, 1, 2, 63, 64, 126, 190, 191, 255)] == [0, 0, 0, 0, 1, 1, 1, 2, 2]

    def test_all_values_at_once_where_a_remap_swaps_them(self) -> None:
        legend = replace(legend_of(0, 1, remap={0: 1, 255: 0}, ignore=None), snap=True)
        assert legend.encode(np.array([[0, 3, 127, 128, 250, 255]], np.uint8)).tolist() == [[1, 1, 1, 0, 0, 0]]

    def test_nan_stays_out(self) -> None:
        assert replace(legend_of(0, 1), snap=True).encode(np.array([[np.nan, 0.7]])).tolist() == [[IGNORE, 1]]

    def test_fractions_go_to_the_nearest(self) -> None:
        assert replace(legend_of(0, 1, 2), snap=True).encode(np.array([[0.2, 0.6, 1.4, 1.6]])).tolist() == [[0, 1, 1, 2]]


RED, GREEN, BLUE = (raw_of_color(color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


class TestColors:
    LEGEND = replace(legend_of(0, 1, remap={RED: 0, BLUE: 1}, ignore=None), encoding="colors")

    def test_have_a_class_by_remap_only(self) -> None:
        assert self.LEGEND.encode(np.array([[RED, BLUE], [BLUE, BLUE]])).tolist() == [[0, 1], [1, 1]]
        assert [self.LEGEND.index(raw) for raw in (0, 1, 255)] == [None, None, None]

    def test_outside_the_legend_are_named_as_colors(self) -> None:
        with pytest.raises(LabelError, match=r"'#00ff00' \(2 pixels\); the legend has '#0000ff', '#ff0000'"):
            self.LEGEND.encode(np.array([[RED, GREEN], [BLUE, GREEN]]))

    def test_snap_takes_the_nearest_color(self) -> None:
        colors = np.random.default_rng(5).integers(0, 256, (40, 3))
        raw = np.array([raw_of_color((int(red), int(green), int(blue))) for red, green, blue in colors])
        found = replace(self.LEGEND, snap=True).encode(raw.reshape(5, 8)).ravel()
        distances = [((colors - color) ** 2).sum(1) for color in ((255, 0, 0), (0, 0, 255))]
        assert np.array_equal(found, distances[1] < distances[0])


def test_bands_have_a_class_by_remap_only() -> None:
    legend = replace(legend_of(5, 6, remap={0: 5, 1: 6, NO_BAND: IGNORE}, ignore=None), encoding="onehot")
    assert legend.encode(np.array([[0, 1, NO_BAND]], np.int16)).tolist() == [[0, 1, IGNORE]]
    with pytest.raises(LabelError, match=r"2 \(1 pixel\); the legend has 0, 1\."):
        legend.encode(np.array([[2, 1]], np.int16))
    with pytest.raises(LabelError, match=r"no band \(1 pixel\)"):
        replace(legend, remap={0: 5, 1: 6}).encode(np.array([[0, NO_BAND]], np.int16))


class TestInstances:
    LEGEND = replace(legend_of(0, 1, ignore=None), encoding="instances")

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "float64"])
    def test_every_number_above_0_is_the_second_class(self, dtype: str) -> None:
        raw = np.array([[0, 1, 7], [255, 0, 200]], dtype)
        assert self.LEGEND.encode(raw).tolist() == [[0, 1, 1], [1, 0, 1]]

    @pytest.mark.parametrize(("ignore", "expected"), [(65535, [0, 1, 1, IGNORE]), (1, [0, IGNORE, 1, 1]), (0, [IGNORE, 1, 1, 1])])
    def test_the_ignore_value_is_left_out(self, ignore: int, expected: list[int]) -> None:
        assert replace(self.LEGEND, ignore=ignore).encode(np.array([[0, 1, 9, 65535]], np.uint16)).tolist() == [expected]

    def test_negative_numbers_and_fractions_are_refused(self) -> None:
        with pytest.raises(LabelError, match=r"-3 \(1 pixel\)"):
            self.LEGEND.encode(np.array([[-3, 5]], np.int32))
        with pytest.raises(LabelError, match=r"0\.5 \(1 pixel\)"):
            self.LEGEND.encode(np.array([[0.5, 5]]))


class TestUnsure:
    def legend(self, *values: int) -> Legend:
        return Legend(classes=tuple(LegendClass(value=value, name=f"c{value}", color=(value, 0, 0)) for value in values))

    def test_has_the_highest_free_value_is_no_class_and_is_left_out_when_read_again(self) -> None:
        legend = self.legend(3, 254).with_unsure()
        assert [(entry.value, entry.name) for entry in legend.shown] == [(3, "c3"), (254, "c254"), (253, "unsure")]
        values = np.array([[3, 254, 253, 255]], np.uint8)
        assert legend.decode(np.array([[0, 1, 2, 255]], np.uint8)).tolist() == values.tolist()
        assert legend.plain().encode(values).tolist() == [[0, 1, 255, 255]]
        assert legend.plain().encode(values.astype(np.int16)).tolist() == [[0, 1, 255, 255]]
        assert Legend.from_json(legend.to_json()) == legend
        assert "unsure" not in self.legend(3, 254).to_json()

    def test_needs_a_free_value_and_its_name(self) -> None:
        with pytest.raises(LabelError, match="has all values from 0 to 254; what is unsure cannot be told apart"):
            self.legend(*range(255)).with_unsure()
        named = Legend(classes=(LegendClass(value=0, name="a", color=(0, 0, 0)), LegendClass(value=1, name="unsure", color=(0, 0, 0))))
        with pytest.raises(LabelError, match="has a class 'unsure' already"):
            named.with_unsure()


class TestAgainstRest:
    @given(
        raw=hnp.arrays(
            np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.sampled_from([-1, 0, 3, 7, 9, 255, 70000])
        ),
        target=st.integers(0, 2),
        snap=st.booleans(),
    )
    def test_is_the_legend_with_all_other_classes_as_one(self, raw: NDArray[np.int64], target: int, *, snap: bool) -> None:
        legend = replace(legend_of(0, 3, 7, remap={70000: 3, 9: IGNORE, 255: 7}, ignore=-1), snap=snap)
        before = legend.encode(raw)
        found = legend.against_rest(f"class {legend.values[target]}").encode(raw)
        assert np.array_equal(found, np.where(before == IGNORE, IGNORE, before == target))

    @pytest.mark.parametrize("raw", [0, 1, 5])
    def test_values_outside_the_legend_stay_outside(self, raw: int) -> None:
        assert legend_of(3, 4).against_rest("class 3").index(raw) is None

    def test_keeps_what_is_left_out_by_name_value_and_color(self) -> None:
        legend = replace(legend_of(0, 1, 2), aliases={"void": IGNORE, "boat": 2})
        one = legend.against_rest("class 2")
        assert [(entry.value, entry.name) for entry in one.classes] == [(0, "not class 2"), (1, "class 2")]
        assert one.colors == (legend.colors[0], legend.colors[2])
        found = [one.index_of(key) for key in ("class 0", "class 1", "class 2", "boat", "void", 1, 2, 255, 9, "kite")]
        assert found == [0, 0, 1, 1, IGNORE, 0, 1, IGNORE, None, None]
        assert one.background == 0
        assert Legend.from_json(one.to_json()) == one

    @pytest.mark.parametrize(("name", "expected"), [("class 4", [[1, 1, 0, 255]]), ("class 9", [[0, 0, 1, 255]])])
    def test_of_a_threshold_may_be_the_dark_class(self, name: str, expected: list[list[int]]) -> None:
        legend = legend_of(4, 9, threshold=100, ignore=7).against_rest(name)
        for dtype in ("uint8", "float32"):
            assert legend.encode(np.array([[0, 100, 101, 7]], dtype)).tolist() == expected

    def test_of_colors_and_bands(self) -> None:
        assert TestColors.LEGEND.against_rest("class 0").encode(np.array([[RED, BLUE]])).tolist() == [[1, 0]]
        assert TestInstances.LEGEND.against_rest("class 1").encode(np.array([[0, 300]])).tolist() == [[0, 1]]

    def test_an_unknown_class_is_refused(self) -> None:
        with pytest.raises(LabelError, match=r"no class 'ship'; classes are class 0, class 1"):
            legend_of(0, 1).against_rest("ship")


def test_knows_values_of_classes_by_themselves() -> None:
    legend = legend_of(0, 5, remap={9: 5, 8: IGNORE})
    assert [legend.knows(raw) for raw in (0, 5, 9, 8, 255, 6)] == [True, True, True, False, False, False]
    assert not replace(legend, snap=True).knows(-9999)
    assert not legend_of(0, 1, threshold=3).knows(0)
    assert NOWHERE not in replace(legend, remap={5: NOWHERE}).reached
