from xml.etree import ElementTree as ET

import pytest

from terrazzo.drawing.shares import BAR_PX, LEFT, SIDE, TOP, ShareLine, share_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_corners_are_zero_and_one() -> None:
    root = ET.fromstring(share_chart("t", [ShareLine(name="a", points=[(0, 0), (1, 1)], marks=[(0.5, 0.25)])], ("x", "y")))
    line = next(path.get("d") for path in root.iter(f"{SVG}path") if path.get("stroke-linejoin"))
    assert line == f"M{LEFT:.1f} {TOP + SIDE:.1f}L{LEFT + SIDE:.1f} {TOP:.1f}"
    mark = next(iter(root.iter(f"{SVG}circle")))
    assert (mark.get("cx"), mark.get("cy")) == (f"{LEFT + SIDE / 2:.1f}", f"{TOP + SIDE * 0.75:.1f}")
    assert mark[0].text == "a: 0.500, 0.250"


def test_bars_are_as_high_as_their_share_of_the_highest() -> None:
    plain, bars = (share_chart("t", [], ("x", "y"), bars=heights) for heights in ([], [0, 50, 100, 0]))
    assert f"v{-BAR_PX / 2:.1f}h" in bars
    assert f"v{-BAR_PX:.1f}h" in bars
    assert f"v{-BAR_PX:.1f}h" not in plain


@pytest.mark.parametrize("count", [0, 1, 8])
def test_all_lines_have_a_key_inside_the_drawing(count: int) -> None:
    root = ET.fromstring(share_chart("t", [ShareLine(name=f"line {number}", points=[(0, 1)]) for number in range(count)], ("x", "y")))
    keys = [element for element in root.iter(f"{SVG}text") if (element.text or "").startswith("line")]
    assert len(keys) == count
    assert all(float(key.get("y") or 0) < float(root.get("height") or 0) for key in keys)


def test_names_are_only_text() -> None:
    hostile = "<script>\"'&\u202e\n"
    root = ET.fromstring(share_chart(hostile, [ShareLine(name=hostile, points=[], marks=[(0, 0)])], (hostile, hostile)))
    assert not list(root.iter(f"{SVG}script"))
    assert "\u202e" not in ET.tostring(root, encoding="unicode")
