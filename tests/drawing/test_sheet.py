"""Sheets of samples: every picture whole, in its cell, and a key below."""

import io

import numpy as np
import pytest
from PIL import Image

from terrazzo.drawing.canvas import SCALE
from terrazzo.drawing.sheet import CAPTION, CELL, GAP, HEAD, MARGIN, Sheet, SheetKey, SheetRow, fitted_picture, sheet_png

SIDE = round(CELL * SCALE)


@pytest.mark.parametrize("shape", [(16, 16), (400, 300), (1, 1000), (7, 300)])
def test_pictures_are_shown_whole(shape: tuple[int, int]) -> None:
    found = fitted_picture(np.full((*shape, 3), 90, np.uint8), SIDE)
    assert max(found.shape[:2]) == SIDE
    assert min(found.shape[:2]) >= 1
    assert (found == 90).all()


def test_rows_lie_below_each_other_and_the_scale_makes_room() -> None:
    red, blue = (np.full((20, 10, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))
    rows = [SheetRow(caption="<a>\n", pictures=[red, blue], mark=(0, 200, 0)), SheetRow(caption="b" * 300, pictures=[blue, red])]
    keys = [SheetKey(color=(1, 2, 3), name="a class of a long name")] * 9
    plain = Image.open(io.BytesIO(sheet_png(Sheet(title="t" * 200, headings=["One", "Two"], rows=rows, keys=keys))))
    scaled = Image.open(io.BytesIO(sheet_png(Sheet(title="t", headings=["One", "Two"], rows=rows, keys=keys, scale=(0.5, "p")))))
    assert scaled.height > plain.height
    assert plain.width == scaled.width == round((2 * MARGIN + 2 * CELL + GAP) * SCALE)
    left, top = round(MARGIN * SCALE), round((HEAD + CAPTION) * SCALE)
    assert plain.getpixel((left + 5, top + 5)) == (200, 0, 0)
    assert plain.getpixel((left + 5, top + 5 + round((CAPTION + CELL + GAP) * SCALE))) == (0, 0, 200)
