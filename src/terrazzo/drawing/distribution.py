"""Histograms of bands as PNG: one band with its figures, a band by class, all bands on one sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.drawing.canvas import FAINT, INK, MUTED, Canvas, fitted, text_width, tick_names
from terrazzo.drawing.chart import Axis
from terrazzo.labels.colors import Color

WIDTH, HEIGHT = 860, 490
PLOT = (64, 108, 596, 438)
"""Left, top, right and bottom of the plot in a chart of one band."""
CELL = (300, 196)
CELL_PLOT = (14, 34, 286, 166)
"""Of a sheet: size of a chart, and the plot in it."""
COLUMNS = 4
MOST_CELLS = 100
BLUE: Color = (63, 127, 191)
GREY: Color = (150, 158, 168)
ORANGE: Color = (200, 98, 45)
DOMINANT = 8.0
"""From this ratio of the largest bin to the second largest on, or of the largest to the mean of all bins that hold something times
three, heights are logarithmic: one bin would hide the rest."""
DECADES = 5
"""Of a logarithmic axis, at most."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A histogram, as shares of all values that it was made of."""

    name: str
    color: Color
    shares: NDArray[np.float64]
    """(bins,)."""
    solid: bool = True
    """Filled, or thinly so with an outline."""


@dataclass(frozen=True, kw_only=True)
class BandChart:
    """What is shown of a band."""

    title: str
    subtitle: str
    low: float
    """Where the first bin begins."""
    high: float
    """Where the last one ends."""
    curves: Sequence[Curve]
    """At least one; the first is drawn first."""
    marks: Sequence[tuple[str, float]] = ()
    """Values that are marked, with a short name."""
    figures: Sequence[tuple[str, str]] = ()
    """What is told beside the plot."""
    note: str = ""
    """What is told below it."""
    x_label: str = "value"
    y_label: str = "% of pixels in a bin"


def band_png(chart: BandChart) -> bytes:
    """A histogram with its axes, marks and figures."""
    canvas = Canvas(WIDTH, HEIGHT)
    _head(canvas, chart)
    _plot(canvas, chart, PLOT, marked=True)
    left, top = PLOT[2] + 32, PLOT[1] + 8
    for number, (name, value) in enumerate(chart.figures):
        y = top + number * 21
        canvas.text((left, y), name, 12, MUTED)
        canvas.text((WIDTH - 24, y), value, 12, INK, "rs")
        canvas.line([(left, y + 6), (WIDTH - 24, y + 6)], FAINT)
    return canvas.png()


def classes_png(chart: BandChart) -> bytes:
    """Histograms of classes over each other, each as shares of its own class, with a legend that holds `figures`, one a curve."""
    rows = len(chart.curves)
    height = max(HEIGHT, PLOT[1] + rows * 34 + 40)
    canvas = Canvas(WIDTH, height)
    _head(canvas, chart)
    _plot(canvas, chart, (PLOT[0], PLOT[1], PLOT[2], height - (HEIGHT - PLOT[3])), marked=False)
    left, top = PLOT[2] + 32, PLOT[1] + 2
    for number, (curve, (name, value)) in enumerate(zip(chart.curves, chart.figures, strict=True)):
        y = top + number * 34
        canvas.box((left - 1, y - 9, left + 13, y + 5), GREY)
        canvas.box((left, y - 8, left + 12, y + 4), curve.color)
        canvas.text((left + 20, y + 2), fitted(name, WIDTH - left - 44, 12.5), 12.5)
        canvas.text((left + 20, y + 17), fitted(value, WIDTH - left - 44, 11), 11, MUTED)
    return canvas.png()


def sheet_png(title: str, subtitle: str, charts: Sequence[BandChart]) -> bytes:
    """All bands on one sheet; of very many the first MOST_CELLS, which it says."""
    shown = charts[:MOST_CELLS]
    columns = min(COLUMNS, max(len(shown), 2))
    rows = math.ceil(len(shown) / columns)
    canvas = Canvas(columns * CELL[0] + 24, rows * CELL[1] + 84)
    rest = f"; the first {len(shown)} of {len(charts)} bands" if len(charts) > len(shown) else ""
    canvas.text((24, 34), fitted(title, canvas.width - 48, 19), 19)
    canvas.text((24, 56), fitted(subtitle + rest, canvas.width - 48, 12), 12, MUTED)
    for number, chart in enumerate(shown):
        left, top = 12 + number % columns * CELL[0], 72 + number // columns * CELL[1]
        _cell(canvas, chart, left, top)
    return canvas.png()


def _cell(canvas: Canvas, chart: BandChart, left: float, top: float) -> None:
    frame = (left + CELL_PLOT[0], top + CELL_PLOT[1], left + CELL_PLOT[2], top + CELL_PLOT[3])
    told = "   ".join(f"{name} {value}" for name, value in chart.figures)
    canvas.text((frame[0], top + 22), fitted(chart.title, 120, 13), 13)
    canvas.text((frame[2], top + 22), fitted(told, 148, 10.5), 10.5, MUTED, "rs")
    heights, scale = _heights(chart.curves)
    across = Axis(low=chart.low, high=chart.high, start_px=frame[0], end_px=frame[2])
    for curve in chart.curves:
        _filled(canvas, curve, across, scale.axis(frame[3], frame[1]), frame[3])
    canvas.line([(frame[0], frame[3]), (frame[2], frame[3])], MUTED)
    ticks = across.ticks()
    for value, name in _apart(across, ticks, 10.5):
        canvas.line([(across.at(value), frame[3]), (across.at(value), frame[3] + 4)], MUTED)
        canvas.text((across.at(value), frame[3] + 17), name, 10.5, MUTED, "ms")
    if scale.log and heights:
        canvas.text((frame[2], frame[1] + 8), "log", 10, MUTED, "rs")


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """Heights: shares in percent from low to high."""

    low: float
    high: float
    log: bool

    def axis(self, bottom: float, top: float) -> Axis:
        return Axis(low=self.low, high=self.high, start_px=bottom, end_px=top, log=self.log)


def _heights(curves: Sequence[Curve]) -> tuple[list[float], _Scale]:
    """All shares above nought in percent, and the scale that shows them."""
    heights = sorted(float(share) * 100 for curve in curves for share in curve.shares if share > 0)
    if not heights:
        return [], _Scale(low=0.0, high=1.0, log=False)
    largest = heights[-1]
    if any(_dominated(curve.shares) for curve in curves):
        high = 10.0 ** math.ceil(math.log10(largest) - 1e-9)
        low = max(10.0 ** math.floor(math.log10(heights[0])), high / 10**DECADES)
        return heights, _Scale(low=min(low, high / 10), high=high, log=True)
    return heights, _Scale(low=0.0, high=largest * 1.06, log=False)


def _dominated(shares: NDArray[np.float64]) -> bool:
    there = np.sort(shares[shares > 0])
    if len(there) < 4:
        return False
    return bool(there[-1] > DOMINANT * there[-2] or (there[-1] > 3 * DOMINANT * there.mean() and there[-1] > 0.2))


def _head(canvas: Canvas, chart: BandChart) -> None:
    canvas.text((24, 34), fitted(chart.title, WIDTH - 48, 19), 19)
    canvas.text((24, 56), fitted(chart.subtitle, WIDTH - 48, 12), 12, MUTED)


def _plot(canvas: Canvas, chart: BandChart, frame: tuple[float, float, float, float], *, marked: bool) -> None:
    left, top, right, bottom = frame
    _, scale = _heights(chart.curves)
    across = Axis(low=chart.low, high=chart.high, start_px=left, end_px=right)
    upward = scale.axis(bottom, top)
    ticks = upward.ticks()
    names = [f"{value:g}" for value in ticks] if scale.log else tick_names(ticks)
    for value, name in zip(ticks, names, strict=True):
        canvas.line([(left, upward.at(value)), (right, upward.at(value))], FAINT)
        canvas.text((left - 8, upward.at(value)), name, 11, MUTED, "rm")
    canvas.text((left - 40, top - 26), chart.y_label + (", logarithmic" if scale.log else ""), 11, MUTED)
    for curve in chart.curves:
        _filled(canvas, curve, across, upward, bottom)
    canvas.line([(left, bottom), (right, bottom)], MUTED)
    for value, name in _apart(across, across.ticks(), 11):
        canvas.line([(across.at(value), bottom), (across.at(value), bottom + 5)], MUTED)
        canvas.text((across.at(value), bottom + 19), name, 11, MUTED, "ms")
    canvas.text(((left + right) / 2, bottom + 38), fitted(chart.x_label, right - left, 11), 11, MUTED, "ms")
    if marked:
        _marks(canvas, chart, across, (top, bottom))
    if chart.note:
        canvas.text((WIDTH - 24, bottom + 38), fitted(chart.note, WIDTH - right - 40, 11), 11, MUTED, "rs")


def _marks(canvas: Canvas, chart: BandChart, across: Axis, ends: tuple[float, float]) -> None:
    """Dashed lines at values; names that would meet are left out."""
    taken = -math.inf
    for name, value in sorted(chart.marks, key=lambda mark: mark[1]):
        x = across.at(value)
        if not across.start_px <= x <= across.end_px:
            continue
        for y in range(round(ends[0]), round(ends[1]), 8):
            canvas.line([(x, y), (x, min(y + 4, ends[1]))], ORANGE, alpha=190)
        half = text_width(name, 10.5) / 2
        if x - half > taken + 4:
            canvas.text((x, ends[0] - 6), name, 10.5, ORANGE, "ms")
            taken = x + half


def _apart(axis: Axis, ticks: Sequence[float], size: float) -> list[tuple[float, str]]:
    """Ticks with their names, every second or third if they would meet."""
    names = tick_names(ticks)
    if len(ticks) < 2:
        return list(zip(ticks, names, strict=True))
    room = abs(axis.at(ticks[1]) - axis.at(ticks[0]))
    every = math.ceil((max(text_width(name, size) for name in names) + 10) / room)
    return list(zip(ticks, names, strict=True))[::every]


def _filled(canvas: Canvas, curve: Curve, across: Axis, upward: Axis, bottom: float) -> None:
    """The steps of a histogram."""
    edges = np.linspace(across.start_px, across.end_px, len(curve.shares) + 1).tolist()
    heights = [upward.at(max(share * 100, upward.low)) if share > 0 else bottom for share in curve.shares.tolist()]
    tops = [(edges[number + side], height) for number, height in enumerate(heights) for side in (0, 1)]
    outline = [(edges[0], bottom), *tops, (edges[-1], bottom)]
    canvas.area(outline, curve.color, 235 if curve.solid else 44)
    if not curve.solid:
        canvas.line(outline, _readable(curve.color), 1.4)


def _readable(color: Color) -> Color:
    """The colour, darkened as far as it takes to be seen on white."""
    light = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    factor = min(1.0, 175 / light) if light else 1.0
    red, green, blue = (round(level * factor) for level in color)
    return red, green, blue
