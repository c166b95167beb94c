"""The rules that make a legend of options and mask values."""

import logging
import tomllib
from pathlib import Path
from typing import Any

import pytest

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.forms import FileValues, ValueCounts
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import NO_BAND, Encoding, raw_of_color
from terrazzo.labels.resolve import nodata_is_class, resolve_legend

GREY: dict[float, int] = {float(value): 10 if 20 < value < 240 else 4000 for value in range(0, 256, 3)}


def surveyed(
    *files: dict[float, int],
    lossy: bool = False,
    nodata: tuple[float, int] | None = None,
    encoding: Encoding = "values",
    bands: int = 1,
) -> ValueCounts:
    value, pixels = nodata or (None, 0)
    return ValueCounts(
        files=tuple(
            FileValues(path=Path(f"mask_{number}.png"), counts=counts, lossy=lossy, nodata=value, nodata_pixels=pixels, bands=bands)
            for number, counts in enumerate(files)
        ),
        encoding=encoding,
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


def test_255_that_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    resolve_legend(LegendOptions(), surveyed({0: 5, 126: 3, 255: 9}))
    assert "Masks hold 255: 9 pixels left out" in caplog.text
    caplog.clear()
    resolve_legend(LegendOptions(ignore=255), surveyed({0: 5, 126: 3, 255: 9}))
    assert "left out" not in caplog.text


class TestClassesThatNothingReaches:
    def test_are_dropped_with_a_notice_and_their_name_still_counts(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        options = LegendOptions(classes=["road", "path", "car", "void"], remap={1: 0}, ignore=3)
        legend = resolve_legend(options, surveyed({0: 5, 1: 4, 2: 3, 3: 1}))
        assert (legend.names, legend.values) == (("road", "car"), (0, 2))
        assert [legend.index_of(name) for name in ("road", "path", "car", "void")] == [0, 0, 1, IGNORE]
        assert "nothing to the class path, void" in caplog.text

    def test_may_leave_too_few(self) -> None:
        with pytest.raises(RecipeError, match="fewer than two classes: a"):
            resolve_legend(LegendOptions(classes=["a", "b"], ignore=1), surveyed({0: 5, 1: 4}))


class TestSnap:
    def test_of_two_classes_has_white_as_the_second(self) -> None:
        legend = resolve_legend(LegendOptions(classes=["sky", "cloud"], snap=True), surveyed(GREY, lossy=True))
        assert [legend.index(raw) for raw in (0, 1, 127, 128, 255)] == [0, 0, 0, 1, 1]

    def test_goes_to_the_remapped_values(self) -> None:
        legend = resolve_legend(LegendOptions(remap={126: 1, 255: 2}, snap=True), surveyed(GREY, lossy=True))
        assert legend.values == (0, 1, 2)
        assert [legend.index(raw) for raw in (2, 62, 64, 190, 191, 254)] == [0, 0, 1, 1, 2, 2]

    def test_goes_to_the_values_of_the_legend(self) -> None:
        legend = resolve_legend(LegendOptions(values=[0, 80, 160], snap=True, ignore=255), surveyed(GREY))
        assert [legend.index(raw) for raw in (30, 50, 130, 200, 230)] == [0, 1, 2, 2, IGNORE]

    def test_must_know_the_right_values_and_is_told_those_that_stand_out(self) -> None:
        with pytest.raises(LabelError, match=r"snap the right values by remap = \{240 = 1\}"):
            resolve_legend(LegendOptions(snap=True), surveyed(GREY, lossy=True))

    def test_is_suggested_with_the_values_that_stand_out(self) -> None:
        counts: dict[float, int] = {float(value): 5 for value in range(256)} | {0: 4000, 126: 900, 127: 400, 250: 2000}
        with pytest.raises(LabelError, match=r"for the values 0, 126, 250 set snap = true and remap = \{126 = 1, 250 = 2\}"):
            resolve_legend(LegendOptions(), surveyed(counts, lossy=True))
        legend = resolve_legend(LegendOptions(snap=True, remap={126: 1, 250: 2}), surveyed(counts, lossy=True))
        assert legend.values == (0, 1, 2)

    def test_with_a_threshold_is_refused(self) -> None:
        with pytest.raises(RecipeError, match="with snap all values are known"):
            resolve_legend(LegendOptions(snap=True, threshold=9), surveyed(GREY))

    def test_does_not_make_a_class_of_nodata(self) -> None:
        legend = resolve_legend(LegendOptions(values=[0, 100], snap=True), surveyed({0: 5, 90: 4}, nodata=(-9999, 7)))
        assert not nodata_is_class(legend, -9999)


class TestTarget:
    OPTIONS = LegendOptions(classes=["land", "water", "boat", "void"], remap={9: 2}, ignore=3)

    def test_is_one_class_against_the_rest(self) -> None:
        legend = resolve_legend(self.OPTIONS.model_copy(update={"target": "boat"}), surveyed({0: 5, 1: 4, 2: 3, 3: 1, 9: 2}))
        assert (legend.names, legend.values) == (("not boat", "boat"), (0, 1))
        assert [legend.index(raw) for raw in (0, 1, 2, 3, 9, 4)] == [0, 0, 1, IGNORE, 1, None]

    def test_values_outside_the_whole_legend_are_errors(self) -> None:
        with pytest.raises(LabelError, match=r"outside the legend: 4 \(1 pixel\)"):
            resolve_legend(self.OPTIONS.model_copy(update={"target": "boat"}), surveyed({2: 3, 4: 1}))

    def test_that_no_mask_holds_is_an_error(self) -> None:
        with pytest.raises(LabelError, match="holds only class 0 \\(not boat\\)"):
            resolve_legend(self.OPTIONS.model_copy(update={"target": "boat"}), surveyed({0: 3, 1: 1}))

    def test_that_is_no_class_is_refused_with_the_nearest_name(self) -> None:
        with pytest.raises(RecipeError, match=r"target is 'Boats'; classes are 'land', 'water', 'boat'. Did you mean 'boat'\?"):
            resolve_legend(self.OPTIONS.model_copy(update={"target": "Boats"}), surveyed({0: 3, 2: 1}))

    def test_of_values_without_names(self) -> None:
        assert resolve_legend(LegendOptions(target="7"), surveyed({0: 5, 7: 1, 8: 1})).names == ("not 7", "7")


BLACK, RED, GREEN, BLUE = (raw_of_color(color) for color in ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)))


class TestColors:
    OPTIONS = LegendOptions(classes=["none", "roof", "tree"], colors=["#000000", "#ff0000", "#00ff00"])

    def resolved(self, counts: dict[float, int], *, lossy: bool = False, **options: Any) -> Legend:
        return resolve_legend(self.OPTIONS.model_copy(update=options), surveyed(counts, lossy=lossy, encoding="colors", bands=3))

    def test_are_the_classes_of_the_legend(self) -> None:
        legend = self.resolved({BLACK: 5, RED: 3, GREEN: 1})
        assert (legend.encoding, legend.values, legend.colors[1]) == ("colors", (0, 1, 2), (255, 0, 0))
        assert [legend.index(raw) for raw in (BLACK, RED, GREEN, BLUE)] == [0, 1, 2, None]

    def test_take_values_remap_and_ignore_of_their_classes(self) -> None:
        legend = self.resolved({BLACK: 5, RED: 3, GREEN: 1}, values=[0, 7, 9], ignore=9)
        assert [legend.index(raw) for raw in (BLACK, RED, GREEN)] == [0, 1, IGNORE]
        assert (legend.values, legend.index_of("tree")) == ((0, 7), IGNORE)
        merged = self.resolved({BLACK: 5, RED: 3, GREEN: 1}, remap={2: 1})
        assert (merged.names, [merged.index(raw) for raw in (BLACK, RED, GREEN)]) == (("none", "roof"), [0, 1, 1])
        swapped = self.resolved({BLACK: 5, RED: 3, GREEN: 1}, remap={0: 1, 1: 0})
        assert [swapped.index(raw) for raw in (BLACK, RED, GREEN)] == [1, 0, 2]

    def test_go_with_a_target(self) -> None:
        legend = self.resolved({BLACK: 5, RED: 3, GREEN: 1}, target="tree")
        assert [legend.index(raw) for raw in (BLACK, RED, GREEN, BLUE)] == [0, 0, 1, None]

    def test_without_a_legend_print_one_to_paste(self) -> None:
        counts: dict[float, int] = {RED: 30, BLACK: 500, GREEN: 4}
        with pytest.raises(LabelError) as caught:
            resolve_legend(LegendOptions(), surveyed(counts, encoding="colors", bands=3))
        text = str(caught.value)
        assert "# pixels: 500, 30, 4" in text
        table = tomllib.loads(text[text.index("[legend]") :])["legend"]
        assert table["colors"] == ["#000000", "#ff0000", "#00ff00"]
        legend = resolve_legend(LegendOptions(**table), surveyed(counts, encoding="colors", bands=3))
        assert legend.names == ("class 0", "class 1", "class 2")

    def test_pasted_keep_the_names_that_are_there(self) -> None:
        with pytest.raises(LabelError, match=r'classes = \["no", "yes"\]'):
            resolve_legend(LegendOptions(classes=["no", "yes"]), surveyed({RED: 30, BLACK: 500}, encoding="colors", bands=3))

    def test_that_are_smeared_print_those_that_stand_out_and_snap(self) -> None:
        counts = {float(raw_of_color((level, 0, level // 9))): 2 for level in range(200)} | {float(BLUE): 300, float(BLUE - 1): 50}
        with pytest.raises(LabelError, match="202 different colours: they are smeared") as caught:
            resolve_legend(LegendOptions(), surveyed(counts, lossy=True, encoding="colors", bands=3))
        text = str(caught.value)
        table = tomllib.loads(text[text.index("[legend]") :])["legend"] if "[legend]" in text else None
        assert table is None
        counts[BLACK] = 900
        with pytest.raises(LabelError) as caught:
            resolve_legend(LegendOptions(), surveyed(counts, lossy=True, encoding="colors", bands=3))
        text = str(caught.value)
        table = tomllib.loads(text[text.index("[legend]") :])["legend"]
        assert (table["colors"], table["snap"]) == (["#000000", "#0000ff"], True)
        legend = resolve_legend(LegendOptions(**table), surveyed(counts, lossy=True, encoding="colors", bands=3))
        assert legend.index(BLUE - 30) == 1

    def test_outside_the_legend_are_named_with_counts_and_files(self) -> None:
        with pytest.raises(LabelError, match=r"1 colour outside the legend: '#0000ff' \(7 pixels\), in mask_0\.png\. Add classes.*snap"):
            self.resolved({BLACK: 5, RED: 3, BLUE: 7})
        with pytest.raises(LabelError, match=r"2 colours outside.*'#0000ff' \(7 pixels\).*snap = true takes each"):
            self.resolved({BLACK: 5, RED: 3, RED - 1: 2, BLUE: 7}, lossy=True)
        assert self.resolved({BLACK: 5, RED - 1: 2}, lossy=True, snap=True).index(RED - 1) == 1

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"colors": ["#000000", "#ff0000", "#FF0000"]}, "the colour '#ff0000' more than once"),
            ({"colors": ["#000000", "#ff0000"]}, "3 classes and 2 colors"),
            ({"threshold": 3.0}, "threshold is for masks of grey values; these hold colours"),
            ({"remap": {2: 5}}, "remap leads to 5"),
        ],
    )
    def test_contradictions_are_refused(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(RecipeError, match=words):
            self.resolved({BLACK: 5, RED: 3}, **options)

    def test_of_one_class_are_empty(self) -> None:
        with pytest.raises(LabelError, match="empty"):
            self.resolved({BLACK: 5})


class TestOneHot:
    def resolved(self, counts: dict[float, int], **options: Any) -> Legend:
        return resolve_legend(LegendOptions().model_copy(update=options), surveyed(counts, encoding="onehot", bands=3))

    def test_each_band_is_a_class(self) -> None:
        assert self.resolved({0: 1, 2: 1}).values == (0, 1, 2)
        legend = self.resolved({0: 1, 1: 1}, classes=["a", "b", "c"], values=[5, 6, 7], remap={7: 6})
        assert (legend.names, [legend.index(band) for band in range(3)]) == (("a", "b"), [0, 1, 1])

    def test_255_classes_need_no_ignore_value(self) -> None:
        assert self.resolved({0: 1, 1: 1}).ignore is None

    def test_pixels_without_a_band_are_left_out_or_given_a_class_only_if_asked(self) -> None:
        with pytest.raises(LabelError, match=r"outside the legend: no band \(4 pixels\).*remap = \{-1 = 0\}.*ignore = -1"):
            self.resolved({NO_BAND: 4, 1: 2})
        assert self.resolved({NO_BAND: 4, 0: 3, 1: 2}, ignore=-1).index(NO_BAND) == IGNORE
        assert self.resolved({NO_BAND: 4, 1: 2}, remap={-1: 0}).index(NO_BAND) == 0

    def test_a_legend_of_another_number_is_refused(self) -> None:
        with pytest.raises(LabelError, match="have 3 bands, one for each class, the legend has 2 classes"):
            self.resolved({0: 1, 1: 1}, classes=["a", "b"])

    def test_snap_means_nothing(self) -> None:
        with pytest.raises(RecipeError, match="snap is for values and colours; these masks hold a band a class"):
            self.resolved({0: 1, 1: 1}, snap=True)


class TestInstances:
    def resolved(self, counts: dict[float, int], **options: Any) -> Legend:
        return resolve_legend(LegendOptions().model_copy(update=options), surveyed(counts, encoding="instances"))

    def test_are_one_class(self) -> None:
        legend = self.resolved({0: 9, 1: 5})
        assert (legend.names, legend.encoding, legend.ignore) == (("background", "object"), "instances", None)
        assert [legend.index(raw) for raw in (0, 1, 255, 70000, -1)] == [0, 1, 1, 1, None]

    def test_may_have_names_values_and_an_ignore_value(self) -> None:
        legend = self.resolved({0: 9, 1: 5, 65535: 3}, classes=["no", "cell"], values=[0, 4], ignore=65535)
        assert (legend.names, legend.values) == (("no", "cell"), (0, 4))
        assert [legend.index(raw) for raw in (0, 4, 300, 65535)] == [0, 1, 1, IGNORE]

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"classes": ["a", "b", "c"]}, "makes two classes, but there are 3"),
            ({"remap": {2: 1}}, "remap is for class values"),
            ({"threshold": 3.0}, "these hold object numbers"),
            ({"snap": True}, "these masks hold object numbers"),
        ],
    )
    def test_contradictions_are_refused(self, options: dict[str, Any], words: str) -> None:
        with pytest.raises(RecipeError, match=words):
            self.resolved({0: 9, 1: 5}, **options)

    def test_negative_numbers_suggest_ignore(self) -> None:
        with pytest.raises(LabelError, match=r"-1 \(3 pixels\).*ignore = -1"):
            self.resolved({0: 9, 1: 5, -1: 3})

    def test_are_suggested_where_values_look_like_numbers_of_objects(self) -> None:
        counts: dict[float, int] = {float(value): 30 for value in range(1, 120)} | {0: 60000}
        with pytest.raises(LabelError, match="encoding = 'instances'"):
            resolve_legend(LegendOptions(), surveyed(counts))
        with pytest.raises(LabelError, match="look grey"):
            resolve_legend(LegendOptions(), surveyed(GREY))
