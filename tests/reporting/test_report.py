import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.reporting.report import Report, SamplePanel, error_keys, render, write_report

HOSTILE = "<script>alert(1)</script>\"'&=cmd()"
VOID = {"meta", "link", "img", "br", "hr", "input"}


def legend(*names: str) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=(value * 40, 90, 0)) for value, name in enumerate(names)))


def report(*names: str, text: str = "plain") -> Report:
    confusion = Confusion(len(names))
    confusion.add(np.array([[0, 0, 1]], np.uint8), np.array([[0, 1, 1]], np.uint8))
    classes = legend(*names)
    return Report(
        title=text,
        legend=classes,
        evaluation={"pixels": pixel_scores(confusion, classes.values, classes.names), "images": 2},
        facts=[("Machine", text)],
        notices=[text],
        curves=[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "validation": {"loss": 0.3, "mean_dice": 0.9, "dice": [0.9, 0.9]}}],
        samples=[SamplePanel(kind="worst", caption=text, png=b"not really a png")],
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


def test_page_holds_every_part() -> None:
    html = render(report("sea", "land"))
    for part in ("classes", "confusion", "training", "samples", "recipe", "provenance"):
        assert f'id="{part}"' in html
    page = Page(html)
    assert page.open == []
    assert {"Mean Dice", "0.667", "worst", "plain"} <= {text.strip() for text in page.texts}


def test_notices_come_first() -> None:
    html = render(report("sea", "land", text="the map is all one class"))
    assert html.index('role="alert"') < html.index('class="cards"') < html.index('id="classes"')


def test_page_refers_to_nothing_outside_itself() -> None:
    html = render(report("sea", "land"))
    page = Page(html)
    assert page.references == ["data:image/png;base64," + base64.b64encode(b"not really a png").decode()]
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"url\(|@import", html)
    # the SVG name space is a name, not an address that is asked for
    assert set(re.findall(r"https?://[^\"' <]+", html)) == {"http://www.w3.org/2000/svg"}


def test_hostile_text_is_only_text() -> None:
    page = Page(render(report(HOSTILE, "land", text=HOSTILE + "</pre></style>")))
    assert "script" not in page.tags
    assert page.handlers == []
    assert page.open == []
    assert any(HOSTILE in text for text in page.texts)


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
