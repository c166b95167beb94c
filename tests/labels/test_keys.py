"""The legend of labels that name their classes: polygons, runs, annotations, rules."""

import logging
import math
from typing import Any

import pytest

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.keys import resolve_keys
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions


def resolved(keys: dict[str | float, int], **options: Any) -> Legend:
    return resolve_keys(LegendOptions(**options), keys, "polygons of a.gpkg")


class TestWithoutKeys:
    def test_everything_is_an_object(self) -> None:
        legend = resolved({})
        assert (legend.names, legend.background, legend.index_of(1), legend.index_of("object")) == (("background", "object"), 0, 1, 1)

    def test_two_names_and_values_are_obeyed(self) -> None:
        legend = resolved({}, classes=["land", "roof"], values=[3, 7], colors=["#000000", "#ff0000"])
        assert (legend.names, legend.values, legend.background, legend.index_of(1)) == (("land", "roof"), (3, 7), 0, 1)

    def test_other_numbers_of_classes_ask_for_the_attribute(self) -> None:
        with pytest.raises(RecipeError, match=r"3 classes, but nothing says which polygons of a\.gpkg.*attribute"):
            resolved({}, classes=["a", "b", "c"])
        with pytest.raises(RecipeError, match="remap has no values to map"):
            resolved({}, remap={1: 0})

    def test_leaving_out_what_is_not_labelled_leaves_one_class(self) -> None:
        with pytest.raises(RecipeError, match="fewer than two classes"):
            resolved({}, ignore=0)


class TestNames:
    def test_are_classes_in_their_order_over_a_background(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        legend = resolved({"water": 4, "Roof": 2, "ärge": 1})
        assert legend.names == ("background", "Roof", "water", "ärge")
        assert [legend.index_of(name) for name in ("roof", "water", "ärge", "Background")] == [1, 2, 3, 0]
        assert "0 background, 1 Roof, 2 water" in caplog.text

    def test_may_name_the_background_themselves(self) -> None:
        assert resolved({"water": 4, "Background": 2}).names == ("Background", "water")

    def test_that_are_numbers_are_values(self) -> None:
        legend = resolved({"10": 4, "2": 2})
        assert (legend.values, legend.index_of("10"), legend.index_of("2")) == ((0, 2, 10), 2, 1)
        named = resolved({"1": 4}, classes=["land", "roof"])
        assert named.index_of("1") == 1

    def test_must_be_those_of_the_legend(self) -> None:
        legend = resolved({"Water": 4}, classes=["land", "roof", "water"])
        assert (legend.index_of("Water"), legend.background) == (2, 0)
        with pytest.raises(LabelError, match=r"'rooof' \(9\), 'tree' \(2\). The legend has land \(0\), roof \(1\). Did you mean 'roof'\?"):
            resolved({"tree": 2, "rooof": 9, "roof": 1}, classes=["land", "roof"])

    def test_may_have_values(self) -> None:
        legend = resolved({"roof": 4}, classes=["land", "roof"], values=[0, 9])
        assert (legend.index_of("roof"), legend.index_of(9)) == (1, 1)
        with pytest.raises(RecipeError, match="values and no classes"):
            resolved({"roof": 4}, values=[0, 9])

    def test_may_be_left_out_or_merged(self) -> None:
        legend = resolved({"roof": 4, "void": 1, "shed": 2}, classes=["land", "roof", "void", "shed"], ignore=2, remap={3: 1})
        assert legend.names == ("land", "roof")
        assert [legend.index_of(name) for name in ("land", "roof", "void", "shed")] == [0, 1, IGNORE, 1]

    def test_pixels_that_nothing_covers_need_a_class_or_are_left_out(self) -> None:
        with pytest.raises(RecipeError, match=r"no class of the value 0.*ignore = 0"):
            resolved({"roof": 4, "land": 2}, classes=["land", "roof"], values=[1, 2])
        assert resolved({"roof": 4, "land": 2}, classes=["land", "roof"], values=[1, 2], ignore=0).background == IGNORE

    def test_a_target_is_one_against_the_rest(self) -> None:
        legend = resolved({"roof": 4, "water": 2}, target="water")
        assert (legend.names, [legend.index_of(name) for name in ("roof", "water", "background")]) == (("not water", "water"), [0, 1, 0])
        with pytest.raises(RecipeError, match=r"target is 'watter'.*'water'\?"):
            resolved({"roof": 4, "water": 2}, target="watter")

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"roof": 4, " ": 3}, "3 have an empty class"),
            ({"roof": 4, 2.0: 3}, r"as numbers \(2 \(3\)\) and as names \('roof' \(4\)\)"),
            ({f"parcel {number}": 1 for number in range(300)}, "300 different classes.*right attribute"),
            ({"Background": 4}, "fewer than two|one class|background"),
        ],
    )
    def test_that_make_no_legend_are_refused(self, keys: dict[str | float, int], words: str) -> None:
        with pytest.raises((LabelError, RecipeError), match=words):
            resolved(keys)

    def test_a_class_that_nothing_has_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        resolved({"roof": 4}, classes=["land", "roof", "tree"])
        assert "No polygons of a.gpkg have the class tree." in caplog.text

    def test_labels_of_the_background_only_are_refused(self) -> None:
        with pytest.raises(LabelError, match=r"All polygons of a\.gpkg are of the background.*'land' \(4\)"):
            resolved({"land": 4}, classes=["land", "roof"])


class TestNumbers:
    def test_are_values_of_masks_and_0_is_the_background(self) -> None:
        legend = resolved({5.0: 2, 3: 1})
        assert (legend.values, legend.index_of(5), legend.index_of(3), legend.background) == ((0, 3, 5), 2, 1, 0)

    def test_255_is_class_1_of_two(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        assert resolved({255: 2}).index_of(255) == 1
        assert "255 is taken as class 1" in caplog.text
        assert resolved({255: 2, 1: 1}).index_of(255) == IGNORE

    def test_remap_classes_and_ignore_are_obeyed(self) -> None:
        legend = resolved({70000: 2, -1: 1, 4: 1, 9: 3}, remap={70000: 1, -1: 2, 9: 255}, classes=["a", "b", "c", "d", "e"])
        assert [legend.index_of(key) for key in (70000, -1, 4, 9, 0)] == [1, 2, 4, IGNORE, 0]
        assert resolved({1: 2, 2: 3, 9: 9}, ignore=9).index_of(9) == IGNORE
        assert resolved({1: 2, 2: 3}, ignore=0).background == IGNORE

    def test_missing_ones_are_left_out(self) -> None:
        assert resolved({1: 2, math.nan: 3}).index_of(math.nan) == IGNORE

    @pytest.mark.parametrize(
        ("keys", "options", "words"),
        [
            ({0.5: 2, 1: 1}, {}, r"0\.5 \(2\); class values are whole numbers"),
            ({-1: 2, 1: 1}, {}, r"-1 \(2\)"),
            ({300: 2, 1: 1}, {}, r"300 \(2\)"),
            ({3: 2, 1: 1}, {"classes": ["a", "b"]}, r"outside the legend: 3 \(2\). The legend has a \(0\), b \(1\)"),
            ({0: 2}, {}, "have the value 0"),
            ({1: 2}, {"ignore": 0}, "have the value 1"),
            ({1: 2}, {"remap": {1: 255}}, "have the value 1"),
        ],
    )
    def test_that_make_no_legend_are_refused(self, keys: dict[str | float, int], options: dict[str, Any], words: str) -> None:
        with pytest.raises(LabelError, match=words):
            resolved(keys, **options)


@pytest.mark.parametrize("options", [{"threshold": 3.0}, {"snap": True}, {"encoding": "onehot"}])
@pytest.mark.parametrize("keys", [{}, {"roof": 1}, {1: 3}])
def test_options_of_masks_mean_nothing(options: dict[str, Any], keys: dict[str | float, int]) -> None:
    with pytest.raises(RecipeError, match=rf"{next(iter(options))} is for masks and means nothing for polygons of a\.gpkg"):
        resolved(keys, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colors": ["#000000"]}, "colors"),
        ({"remap": {1: 9}, "classes": ["a", "b"]}, "remap leads to 9"),
        ({"remap": {1: 0}, "ignore": 1}, "both ignores and remaps"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        resolved({1: 3, 2: 1}, **options)
