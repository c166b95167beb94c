"""What an epoch draws, said before it is drawn."""

import numpy as np

from terrazzo.rasters.window import Window
from terrazzo.samples.draw.contents import Contents
from terrazzo.samples.draw.epoch import Draw
from terrazzo.samples.draw.facts import draw_sentence
from terrazzo.samples.options import DrawOptions
from terrazzo.samples.rows import Sample


def draw_of(options: DrawOptions) -> Draw:
    window = Window(col_off=0, row_off=0, width=100, height=100)
    pixels = np.array([[10_000, 0, 0]] * 6 + [[9_500, 495, 5]] * 2)
    contents = Contents(pixels=pixels, objects=np.array([0] * 6 + [1, 2]))
    return Draw([Sample(id=number, scene="a", window=window) for number in range(8)], contents, options)


def test_sizes_and_shares_are_those_of_the_table() -> None:
    assert draw_sentence(draw_of(DrawOptions(windows="listed")), ("sea", "ship", "buoy"), 0) == (
        "An epoch draws 8 windows of 8 training windows: 75 % without any class but sea; "
        "pixels of sea: 99 %, ship: 1.2 %, buoy: under 0.1 %."
    )


def test_what_comes_twice_is_said() -> None:
    sentence = draw_sentence(draw_of(DrawOptions(per_epoch=40, empty_share=0.5)), ("sea", "ship", "buoy"), 0)
    assert sentence.startswith(
        "An epoch draws 40 windows (8 different ones) of 8 training windows: 50 % without any class but sea; pixels of sea: 98 %,"
    )
