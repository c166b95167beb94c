"""Labels from ranges of values."""

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.labels.rules import Range, RuleLabels, Rules, are_rules
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Window, whole

LEGEND = Legend(
    classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in enumerate(("background", "glow", "hot")))
)


@pytest.fixture
def image(tmp_path: Path) -> LabelledImage:
    """Two named bands of 5 x 7 float values; -1 is nodata."""
    path = tmp_path / "frame.tif"
    values = np.arange(70, dtype=np.float32).reshape(2, 5, 7)
    values[0, 0, 0] = -1
    values[:, 4, 6] = -1
    with rasterio.open(path, "w", driver="GTiff", count=2, height=5, width=7, dtype="float32", nodata=-1) as file:
        file.write(values)
        file.descriptions = ("red", "nir")
    with open_raster(path) as raster:
        return LabelledImage(name="frame", path=path, grid=raster.grid)


def labels(image: LabelledImage, *texts: str, **data: object) -> RuleLabels:
    return RuleLabels(image, Rules.parse(texts), LEGEND, DataOptions.model_validate(data))


class TestReading:
    def test_ranges_give_classes_and_the_rest_is_background(self, image: LabelledImage) -> None:
        values = np.arange(35).reshape(5, 7)
        expected = np.where(values >= 20, 2, np.where(values >= 10, 1, 0)).astype(np.uint8)
        expected[0, 0] = expected[4, 6] = 255
        np.testing.assert_array_equal(labels(image, "glow: 10 <= b1 < 20", "2: b1 >= 20").read(whole((5, 7))), expected)

    def test_the_first_rule_that_holds_wins(self, image: LabelledImage) -> None:
        found = labels(image, "hot: b1 > 30", "glow: b2 - b1 == 35").read(whole((5, 7)))
        assert found[4, 5] == 2
        assert found[1, 1] == 1

    def test_bands_by_name_and_whatever_bands_are_learned_from(self, image: LabelledImage) -> None:
        by_number = labels(image, "hot: (b2 - b1) / (b1 + b2) > 0.5").read(whole((5, 7)))
        by_name = labels(image, "hot: (NIR - red) / (red + nir) > 0.5", bands=[2]).read(whole((5, 7)))
        np.testing.assert_array_equal(by_name, by_number)
        assert set(np.unique(by_name)) == {0, 2, 255}

    def test_a_formula_that_is_no_number_leaves_the_pixel_out_unless_another_rule_holds(self, image: LabelledImage) -> None:
        assert labels(image, "hot: 1 / (b1 - 8) > 5").read(whole((5, 7)))[1, 1] == 255
        assert labels(image, "hot: 1 / (b1 - 8) > 5", "glow: b2 == 43").read(whole((5, 7)))[1, 1] == 1

    @given(st.integers(-3, 6), st.integers(-3, 8), st.integers(1, 9), st.integers(1, 9))
    def test_windows_are_crops_of_the_whole(
        self, tmp_path_factory: pytest.TempPathFactory, row: int, col: int, height: int, width: int
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "crops.npy"
        if not path.exists():
            np.save(path, np.random.default_rng(0).integers(0, 99, (1, 5, 7)).astype(np.int16))
        with open_raster(path) as raster:
            found = labels(LabelledImage(name="x", path=path, grid=raster.grid), "hot: b1 > 50")
        padded = np.full((30, 30), 255, np.uint8)
        padded[10:15, 10:17] = found.read(whole((5, 7)))
        window = Window(col_off=col, row_off=row, width=width, height=height)
        np.testing.assert_array_equal(found.read(window), padded[10 + row : 10 + row + height, 10 + col : 10 + col + width])


class TestRefusals:
    def test_an_unknown_band_lists_those_there_are(self, image: LabelledImage) -> None:
        with pytest.raises(LabelError, match=r"'b3'; it has b1 \(red\), b2 \(nir\)"):
            labels(image, "hot: b3 > 1")

    def test_an_unknown_class_lists_the_legend(self, image: LabelledImage) -> None:
        with pytest.raises(LabelError, match="classes are background, glow, hot"):
            labels(image, "cold: b1 < 1")

    @pytest.mark.parametrize(
        "pair",
        [
            ("a: b1 > 5", "b: b1 > 9"),
            ("a: 1 <= b1 <= 5", "b: 5 <= b1 < 9"),
            ("a: b1 + b2 > 5", "b: b1+b2 == 6"),
            ("a: b1 < 5", "b: 4.9 < b1"),
        ],
    )
    def test_overlapping_ranges_of_one_formula(self, pair: tuple[str, str]) -> None:
        with pytest.raises(RecipeError, match="overlap"):
            Rules.parse(pair)

    def test_what_two_rules_share_is_said(self) -> None:
        for other, shared in (("y: b1 > 100", "100 < b1"), ("y: b1 <= 5.5", "5 < b1 <= 5.5"), ("y: 7 <= b1 <= 7", "b1 = 7")):
            with pytest.raises(RecipeError, match=f"both hold for {shared}\\. Give"):
                Rules.parse(("x: b1 > 5", other))

    @pytest.mark.parametrize("pair", [("a: b1 > 5", "b: b1 <= 5"), ("a: 1 <= b1 < 5", "b: 5 <= b1 < 9"), ("a: b1 > 5", "b: b2 > 5")])
    def test_ranges_that_only_meet_are_fine(self, pair: tuple[str, str]) -> None:
        assert len(Rules.parse(pair).rules) == 2

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("hot", "CLASS: RANGE"),
            ("hot: b1", "CLASS: RANGE"),
            ("hot: 5 < b1 < 3", "holds for no value"),
            ("hot: b1 < b2", "one formula"),
            ("hot: 1 < 2", "one formula"),
            ("hot: b1 != 2", "<, <=, >, >= or =="),
            ("hot: open('x') > 1", "not allowed"),
            ("hot: b1.data > 1", "not allowed"),
            ("hot: b1[0] > 1", "not allowed"),
            ("hot: (lambda: 1)() > 1", "cannot be read"),
            ("hot: __import__('os') > 1", "not allowed"),
            ("hot: b1 > 1e999", "one formula"),
            ("hot: b1 > 1 > 2", "one formula"),
            ("hot: sqrt(b1, 2) > 1", "not allowed"),
            ("hot: (b1 > 1", "not a formula"),
            ("hot: " + "-" * 390 + "b1 > 1", "nested"),
            ("hot: " + "b1+" * 200 + "b1 > 1", "characters"),
        ],
    )
    def test_what_is_no_rule_is_named(self, text: str, said: str) -> None:
        with pytest.raises(RecipeError, match=re.escape(said)):
            Rules.parse([text])

    @pytest.mark.parametrize("formula", ["(" * 150 + "b1" + ")" * 150, "-" * 40 + "b1", "b1+" * 40 + "b1"])
    def test_deep_formulas_are_evaluated(self, image: LabelledImage, formula: str) -> None:
        assert labels(image, f"hot: {formula} > 1").read(whole((5, 7)))[2, 2] == 2

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            Rules.parse([text])
        except RecipeError as error:
            assert "rule" in str(error)  # noqa: PT017 - some texts are rules


RANGES = st.builds(Range, low=st.integers(-3, 3), high=st.integers(-3, 3), with_low=st.booleans(), with_high=st.booleans())


@given(RANGES, RANGES)
def test_overlap_holds_what_both_hold(one: Range, other: Range) -> None:
    values = np.arange(-4, 4.25, 0.25)
    both = one.holds(values) & other.holds(values)
    np.testing.assert_array_equal(one.overlap(other).holds(values), both)
    assert one.overlap(other).empty == (not both.any())


@pytest.mark.parametrize(
    ("text", "rules"),
    [("hot: b1 > 5", True), ("a: b1>5; b: b2 < 3", True), ("labels/*.png", False), ("C:\\labels\\a.png", False), ("s3://x/y.gpkg", False)],
)
def test_rules_are_told_from_paths(text: str, rules: bool) -> None:  # noqa: FBT001
    assert are_rules(text) is rules
