"""The confusion matrix as SVG text, for light and dark pages alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrazzo.drawing.chart import FONT, short, xml_text
from terrazzo.errors import UsageError

FILL = "#3f7fbf"
MOST_WRITTEN = 12
"""With more classes than these, cells are small and tell their figures when the pointer rests on them."""
NAME_CHARACTERS = 20
CHARACTER_PX = 7.4
"""Width of a character, a little more than the mean."""
SLANT = 0.72
"""Sine and cosine, nearly, of the 45 degrees at which long names of columns stand."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where the cells are, in pixels."""

    names: Sequence[str]
    """As they are shown."""
    width: float
    height: float
    written: bool
    """Whether cells hold text."""

    @property
    def name_px(self) -> float:
        return CHARACTER_PX * max(len(name) for name in self.names)

    @property
    def upright(self) -> bool:
        """Whether the names of columns fit above their cells as they are."""
        return self.written and self.name_px <= self.width

    @property
    def left(self) -> float:
        return self.name_px + 34

    @property
    def top(self) -> float:
        return 52.0 if self.upright else self.name_px * SLANT + 42

    @property
    def total(self) -> tuple[float, float]:
        """(width, height)."""
        beyond = 2.0 if self.upright else self.name_px * SLANT
        return self.left + self.width * len(self.names) + beyond, self.top + self.height * len(self.names) + 2


def confusion_matrix(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Pixels by true class (rows) and predicted class (columns); shades and percentages are shares of the row.

    counts: (classes, classes). names: one a class.
    Raises UsageError if the sizes differ.
    """
    if not names or len(counts) != len(names) or any(len(row) != len(names) for row in counts):
        raise UsageError(f"The confusion matrix has {len(counts)} rows for {len(names)} class names; it needs a row and a column a class.")
    written = len(names) <= MOST_WRITTEN
    cell_width, cell_height = (86, 54) if written else (26, 26)
    layout = _Layout(names=[short(name, NAME_CHARACTERS) for name in names], width=cell_width, height=cell_height, written=written)
    parts = [_heads(layout)]
    for row, truth in enumerate(names):
        total = sum(counts[row])
        for column, predicted in enumerate(names):
            share = counts[row][column] / total if total else None
            told = f"{truth} predicted as {predicted}: {counts[row][column]:,} pixels{'' if share is None else f', {share:.2%}'}"
            parts.append(_cell(layout, (row, column), share, written_count(counts[row][column]), told))
    width, height = layout.total
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'role="img" aria-label="Confusion matrix" style="{FONT};font-size:13px">{"".join(parts)}</svg>'
    )


def written_count(count: int) -> str:
    """A count in at most six characters: 9876, 12.3 k, 4.56 M."""
    if count < 10_000:
        return str(count)
    unit, name = next((unit, name) for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if count >= 0.9995 * unit)
    return f"{count / unit:.3g} {name}"


def _cell(layout: _Layout, place: tuple[int, int], share: float | None, count: str, told: str) -> str:
    x, y = layout.left + place[1] * layout.width, layout.top + place[0] * layout.height
    opacity = (share or 0.0) * 0.95
    # faint shades for the few percent that are the errors one looks for
    opacity = max(opacity, 0.07) if share else 0.0
    box = (
        f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{layout.width - 2:.1f}" height="{layout.height - 2:.1f}" rx="4" fill="{FILL}" '
        f'fill-opacity="{opacity:.3f}" stroke="currentColor" stroke-opacity=".16"><title>{xml_text(told)}</title></rect>'
    )
    if not layout.written:
        return box
    ink = "#ffffff" if opacity > 0.6 else "currentColor"
    middle = x + layout.width / 2
    strong = "&#8211;" if share is None else _percent(share)
    style = 'text-anchor="middle" pointer-events="none"'
    return (
        f'{box}<text x="{middle:.1f}" y="{y + layout.height / 2 - 1:.1f}" {style} font-weight="600" fill="{ink}">{strong}</text>'
        f'<text x="{middle:.1f}" y="{y + layout.height / 2 + 15:.1f}" {style} font-size="11" fill="{ink}" fill-opacity=".8">{count}</text>'
    )


def _percent(share: float) -> str:
    """0 %, < 0.1 %, 3.4 %, 100 %: never rounded to all or nothing."""
    percent = share * 100
    if 0 < percent < 0.1:
        return "&lt; 0.1 %"
    if 99.9 < percent < 100:
        return "&gt; 99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.1f} %"


def _heads(layout: _Layout) -> str:
    """Names of rows and columns, and what they are."""
    parts = []
    middle_x = layout.left + layout.width * len(layout.names) / 2
    middle_y = layout.top + layout.height * len(layout.names) / 2
    style = 'text-anchor="middle" fill="currentColor" fill-opacity=".66" font-size="12"'
    parts.append(f'<text x="{middle_x:.1f}" y="14" {style}>predicted</text>')
    parts.append(f'<text transform="translate(14 {middle_y:.1f}) rotate(-90)" {style}>truth</text>')
    for number, name in enumerate(layout.names):
        y = layout.top + (number + 0.5) * layout.height + 4
        parts.append(f'<text x="{layout.left - 8:.1f}" y="{y:.1f}" text-anchor="end" fill="currentColor">{xml_text(name)}</text>')
        x = layout.left + (number + 0.5) * layout.width
        turned = ' text-anchor="middle"' if layout.upright else ""
        turn = f"translate({x:.1f} {layout.top - 10:.1f}){'' if layout.upright else ' rotate(-45)'}"
        parts.append(f'<text transform="{turn}"{turned} fill="currentColor">{xml_text(name)}</text>')
    return "".join(parts)
