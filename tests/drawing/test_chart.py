import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.drawing.chart import Axis, Series, beside, line_chart, round_step, short, xml_text

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


@given(st.floats(1e-9, 1e9))
def test_round_steps(step: float) -> None:
    rounded = round_step(step)
    assert step * 0.999 <= rounded <= step * 2.51
    assert re.fullmatch(r"[125]\.?0*e[+-]\d+", f"{rounded:.6e}")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_on_the_axis(low: float, extent: float) -> None:
    axis = Axis(low=low, high=low + extent, start_px=300, end_px=20)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(19.9 <= axis.at(tick) <= 300.1 for tick in ticks)


def test_logarithmic_axis() -> None:
    axis = Axis(low=0.01, high=100, start_px=200, end_px=0, log=True)
    assert axis.ticks() == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert axis.at(1) == pytest.approx(100)
    assert [axis.name(value) for value in (0.01, 100, 1e5, 1e-7, 1e12, -0.25, 1.05e6)] == [
        "0.01",
        "100",
        "1e5",
        "1e-7",
        "1e12",
        "-0.25",
        "1.05e6",
    ]


def test_lines_points_and_names() -> None:
    svg = line_chart("Loss", [Series(name="a", points=[(1, 2.0), (2, 1.0)]), Series(name="b", points=[(2, 0.5)])], x_label="epoch")
    root = ET.fromstring(svg)
    told = [element.text for element in root.iter(f"{SVG}title")]
    assert {"a, 1: 2", "a, 2: 1", "b, 2: 0.5"} <= set(told)
    assert {"Loss", "epoch", "a", "b", "0", "2"} <= set(texts(svg))


def test_higher_values_are_drawn_higher() -> None:
    svg = line_chart("s", [Series(name="a", points=[(1, 0.2), (2, 0.9)])], x_label="x", y_most=1.0)
    path = next(element.get("d") for element in ET.fromstring(svg).iter(f"{SVG}path") if element.get("fill") == "none")
    assert path is not None
    (x0, y0), (x1, y1) = (tuple(map(float, pair.split())) for pair in path[1:].split("L"))
    assert x0 < x1
    assert y0 > y1


def test_labels_at_the_ends_do_not_cover_each_other() -> None:
    lines = [Series(name=f"line {number}", points=[(1, 0.5), (9, 0.99 + number / 1000)]) for number in range(8)]
    svg = line_chart("s", lines, x_label="x", y_most=1.0)
    heights = sorted(
        float(element.get("y", "")) for element in ET.fromstring(svg).iter(f"{SVG}text") if (element.text or "").startswith("line")
    )
    assert min(after - before for before, after in pairwise(heights)) >= 14
    assert heights[0] > 20


def test_without_points_it_says_so() -> None:
    assert "nothing recorded" in texts(line_chart("Loss", [], x_label="epoch"))


def test_constant_and_zero_values() -> None:
    for value in (0.0, 3.0, -2.0):
        chart = line_chart("s", [Series(name="a", points=[(1, value), (2, value)])], x_label="x")
        assert ET.fromstring(chart).tag.endswith("svg")
        assert "nan" not in chart


def test_charts_side_by_side() -> None:
    chart = line_chart("s", [], x_label="x")
    inner = list(ET.fromstring(beside([chart, chart])))
    assert [element.get("x") for element in inner] == ["0", "540"]


@given(st.text())
def test_any_name_is_safe(name: str) -> None:
    svg = line_chart(name, [Series(name=name, points=[(1, 1.0)])], x_label=name)
    assert "<script" not in svg
    ET.fromstring(svg)


def test_text() -> None:
    assert xml_text('a<b>&"\x00\n') == "a&lt;b&gt;&amp;&quot;\ufffd "
    assert short("background", 10) == "background"
    assert short("backgrounds", 10) == "backgroun…"
