"""Samples on one sheet, a line each: pictures under common headings, with what there is to say of each, and the key of the colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from terrazzo.drawing.canvas import INK, MUTED, SCALE, Canvas, fitted, text_width
from terrazzo.drawing.overlay import scale_bar
from terrazzo.drawing.rgb import Picture
from terrazzo.labels.colors import Color

CELL = 168.0
"""Side of the square that holds a picture, in units of the canvas."""
GAP, MARGIN, CAPTION, HEAD, FOOT = 8.0, 20.0, 22.0, 58.0, 44.0


@dataclass(frozen=True, kw_only=True)
class SheetRow:
    """One line of a sheet."""

    caption: str
    pictures: Sequence[Picture]
    """One a heading; each (height, width, 3) of any size, shown whole."""
    more: Sequence[str] = ()
    """Captions of further samples, where the line shows several with as many pictures each."""
    mark: Color | None = None
    """Colour of the dot before the caption."""


@dataclass(frozen=True, kw_only=True)
class SheetKey:
    """A colour and what it stands for."""

    color: Color
    name: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What a sheet shows; SheetRow by SheetRow from the top."""

    title: str
    headings: Sequence[str]
    rows: Sequence[SheetRow]
    keys: Sequence[SheetKey] = ()
    scale: tuple[float, str] | None = None
    """Where the scale of probabilities starts, and what it is of."""


def sheet_png(sheet: Sheet, made_by: str | None = None) -> bytes:
    """The sheet as PNG; made_by is kept in it as its software."""
    width = 2 * MARGIN + len(sheet.headings) * (CELL + GAP) - GAP
    tall = [_row_height(row) for row in sheet.rows]
    canvas = Canvas(width, HEAD + sum(tall) + _foot_height(sheet, width))
    canvas.text((MARGIN, 26), fitted(sheet.title, width - 2 * MARGIN, 15), size=15)
    for column, heading in enumerate(sheet.headings):
        canvas.text((MARGIN + column * (CELL + GAP), HEAD - 8), fitted(heading, CELL, 11), size=11, color=MUTED)
    top = HEAD
    for row, height in zip(sheet.rows, tall, strict=True):
        _draw_row(canvas, row, top)
        top += height
    _draw_foot(canvas, sheet, top)
    return canvas.png(made_by)


def fitted_picture(picture: Picture, side: int) -> Picture:
    """The picture, its longer side brought to `side` pixels: reduced by means, enlarged with its pixels as squares, nearly."""
    height, width = picture.shape[:2]
    longer = max(height, width)
    size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if longer > side else cv2.INTER_NEAREST), np.uint8)


def _row_height(row: SheetRow) -> float:
    tallest = max((fitted_picture(picture, round(CELL * SCALE)).shape[0] for picture in row.pictures), default=0)
    return CAPTION + tallest / SCALE + GAP


def _draw_row(canvas: Canvas, row: SheetRow, top: float) -> None:
    left = MARGIN
    if row.mark is not None:
        canvas.box((left, top + 7, left + 8, top + 15), row.mark)
        left += 13
    share = (CELL + GAP) * len(row.pictures) / (1 + len(row.more)) if row.more else canvas.width - MARGIN
    canvas.text((left, top + 15), fitted(row.caption, MARGIN + share - GAP - left, 11), size=11, color=INK)
    for number, caption in enumerate(row.more, start=1):
        canvas.text((MARGIN + number * share, top + 15), fitted(caption, share - GAP, 11), size=11, color=INK)
    for column, picture in enumerate(row.pictures):
        canvas.picture((MARGIN + column * (CELL + GAP), top + CAPTION), fitted_picture(picture, round(CELL * SCALE)))


def _key_lines(sheet: Sheet, width: float) -> list[list[SheetKey]]:
    """The keys, as many a line as there is room for."""
    lines: list[list[SheetKey]] = [[]]
    used = 0.0
    for key in sheet.keys:
        needed = text_width(key.name, 11) + 30
        if lines[-1] and used + needed > width - 2 * MARGIN:
            lines.append([])
            used = 0.0
        lines[-1].append(key)
        used += needed
    return lines


def _foot_height(sheet: Sheet, width: float) -> float:
    return FOOT + 18 * (len(_key_lines(sheet, width)) - 1) + (26 if sheet.scale is not None else 0)


def _draw_foot(canvas: Canvas, sheet: Sheet, top: float) -> None:
    line_top = top + 10
    for line in _key_lines(sheet, canvas.width):
        left = MARGIN
        for key in line:
            canvas.box((left - 0.5, line_top - 0.5, left + 12.5, line_top + 12.5), MUTED)
            canvas.box((left, line_top, left + 12, line_top + 12), key.color)
            canvas.text((left + 17, line_top + 10), fitted(key.name, canvas.width - MARGIN - left - 17, 11), size=11, color=MUTED)
            left += text_width(key.name, 11) + 30
        line_top += 18
    if sheet.scale is not None:
        low, name = sheet.scale
        canvas.picture((MARGIN, line_top + 6), scale_bar(12 * SCALE, 120 * SCALE))
        canvas.text((MARGIN + 128, line_top + 16), f"{low:g} to 1: {name}", size=11, color=MUTED)
