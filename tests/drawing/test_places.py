import base64
import io
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from terrazzo.drawing.places import LONGER, RAMP, Place, places_map, score_steps
from terrazzo.labels.colors import hex_color
from terrazzo.rasters.window import Window

SVG = "{http://www.w3.org/2000/svg}"


def place(score: float | None, part: str | None = "test", left: int = 0) -> Place:
    return Place(window=Window(col_off=left, row_off=0, width=10, height=10), part=part, name="a", score=score)  # type: ignore[arg-type]


def boxes(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(f"{SVG}rect"))


def test_steps_cover_all_scores() -> None:
    steps = score_steps()
    assert (steps[0].low, steps[-1].high) == (0, 1)
    assert [step.low for step in steps[1:]] == [step.high for step in steps[:-1]]


@pytest.mark.parametrize(("score", "step"), [(0.0, 0), (0.19, 0), (0.2, 1), (0.99, 4), (1.0, 4)])
def test_boxes_have_the_colour_of_their_score(score: float, step: int) -> None:
    assert boxes(places_map("a", (20, 40), [place(score)]))[0].get("fill") == hex_color(RAMP[step])


def test_a_sample_without_score_is_an_empty_box() -> None:
    box = boxes(places_map("a", (20, 40), [place(None)]))[0]
    assert box.get("fill") == "none"
    assert box[0].text == "a, test: no score"


def test_boxes_lie_where_their_windows_do() -> None:
    box = boxes(places_map("a", (20, 40), [place(0.5, "train", left=10)]))[0]
    assert [float(box.get(name) or -1) for name in ("x", "y", "width", "height")] == [LONGER / 4, 0, LONGER / 4, LONGER / 4]


def test_held_out_samples_lie_on_top_and_differ() -> None:
    train, test = boxes(places_map("a", (20, 40), [place(0.5, "test"), place(0.5, "train")]))
    assert ("train" in (train[0].text or ""), "test" in (test[0].text or "")) == (True, True)
    assert train.get("stroke") != test.get("stroke")
    assert float(train.get("fill-opacity") or 1) < float(test.get("fill-opacity") or 0)


def test_the_picture_lies_below() -> None:
    root = ET.fromstring(places_map("a", (20, 40), [place(0.5)], np.full((5, 10, 3), 200, np.uint8)))
    assert [child.tag for child in root] == [f"{SVG}image", f"{SVG}rect"]
    picture = Image.open(io.BytesIO(base64.b64decode((root[0].get("href") or "").removeprefix("data:image/jpeg;base64,"))))
    assert picture.size == (10, 5)


def test_names_are_only_text() -> None:
    hostile = Place(window=Window(col_off=0, row_off=0, width=1, height=1), part=None, name='<script>"\u202e', score=0.1)
    svg = places_map('<script>"\u202e', (1, 1), [hostile])
    assert not list(ET.fromstring(svg).iter(f"{SVG}script"))
    assert "\u202e" not in svg
