import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.reporting.evaluations import evaluation, legend

from terrazzo.drawing.places import Place
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.rasters.window import Window
from terrazzo.reporting.report import Report, SamplePanel, SceneMap, SuspectLine, error_keys, render, write_report

HOSTILE = "<script>alert(1)</script>\"'&=cmd()"
VOID = {"meta", "link", "img", "br", "hr", "input"}


PARTS = (
    *("summary", "classes", "confusion", "objects", "edges", "probabilities", "area"),
    *("places", "samples", "suspicious", "training", "data", "files", "recipe"),
)
"""Sections in the order of the page."""


def report(*names: str, text: str = "plain") -> Report:
    """A report with every part; text: of all that somebody else may have written."""
    suspect = SuspectLine(scene=text, place=text, label=text, predicted=text, pixels=5, confidence=0.97)
    place = Place(window=Window(col_off=0, row_off=0, width=4, height=4), part="test", name=text, score=0.4)
    return Report(
        title=text,
        legend=legend(*names),
        evaluation=evaluation(names),
        facts=[("Machine", text)],
        notices=[text],
        curves=[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "validation": {"loss": 0.3, "mean_dice": 0.9, "dice": [0.9, 0.9]}}],
        scenes=[SceneMap(name=text, shape=(8, 9), places=[place], picture=np.zeros((4, 5, 3), np.uint8))],
        samples=[SamplePanel(kind="worst", caption=text, png=b"not really a png")],
        suspicious=[suspect],
        files=[(text, text)],
        commands=[text],
        recipe_toml=text,
    )


class Page(HTMLParser):
    """Elements in their nesting, and what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "data", "action", "srcset", "xlink:href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def sections(html: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', html)


def test_page_holds_every_part_in_order() -> None:
    html = render(report("sea", "land"))
    page = Page(html)
    assert page.open == []
    assert tuple(sections(html)) == PARTS
    assert tuple(re.findall(r'<a href="#(\w+)">', html)) == PARTS[1:]
    assert {"Mean Dice", "worst", "plain"} <= {text.strip() for text in page.texts}


def without(*names: str) -> Report:
    """A report whose evaluation lacks parts."""
    whole = report("sea", "land")
    found = {name: part for name, part in whole.evaluation.items() if name not in names}
    return replace(whole, evaluation=found)


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (without("objects"), {"objects"}),
        (without("boundary"), {"edges"}),
        (without("area"), {"area"}),
        (without("calibration"), set()),
        (without("thresholds"), set()),
        (without("calibration", "thresholds"), {"probabilities"}),
        (without("intervals", "missing"), set()),
        (without("pixels"), {"summary", "classes", "confusion", "objects", "edges", "probabilities", "area"}),
        (replace(report("sea", "land"), scenes=()), {"places"}),
        (replace(report("sea", "land"), samples=()), {"samples"}),
        (replace(report("sea", "land"), suspicious=()), {"suspicious"}),
        (replace(report("sea", "land"), curves=()), {"training"}),
        (replace(report("sea", "land"), facts=()), {"data"}),
        (replace(report("sea", "land"), files=()), set()),
        (replace(report("sea", "land"), files=(), commands=()), {"files"}),
        (replace(report("sea", "land"), recipe_toml=""), {"recipe"}),
    ],
)
def test_a_section_is_there_exactly_where_there_is_something_to_tell(told: Report, missing: set[str]) -> None:
    html = render(told)
    assert Page(html).open == []
    assert sections(html) == [name for name in PARTS if name not in missing]


def test_nothing_scored_is_no_fault() -> None:
    confusion = Confusion(2)
    classes = legend("sea", "land")
    empty = Report(title="t", legend=classes, evaluation={"pixels": pixel_scores(confusion, classes.values, classes.names), "images": 0})
    assert sections(render(empty)) == []


def test_can_be_read_by_ear_and_used_by_keys() -> None:
    html = render(report("sea", "land"))
    page = Page(html)
    assert page.tags.count("caption") == page.tags.count("table") == 7
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img[^>]*>", html))
    assert all('aria-label="' in drawing or 'aria-hidden="true"' in drawing for drawing in re.findall(r"<svg[^>]*>", html))
    assert html.count("<h1>") == 1
    assert page.references[0] == "#content"
    assert 'scope="col"' in html
    assert 'scope="row"' in html


def test_notices_come_first() -> None:
    html = render(report("sea", "land", text="the map is all one class"))
    assert html.index('role="alert"') < html.index('class="cards"') < html.index('id="classes"')


def test_page_refers_to_nothing_outside_itself() -> None:
    html = render(report("sea", "land"))
    page = Page(html)
    assert "data:image/png;base64," + base64.b64encode(b"not really a png").decode() in page.references
    assert all(reference.startswith(("#", "data:image/")) for reference in page.references)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\(|@import", html)
    # the SVG name space is a name, not an address that is asked for
    assert set(re.findall(r"https?://[^\"' <]+", html)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", [HOSTILE, HOSTILE + "\n\u202e\x07", "=cmd()|' /C calc'!A0", "</svg></td><img src=x onerror=alert(1)>"])
def test_hostile_text_is_only_text(name: str) -> None:
    page = Page(render(report(name, "land", text=name + "</pre></style></title>")))
    plain = Page(render(report("sea", "land")))
    assert page.tags == plain.tags
    assert page.handlers == []
    assert page.open == []
    assert any(name in text for text in page.texts)


def test_the_direction_of_writing_is_not_turned_in_drawings_and_sentences() -> None:
    html = render(report("\u202eevil", "land"))
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    words = "".join(re.findall(r'<p class="words">.*?</p>', html, re.DOTALL))
    assert "\u202e" not in drawings + words
    assert "evil" in drawings
    assert "evil" in words


def test_empty_parts_are_left_out() -> None:
    html = render(Report(title="nothing yet", legend=legend("sea", "land")))
    assert "nothing yet" in html
    assert "<section" not in html
    assert 'role="alert"' not in html


@pytest.mark.parametrize("scheme", ["prefers-color-scheme: dark", "@media print"])
def test_page_cares_for_dark_rooms_and_paper(scheme: str) -> None:
    assert scheme in render(Report(title="t", legend=legend("sea", "land")))


def test_error_colours_are_explained_for_the_classes_at_hand() -> None:
    assert [key.name for key in error_keys(["sea", "land"])] == ["missed: predicted as sea", "false alarm: truth is sea"]
    assert len(error_keys(["sea", "land", "ice"])) == 3


def test_written_whole(tmp_path: Path) -> None:
    told = report("sea", "länd \U0001f30a")
    write_report(tmp_path / "new" / "report.html", told)
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == render(told)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]
