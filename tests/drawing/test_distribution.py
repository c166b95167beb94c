"""Histograms as PNG."""

import io

import numpy as np
import pytest
from PIL import Image

from terrazzo.drawing import distribution
from terrazzo.drawing.canvas import Canvas, figure_text, fitted, printable, text_width, tick_names
from terrazzo.drawing.distribution import BLUE, BandChart, Curve, band_png, classes_png, sheet_png


def picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def chart(shares: list[float], **options: object) -> BandChart:
    curves = [Curve(name="valid", color=BLUE, shares=np.array(shares))]
    return BandChart(**{"title": "Band 1", "subtitle": "1 image", "low": 0.0, "high": 10.0, "curves": curves, **options})  # type: ignore[arg-type]


def has_color(image: Image.Image, color: tuple[int, int, int], near: int = 30) -> bool:
    return bool((np.abs(np.asarray(image, int) - color).max(axis=2) < near).any())


def test_a_band_shows_its_bars() -> None:
    full, empty = (picture(band_png(chart(shares))) for shares in ([0.2, 0.5, 0.3], [0.0, 0.0, 0.0]))
    assert has_color(full, BLUE)
    assert not has_color(empty, BLUE)


def test_bars_are_as_high_as_their_shares() -> None:
    image = np.asarray(picture(band_png(chart([0.25, 0.5, 0.25]))), int)
    left, top, right, bottom = (value * 2 for value in distribution.PLOT)
    blue = np.abs(image[top:bottom, left:right] - BLUE).max(axis=2) < 40
    widths = np.array_split(np.arange(right - left), 3)
    heights = [int(blue[:, columns[len(columns) // 2]].sum()) for columns in widths]
    assert heights[0] == pytest.approx(heights[2], abs=2)
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.03)


def test_one_dominant_bin_makes_heights_logarithmic() -> None:
    spiked = np.array([0.96, 0.01, 0.01, 0.01, 0.01])
    assert distribution._heights([Curve(name="", color=BLUE, shares=spiked)])[1].log
    assert not distribution._heights([Curve(name="", color=BLUE, shares=np.full(5, 0.2))])[1].log


def test_names_of_classes_are_only_text() -> None:
    names = ["<script>alert(1)</script>", "=cmd()", "right\u202eleft", "line\nbreak", "\U0001f30a", "x" * 400]
    curves = [Curve(name=name, color=(230, 159, 0), shares=np.array([0.5, 0.5]), solid=False) for name in names]
    image = picture(classes_png(chart([], curves=curves, figures=[(name, "10 %") for name in names], title=names[2], note=names[5])))
    assert image.size[0] == distribution.WIDTH * 2


def test_a_sheet_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "MOST_CELLS", 3)
    assert picture(sheet_png("All", "5 bands", [chart([1.0])] * 5)).size == picture(sheet_png("All", "3 bands", [chart([1.0])] * 3)).size


def test_ticks_differ() -> None:
    assert tick_names([0.0, 500.0, 1000.0]) == ["0", "500", "1,000"]
    assert tick_names([0.1, 0.15, 0.2]) == ["0.10", "0.15", "0.20"]
    assert len(set(tick_names([1e12, 1e12 + 1e6, 1e12 + 2e6]))) == 3
    assert tick_names([0.0, 1e-7, 2e-7]) == ["0", "1e-7", "2e-7"]


def test_figures() -> None:
    assert [figure_text(value) for value in (3.0, 1234567, 0.123456789, 1e-9, -2.5e20)] == [
        "3",
        "1,234,567",
        "0.12346",
        "1e-09",
        "-2.5e+20",
    ]


def test_text_is_cut_to_fit() -> None:
    assert text_width(fitted("a long name of a band", 60)) <= 60
    assert fitted("short", 60) == "short"
    assert printable("a\nb\u202ec") == "a b c"


def test_places_are_units_of_the_canvas() -> None:
    canvas = Canvas(10, 6)
    canvas.box((2, 1, 4, 3), (0, 0, 255))
    blue = np.asarray(picture(canvas.png()))[..., 2] > np.asarray(picture(canvas.png()))[..., 0]
    np.testing.assert_array_equal(np.argwhere(blue)[[0, -1]], [[2, 4], [5, 7]])
