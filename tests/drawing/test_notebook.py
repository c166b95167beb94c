"""What notebooks show."""

import io

import numpy as np
from PIL import Image

from terrazzo.drawing.notebook import LARGEST_PICTURE_PX, map_png, panel
from terrazzo.labels.legend import Legend, LegendClass

LEGEND = Legend(
    classes=(
        LegendClass(value=0, name="<script>alert(1)</script>", color=(1, 2, 3)),
        LegendClass(value=7, name='"a" & b', color=(9, 8, 250)),
    )
)


def test_a_picture_has_the_colours_of_the_legend_and_no_colour_where_there_is_no_data() -> None:
    values = np.array([[0, 7, 255], [7, 0, 0]], np.uint8)
    with Image.open(io.BytesIO(map_png(values, LEGEND))) as image:
        pixels = np.asarray(image.convert("RGBA"))
    assert pixels[0].tolist() == [[1, 2, 3, 255], [9, 8, 250, 255], [0, 0, 0, 0]]


def test_a_picture_of_a_large_map_is_small() -> None:
    with Image.open(io.BytesIO(map_png(np.zeros((3000, 1), np.uint8), LEGEND))) as image:
        assert max(image.size) <= LARGEST_PICTURE_PX
        assert image.size[1] == 500


def test_texts_are_escaped_and_nothing_runs() -> None:
    html = panel("<b>", {"image": "<img onerror=x>"}, LEGEND, {7: "<i>"}, b"png")
    assert "<script" not in html
    assert "<img onerror" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&quot;a&quot; &amp; b" in html
    assert "&lt;i&gt;" in html
    assert '<img alt="" src="data:image/png;base64,cG5n">' in html
