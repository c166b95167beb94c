"""Line charts as SVG text, for light and dark pages alike.

Ink is the colour of the text around the chart (`currentColor`), lines are mid-tones that stand out from white and from black,
nothing is loaded from anywhere. Each point tells its value when the pointer rests on it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

INKS = ("#3f7fbf", "#c8622d", "#3d9466", "#9269b8", "#b58518", "#2b95a3", "#c45a83", "#7b8794")
WIDTH, HEIGHT = 540, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 118, 40, 40
LABEL_PX = 15
"""Least distance of two labels at the ends of lines."""
LOG_RATIO = 200.0
"""Positive values that span more than this ratio are drawn on a logarithmic axis."""
MOST_MARKS = 60
FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif"

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of a chart."""

    name: str
    points: Sequence[Point]
    """(x, y); gaps are simply left out."""
    strong: bool = True
    """Thick, or thin for what is only context."""
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values of one direction and where they lie."""

    low: float
    high: float
    start_px: float
    end_px: float
    log: bool = False

    def at(self, value: float) -> float:
        """Position of a value in pixels."""
        low, high, value = (math.log10(part) for part in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start_px + (value - low) / (high - low) * (self.end_px - self.start_px)

    def ticks(self) -> list[float]:
        """Round values along the axis: decades where logarithmic."""
        if self.log:
            return [10.0**power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        step = round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def name(self, value: float) -> str:
        """A tick as text, in at most six characters."""
        plain = f"{value:g}"
        if len(plain) <= 5 and "e" not in plain:
            return plain
        digits, power = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(power)}"


def line_chart(title: str, series: Sequence[Series], *, x_label: str, y_most: float | None = None) -> str:
    """A chart of lines that share their axes, named at their ends.

    x are whole numbers such as epochs; y starts at 0, or is logarithmic where positive values span LOG_RATIO.
    y_most: where the y axis ends at least; None: at the largest value. Without any point it says so.
    """
    points = [point for line in series for point in line.points]
    if not points:
        return _frame(title, _text(WIDTH / 2, HEIGHT / 2, "nothing recorded", "middle", muted=True))
    x_axis = _x_axis([x for x, _ in points])
    y_axis = _y_axis([y for _, y in points], y_most)
    parts = [_grid(x_axis, y_axis, x_label)]
    colors = [INKS[number % len(INKS)] for number in range(len(series))]
    # strong lines on top of thin ones
    for line, color in sorted(zip(series, colors, strict=True), key=lambda pair: pair[0].strong):
        parts.append(_line(line, color, x_axis, y_axis))
    parts.append(_end_labels([pair for pair in zip(series, colors, strict=True) if pair[0].points], y_axis))
    return _frame(title, "".join(parts))


def beside(charts: Sequence[str]) -> str:
    """Charts of this module next to each other in one SVG."""
    moved = "".join(chart.replace("<svg ", f'<svg x="{number * WIDTH}" ', 1) for number, chart in enumerate(charts))
    width = WIDTH * len(charts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}">{moved}</svg>'


def round_step(step: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def xml_text(text: str) -> str:
    """The text safe inside elements and attributes; control characters, which XML forbids, become the replacement character."""
    shown = "".join(letter if letter.isprintable() else " " if letter.isspace() else "\ufffd" for letter in text)
    return escape(shown, {'"': "&quot;"})


def short(text: str, most: int) -> str:
    """The text, cut with an ellipsis if it has more than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _x_axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    return Axis(low=low, high=max(high, low + 1), start_px=LEFT, end_px=WIDTH - RIGHT)


def _y_axis(values: Sequence[float], most: float | None) -> Axis:
    low, high = min(values), max(values)
    if most is None and low > 0 and high / low > LOG_RATIO:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
        return Axis(low=low, high=high, start_px=HEIGHT - BOTTOM, end_px=TOP, log=True)
    low, high = min(low, 0.0), max(high, most or 0.0)
    step = round_step((high - low or 1.0) / 5)
    return Axis(low=math.floor(low / step) * step, high=math.ceil(high / step - 1e-9) * step or step, start_px=HEIGHT - BOTTOM, end_px=TOP)


def _grid(x_axis: Axis, y_axis: Axis, x_label: str) -> str:
    parts = []
    for value in y_axis.ticks():
        y = y_axis.at(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".14"/>')
        parts.append(_text(LEFT - 8, y + 4, y_axis.name(value), "end", muted=True))
    whole = [value for value in x_axis.ticks() if float(value).is_integer()]
    parts += [_text(x_axis.at(value), HEIGHT - BOTTOM + 18, f"{value:.0f}", "middle", muted=True) for value in whole]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle", muted=True))
    return "".join(parts)


def _line(line: Series, color: str, x_axis: Axis, y_axis: Axis) -> str:
    at = [(x_axis.at(x), y_axis.at(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at) if at else ""
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    width = 2.4 if line.strong else 1.4
    parts = [f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"{dash}/>']
    radius = 2.6 if len(at) <= MOST_MARKS else 0.0
    for (x, y), (x_value, y_value) in zip(at, line.points, strict=True):
        told = xml_text(f"{line.name}, {x_value:g}: {y_value:.4g}")
        # an invisible disc is easier to hit than the mark
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="transparent"><title>{told}</title></circle>')
    return "".join(parts)


def _end_labels(lines: Sequence[tuple[Series, str]], y_axis: Axis) -> str:
    """Names right of the last points, moved apart where they would cover each other."""
    wanted = sorted((y_axis.at(line.points[-1][1]), number) for number, (line, _) in enumerate(lines))
    placed: list[float] = []
    for y, _ in wanted:
        placed.append(max(y, placed[-1] + LABEL_PX) if placed else max(y, TOP))
    overhang = max(0.0, placed[-1] - (HEIGHT - BOTTOM))
    parts = []
    for y, (_, number) in zip(placed, wanted, strict=True):
        line, color = lines[number]
        weight = ' font-weight="600"' if line.strong else ""
        parts.append(
            f'<text x="{WIDTH - RIGHT + 10}" y="{y - overhang + 4:.1f}" fill="{color}"{weight}>{xml_text(short(line.name, 16))}'
            f"<title>{xml_text(line.name)}</title></text>"
        )
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str, *, muted: bool) -> str:
    opacity = ' fill-opacity=".66"' if muted else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{opacity}>{xml_text(text)}</text>'


def _frame(title: str, content: str) -> str:
    """The SVG element around a chart."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{xml_text(title)}" style="{FONT};font-size:12px">'
        f'<text x="{LEFT}" y="20" fill="currentColor" font-size="14" font-weight="600">{xml_text(title)}</text>{content}</svg>'
    )
