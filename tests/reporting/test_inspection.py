from pathlib import Path

import pytest

from terrazzo.reporting.inspection import (
    FIGURES,
    BandLine,
    ClassLine,
    FileLine,
    Inspection,
    Picture,
    Sheet,
    render_inspection,
    visible,
    write_inspection,
)

HOSTILE = "<script>alert(1)</script>\"'&=cmd()\u202egnp\x07"


def sheet(text: str) -> Sheet:
    picture = Picture(kind="png", data=b"not really a png", size=(3, 4), caption=text)
    return Sheet(
        title=text,
        heading=text,
        rows=[(text, text)],
        problems=[text],
        classes=[ClassLine(name=text, color="#112233", share="3.00%", percent=3.0)],
        bands=[BandLine(name=text, figures=("1", *[""] * (len(FIGURES) - 1)), histogram="")],
        pictures=[picture, picture],
        files=[FileLine(name=text, cells=(text,) * 5)],
        note="The first 2 of 3 files.",
    )


def test_all_text_is_escaped() -> None:
    html = render_inspection(Inspection(title=HOSTILE, lead="lead", unusable=[HOSTILE], sheets=[sheet(HOSTILE)] * 3))
    assert "<script" not in html
    assert "\u202e" not in html
    assert "\x07" not in html
    assert html.count("&lt;script&gt;") > 10
    assert "default-src 'none'" in html


def test_empty_parts_are_left_out() -> None:
    html = render_inspection(Inspection(title="t", lead="l", sheets=[Sheet(title="a", heading="b")]))
    for part in ("<table", "<img", "<ul", "<nav", "<figure"):
        assert part not in html


def test_columns_without_figures_are_left_out() -> None:
    html = render_inspection(Inspection(title="t", lead="l", sheets=[sheet("x")]))
    assert f'<th scope="col">{FIGURES[0]}</th>' in html
    assert f'<th scope="col">{FIGURES[-1]}</th>' not in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain, ä, 日本, 🙂", "plain, ä, 日本, 🙂"), ("a\nb", "a\nb"), ("a\tb", "a\\tb"), ("\u202eabc", "\\u202eabc"), ("\udcff", "\\udcff")],
)
def test_signs_that_do_not_show_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    write_inspection(tmp_path / "new" / "page.html", Inspection(title="\udcff", lead="l"))
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
