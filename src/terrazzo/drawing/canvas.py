"""A white sheet for charts as PNG: text, lines and areas at the resolution of good screens."""

import functools
import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from terrazzo.labels.colors import Color

SCALE = 2
"""Pixels of the picture in one unit of the canvas."""
INK: Color = (34, 40, 49)
MUTED: Color = (104, 113, 125)
FAINT: Color = (226, 230, 235)
OPAQUE = 255
SOFTWARE = "Software"
"""The text of a PNG that says what made it."""


class Canvas:
    """What is drawn on; places are in units from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), "white")
        # in this mode what is drawn is blended with what is there
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def text(self, place: tuple[float, float], text: str, size: float = 12, color: Color = INK, anchor: str = "ls") -> None:
        """Write one line. anchor: l, m or r, then s for the base line, or m for the middle."""
        self._draw.text(_scaled(place), printable(text), fill=color, font=_font(size), anchor=anchor)

    def line(self, points: Sequence[tuple[float, float]], color: Color, width: float = 1, alpha: int = OPAQUE) -> None:
        """Lines through points."""
        self._draw.line([_scaled(point) for point in points], fill=(*color, alpha), width=max(1, round(width * SCALE)), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], color: Color, alpha: int = OPAQUE) -> None:
        """A filled polygon."""
        self._draw.polygon([_scaled(point) for point in points], fill=(*color, alpha))

    def box(self, corners: tuple[float, float, float, float], color: Color) -> None:
        """A filled rectangle: left, top, right, bottom."""
        left, top, right, bottom = (round(value * SCALE) for value in corners)
        if right > left and bottom > top:
            self._draw.rectangle((left, top, right - 1, bottom - 1), fill=color)

    def picture(self, place: tuple[float, float], picture: NDArray[np.uint8]) -> None:
        """Put a picture (height, width, 3) with its upper left corner at a place; SCALE of its pixels make a unit."""
        left, top = _scaled(place)
        self._image.paste(Image.fromarray(picture), (round(left), round(top)))

    def png(self, made_by: str | None = None) -> bytes:
        """The picture as PNG; made_by is kept in it as its software."""
        buffer, note = io.BytesIO(), PngInfo()
        if made_by is not None:
            note.add_text(SOFTWARE, made_by)
        # a search for the smallest file takes three times as long and saves two percent
        self._image.save(buffer, format="PNG", pnginfo=note)
        return buffer.getvalue()


def text_width(text: str, size: float = 12) -> float:
    """How wide a line is."""
    return float(_font(size).getlength(printable(text))) / SCALE


def fitted(text: str, width: float, size: float = 12) -> str:
    """The text, cut with an ellipsis to be no wider."""
    if text_width(text, size) <= width:
        return text
    kept = text
    while kept and text_width(kept + "...", size) > width:
        kept = kept[:-1]
    return kept + "..."


def printable(text: str) -> str:
    """The text on one line, without control characters and marks of direction."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def tick_names(values: Sequence[float]) -> list[str]:
    """Round values of even steps as short texts that differ."""
    largest = max((abs(value) for value in values), default=0.0)
    step = abs(values[1] - values[0]) if len(values) > 1 else largest or 1.0
    if largest >= 1e7 or step < 1e-5:
        digits = max(0, math.floor(math.log10(max(largest, step))) - math.floor(math.log10(step)))
        return [
            f"{value:.{min(digits, 15)}e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e") if value else "0" for value in values
        ]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def figure_text(value: float) -> str:
    """A figure in a table of a chart: whole numbers whole, others with five digits."""
    if float(value).is_integer() and abs(value) < 1e12:
        return f"{int(value):,}"
    return f"{value:,.5g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.4g}"


@functools.lru_cache(64)
def _font(size: float) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    return ImageFont.load_default(size * SCALE)


def _scaled(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * SCALE, place[1] * SCALE
