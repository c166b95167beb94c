from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.drawing.matrix import confusion_matrix, written_count
from terrazzo.errors import UsageError

SVG = "{http://www.w3.org/2000/svg}"


def test_cells_tell_shares_of_their_row() -> None:
    svg = confusion_matrix([[90, 10], [0, 5]], ["sea", "land"])
    root = ET.fromstring(svg)
    assert [title.text for title in root.iter(f"{SVG}title")] == [
        "sea predicted as sea: 90 pixels, 90.00%",
        "sea predicted as land: 10 pixels, 10.00%",
        "land predicted as sea: 0 pixels, 0.00%",
        "land predicted as land: 5 pixels, 100.00%",
    ]
    opacity = [float(rect.get("fill-opacity", "")) for rect in root.iter(f"{SVG}rect")]
    assert opacity[2] == 0
    assert opacity[3] > opacity[0] > opacity[1] > 0


def test_rows_go_down_and_columns_to_the_right() -> None:
    rects = list(ET.fromstring(confusion_matrix([[1, 2], [3, 4]], ["a", "b"])).iter(f"{SVG}rect"))
    at = [(float(rect.get("x", "")), float(rect.get("y", ""))) for rect in rects]
    assert at[0][1] == at[1][1] < at[2][1] == at[3][1]
    assert at[0][0] == at[2][0] < at[1][0] == at[3][0]


def test_small_shares_are_not_rounded_to_all_or_nothing() -> None:
    written = [text.text for text in ET.fromstring(confusion_matrix([[99_999, 1], [0, 0]], ["a", "b"])).iter(f"{SVG}text")]
    assert "> 99.9 %" in written
    assert "< 0.1 %" in written
    assert written.count("\u2013") == 2


def test_many_classes_have_no_text_in_their_cells() -> None:
    counts = [[1] * 30 for _ in range(30)]
    root = ET.fromstring(confusion_matrix(counts, [f"c{number}" for number in range(30)]))
    assert len(list(root.iter(f"{SVG}rect"))) == 900
    assert len(list(root.iter(f"{SVG}text"))) == 62


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], []])
def test_other_sizes_are_refused(names: list[str]) -> None:
    with pytest.raises(UsageError, match="confusion matrix"):
        confusion_matrix([[1, 2], [3, 4]], names)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_names_are_safe(names: list[str]) -> None:
    svg = confusion_matrix([[5] * len(names)] * len(names), names)
    assert "<script" not in svg
    ET.fromstring(svg)


def test_written_counts() -> None:
    counts = (0, 9999, 10_000, 12_345, 123_456, 999_999, 1_234_567, 2_000_000_000)
    assert [written_count(count) for count in counts] == ["0", "9999", "10 k", "12.3 k", "123 k", "1 M", "1.23 M", "2 G"]


@given(st.integers(0, 999_000_000_000))
def test_written_counts_are_short_and_near(count: int) -> None:
    text = written_count(count)
    assert len(text) <= 6
    number, _, unit = text.partition(" ")
    assert float(number) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[unit] == pytest.approx(count, rel=0.006)
