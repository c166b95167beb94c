"""Charts of shares over shares as SVG text, both axes from 0 to 1, for light and dark pages alike: reliability, precision over recall."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrazzo.drawing.chart import FONT, INKS, Axis, Point, short, xml_text

LEFT, TOP, SIDE = 52, 40, 300
KEY_PX, KEYS = 19, 24
"""Height of a line of the key, and where it begins below the plot."""
WIDTH = LEFT + SIDE + 20
NAME_CHARACTERS = 44
BAR_PX = 46
"""Height of the highest bar at the foot of a plot."""


@dataclass(frozen=True, kw_only=True)
class ShareLine:
    """A line of a chart; its key stands below the plot."""

    name: str
    points: Sequence[Point]
    """(x, y), each 0 to 1, from left to right."""
    marks: Sequence[Point] = ()
    """Points that are marked, and tell their values when the pointer rests on them."""
    color: str | None = None
    """None: the next of INKS."""
    strong: bool = True


def share_chart(
    title: str, lines: Sequence[ShareLine], labels: tuple[str, str], *, diagonal: bool = False, bars: Sequence[float] = ()
) -> str:
    """A square chart, and below it the names of the lines.

    labels: of the axes, across and up. diagonal: draw where both shares are equal. bars: heights of bins of equal width from 0 to 1 at the
    foot of the plot, any unit.
    """
    across = Axis(low=0, high=1, start_px=LEFT, end_px=LEFT + SIDE)
    up = Axis(low=0, high=1, start_px=TOP + SIDE, end_px=TOP)
    colors = [line.color or INKS[number % len(INKS)] for number, line in enumerate(lines)]
    parts = [_grid(across, up, labels), _bars(bars)]
    if diagonal:
        parts.append(
            f'<path d="M{LEFT} {TOP + SIDE}L{LEFT + SIDE} {TOP}" stroke="currentColor" stroke-opacity=".5" stroke-dasharray="5 4"/>'
        )
    parts += [_line(line, color, across, up) for line, color in zip(lines, colors, strict=True)]
    below = TOP + SIDE + 34 + KEYS
    for number, (line, color) in enumerate(zip(lines, colors, strict=True)):
        y = below + number * KEY_PX
        parts.append(f'<path d="M{LEFT} {y - 4}h18" stroke="{color}" stroke-width="3"/>')
        parts.append(
            f'<text x="{LEFT + 26}" y="{y}" fill="currentColor">{xml_text(short(line.name, NAME_CHARACTERS))}'
            f"<title>{xml_text(line.name)}</title></text>"
        )
    height = below + max(0, len(lines) - 1) * KEY_PX + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{xml_text(title)}" style="{FONT};font-size:12px">'
        f'<text x="{LEFT}" y="20" fill="currentColor" font-size="14" font-weight="600">{xml_text(title)}</text>{"".join(parts)}</svg>'
    )


def _grid(across: Axis, up: Axis, labels: tuple[str, str]) -> str:
    parts = []
    muted = 'fill="currentColor" fill-opacity=".66"'
    for value in across.ticks():
        x, y, name = across.at(value), up.at(value), across.name(round(value, 3))
        parts.append(f'<path d="M{LEFT} {y:.1f}h{SIDE}M{x:.1f} {TOP}v{SIDE}" stroke="currentColor" stroke-opacity=".12"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {muted}>{name}</text>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 17}" text-anchor="middle" {muted}>{name}</text>')
    middle = TOP + SIDE / 2
    parts.append(f'<text x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 34}" text-anchor="middle" {muted}>{xml_text(labels[0])}</text>')
    parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle" {muted}>{xml_text(labels[1])}</text>')
    return "".join(parts)


def _bars(heights: Sequence[float]) -> str:
    largest = max(heights, default=0.0)
    if not largest:
        return ""
    width, foot = SIDE / len(heights), TOP + SIDE
    path = "".join(
        f"M{LEFT + place * width + 1:.1f} {foot}v{-max(height / largest * BAR_PX, 1):.1f}h{width - 2:.1f}V{foot}Z"
        for place, height in enumerate(heights)
        if height > 0
    )
    return f'<path d="{path}" fill="currentColor" fill-opacity=".16"/>'


def _line(line: ShareLine, color: str, across: Axis, up: Axis) -> str:
    path = "L".join(f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in line.points)
    parts = []
    if path:
        width = 2.2 if line.strong else 1.3
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"/>')
    radius = 4 if line.strong else 2.5
    for x, y in line.marks:
        told = xml_text(f"{line.name}: {x:.3f}, {y:.3f}")
        parts.append(f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="{radius}" fill="{color}"><title>{told}</title></circle>')
    return "".join(parts)
