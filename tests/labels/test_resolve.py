"""The rules that make a legend of options and mask values."""

import logging
from pathlib import Path

import pytest

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.resolve import nodata_is_class, resolve_legend
from terrazzo.labels.survey import FileValues, ValueCounts

GREY: dict[float, int] = {float(value): 10 if 20 < value < 240 else 4000 for value in range(0, 256, 3)}


def surveyed(*files: dict[float, int], lossy: bool = False, nodata: tuple[float, int] | None = None) -> ValueCounts:
    value, pixels = nodata or (None, 0)
    return ValueCounts(
        files=tuple(
            FileValues(path=Path(f"mask_{number}.png"), counts=counts, lossy=lossy, nodata=value, nodata_pixels=pixels)
            for number, counts in enumerate(files)
        )
    )


def test_without_options_the_values_are_the_classes() -> None:
    legend = resolve_legend(LegendOptions(), surveyed({0: 5, 7: 1}, {2: 3, 255: 9}))
    assert legend.values == (0, 2, 7)
    assert legend.names == ("0", "2", "7")
    assert (legend.ignore, dict(legend.remap)) == (255, {})


def test_names_values_and_colors_are_obeyed() -> None:
    options = LegendOptions(classes=["sea", "land"], values=[10, 3], colors=["#0000ff", "#00ff00"])
    legend = resolve_legend(options, surveyed({10: 5, 3: 1}))
    assert [(entry.name, entry.value, entry.color) for entry in legend.classes] == [("sea", 10, (0, 0, 255)), ("land", 3, (0, 255, 0))]


class TestByte255:
    def test_is_class_one_of_two_where_no_mask_holds_one(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        for options in (LegendOptions(), LegendOptions(classes=["no", "yes"])):
            legend = resolve_legend(options, surveyed({0: 5}, {0: 1, 255: 2}))
            assert legend.values == (0, 1)
            assert legend.index(255) == 1
        assert "255 is taken as class 1" in caplog.text

    @pytest.mark.parametrize(
        ("options", "counts"),
        [
            (LegendOptions(), {0: 5.0, 1: 3, 255: 2}),
            (LegendOptions(classes=["no", "yes"]), {0: 5, 1: 3, 255: 2}),
            (LegendOptions(classes=["a", "b", "c"]), {0: 5, 1: 3, 255: 2}),
            (LegendOptions(classes=["no", "yes"], remap={7: 1}), {0: 5, 7: 3, 255: 2}),
            (LegendOptions(), {0: 5, 2: 3, 255: 2}),
        ],
    )
    def test_is_left_out_otherwise(self, options: LegendOptions, counts: dict[float, int]) -> None:
        assert resolve_legend(options, surveyed(counts)).index(255) == IGNORE

    def test_declared_as_ignore_it_is_left_out(self) -> None:
        with pytest.raises(LabelError, match=r"empty.*255 is left out"):
            resolve_legend(LegendOptions(classes=["no", "yes"], ignore=255), surveyed({0: 5, 255: 2}))

    def test_a_remap_of_255_is_obeyed(self) -> None:
        legend = resolve_legend(LegendOptions(remap={255: 1}), surveyed({0: 5, 1: 1, 255: 2}))
        assert (legend.values, legend.index(255), legend.ignore) == ((0, 1), 1, None)

    def test_another_ignore_value_makes_255_an_error(self) -> None:
        with pytest.raises(LabelError, match="255"):
            resolve_legend(LegendOptions(ignore=9), surveyed({0: 5, 1: 5, 9: 1, 255: 2}))


class TestRemap:
    def test_is_applied_to_all_values_at_once(self) -> None:
        legend = resolve_legend(LegendOptions(remap={1: 2, 2: 1}), surveyed({0: 1, 1: 1, 2: 1}))
        assert [legend.index(value) for value in (0, 1, 2)] == [0, 2, 1]

    def test_merges_classes_and_leaves_values_out(self) -> None:
        legend = resolve_legend(LegendOptions(remap={5: 1, 6: 255, 300: 0}), surveyed({0: 1, 1: 1, 5: 1, 6: 2, 300: 1}))
        assert legend.values == (0, 1)
        assert [legend.index(value) for value in (5, 6, 300)] == [1, IGNORE, 0]

    def test_to_the_ignore_value_leaves_out(self) -> None:
        legend = resolve_legend(LegendOptions(remap={5: 9}, ignore=9), surveyed({0: 1, 1: 1, 5: 1, 9: 1}))
        assert (legend.values, legend.index(5), legend.index(9)) == ((0, 1), IGNORE, IGNORE)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (LegendOptions(classes=["a", "b"], remap={5: 2}), "remap leads to 2"),
            (LegendOptions(remap={5: 1}, ignore=5), "both ignores and remaps"),
            (LegendOptions(remap={5: 1}, threshold=3), "both threshold and remap"),
        ],
    )
    def test_contradictions_are_refused(self, options: LegendOptions, words: str) -> None:
        with pytest.raises(RecipeError, match=words):
            resolve_legend(options, surveyed({0: 1, 1: 1}))


class TestThreshold:
    def test_makes_two_classes_of_grey(self) -> None:
        legend = resolve_legend(LegendOptions(threshold=127), surveyed(GREY, lossy=True))
        assert (legend.values, legend.index(127), legend.index(128), legend.index(255)) == ((0, 1), 0, 1, 1)

    def test_takes_two_names_and_values(self) -> None:
        legend = resolve_legend(LegendOptions(threshold=0.5, classes=["a", "b"], values=[4, 2]), surveyed({0.25: 1, 0.75: 2}))
        assert (legend.names, legend.values) == (("a", "b"), (4, 2))

    def test_three_classes_are_refused(self) -> None:
        with pytest.raises(RecipeError, match="two classes, but there are 3"):
            resolve_legend(LegendOptions(threshold=127, classes=["a", "b", "c"]), surveyed(GREY))

    def test_nothing_above_it_is_empty(self) -> None:
        with pytest.raises(LabelError, match="no value above 300"):
            resolve_legend(LegendOptions(threshold=300), surveyed(GREY))


class TestSmeared:
    @pytest.mark.parametrize(
        ("options", "counts", "lossy"),
        [
            (LegendOptions(), GREY, False),
            (LegendOptions(classes=["a", "b"]), GREY, False),
            (LegendOptions(), {0: 100.0, 254: 3, 255: 40}, True),
            (LegendOptions(classes=["a", "b"]), {0: 100, 1: 7, 254: 3, 255: 40}, True),
            (LegendOptions(), {0.0: 3, 0.25: 1, 1.0: 2}, False),
        ],
    )
    def test_grey_masks_show_their_histogram_and_suggest_a_threshold(
        self, options: LegendOptions, counts: dict[float, int], *, lossy: bool
    ) -> None:
        with pytest.raises(LabelError, match=r"(?s)%.*threshold = ") as caught:
            resolve_legend(options, surveyed(counts, lossy=lossy))
        assert str(caught.value).count("\n") <= 1

    def test_the_suggested_threshold_works(self) -> None:
        with pytest.raises(LabelError, match=r"threshold = 127 "):
            resolve_legend(LegendOptions(), surveyed(GREY))

    def test_clean_values_in_a_jpeg_are_fine(self) -> None:
        assert resolve_legend(LegendOptions(), surveyed({0: 10, 255: 4}, lossy=True)).index(255) == 1

    def test_many_named_classes_are_fine(self) -> None:
        names = [f"c{value}" for value in range(60)]
        assert len(resolve_legend(LegendOptions(classes=names), surveyed({float(value): 1 for value in range(60)})).classes) == 60


def test_values_outside_the_legend_are_named_with_counts_and_three_files() -> None:
    bad: dict[float, int] = {0: 1, 9: 2}
    files: list[dict[float, int]] = [{0: 1, 1: 1}, *[bad] * 5]
    with pytest.raises(LabelError, match=r"9 \(10 pixels\), in mask_1.png, mask_2.png, mask_3.png and 2 more") as caught:
        resolve_legend(LegendOptions(classes=["a", "b"]), surveyed(*files))
    assert "remap" in str(caught.value)


@pytest.mark.parametrize("value", [-1, 256, 70000])
def test_values_that_no_class_can_have_suggest_ignore_and_remap(value: int) -> None:
    with pytest.raises(LabelError, match=rf"ignore = {value}, or map.*remap"):
        resolve_legend(LegendOptions(), surveyed({0: 1, 1: 1, value: 3}))


class TestEmpty:
    @pytest.mark.parametrize(
        ("options", "counts"),
        [
            (LegendOptions(), {0: 10.0}),
            (LegendOptions(classes=["a", "b"]), {0: 10}),
            (LegendOptions(), {0: 10, 9: 3}),
            (LegendOptions(), {255: 3}),
            (LegendOptions(), {}),
        ],
    )
    def test_masks_of_one_class_are_refused(self, options: LegendOptions, counts: dict[float, int]) -> None:
        if 9 in counts:
            options = LegendOptions(ignore=9)
        with pytest.raises(LabelError, match=r"empty|left out"):
            resolve_legend(options, surveyed(counts))

    def test_a_class_that_no_mask_holds_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        resolve_legend(LegendOptions(classes=["a", "b", "c"]), surveyed({0: 1, 1: 1}))
        assert "No mask holds the class c" in caplog.text


class TestNodata:
    def resolved(self, options: LegendOptions, counts: dict[float, int]) -> Legend:
        return resolve_legend(options, surveyed(counts, nodata=(0.0, 50)))

    def test_is_left_out_where_two_classes_remain(self) -> None:
        legend = self.resolved(LegendOptions(), {1: 5, 2: 5})
        assert (legend.values, nodata_is_class(legend, 0.0)) == ((1, 2), False)

    def test_is_a_class_where_only_one_would_remain(self) -> None:
        legend = self.resolved(LegendOptions(), {1: 5})
        assert (legend.values, nodata_is_class(legend, 0.0)) == ((0, 1), True)

    def test_is_a_class_where_the_legend_names_it(self) -> None:
        assert nodata_is_class(self.resolved(LegendOptions(classes=["a", "b"]), {1: 5}), 0.0)

    def test_that_is_ignored_is_left_out(self) -> None:
        assert not nodata_is_class(self.resolved(LegendOptions(ignore=0), {1: 5, 2: 5}), 0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LegendOptions(classes=["a", "b"], values=[0]), "2 classes and 1 values"),
        (LegendOptions(classes=["a", "b"], colors=["#000000"]), "2 classes and 1 colors"),
        (LegendOptions(classes=["a", "b"], colors=["#000000", "green"]), "'#rrggbb'"),
        (LegendOptions(classes=["a", "a"]), "'a' more than once"),
        (LegendOptions(classes=["a", "b"], values=[1, 1]), "'1' more than once"),
        (LegendOptions(classes=["a", "b"], values=[0, 255]), "255; class values are 0 to 254"),
        (LegendOptions(classes=["a", " "]), "without a name"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: LegendOptions, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        resolve_legend(options, surveyed({0: 1, 1: 1}))
