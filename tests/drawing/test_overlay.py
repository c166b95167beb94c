"""Overlays: what is shown, where, and how much of the image stays."""

import numpy as np
import pytest

from terrazzo.drawing.overlay import overlay_classes, overlay_probabilities, scale_bar, scale_colors

PICTURE = np.full((3, 5, 3), 100, np.uint8)
COLORS = [(0, 0, 0), (200, 0, 0), (0, 0, 250)]


def test_classes_are_painted_and_the_first_is_not() -> None:
    indices = np.array([[0, 1, 2, 255, 0]] * 3, np.uint8)
    shown = overlay_classes(PICTURE, indices, COLORS, 0.5)
    assert shown[0].tolist() == [[100] * 3, [150, 50, 50], [50, 50, 175], [100] * 3, [100] * 3]
    assert overlay_classes(PICTURE, indices, COLORS, 0.5, first=True)[0, 0].tolist() == [50] * 3


@pytest.mark.parametrize(("opacity", "stays"), [(0.0, 100), (1.0, 0)])
def test_the_opacity_says_how_much_of_the_image_stays(opacity: float, stays: int) -> None:
    assert (overlay_classes(PICTURE, np.ones((3, 5), np.uint8), [(0, 0, 0)] * 2, opacity) == stays).all()


def test_probabilities_below_the_threshold_show_the_image() -> None:
    probability = np.array([[0.0, 0.49, 0.5, 1.0, np.nan]] * 3)
    shown = overlay_probabilities(PICTURE, probability)
    assert (shown[:, [0, 1, 4]] == 100).all()
    assert (shown[:, 2] != 100).any()
    assert shown[0, 3].astype(int).sum() > shown[0, 2].astype(int).sum()
    assert (overlay_probabilities(PICTURE, probability, threshold=0.0)[:, 1] != 100).any()


def test_the_scale_rises_in_lightness_and_its_bar_shows_it() -> None:
    light = scale_colors(np.linspace(0, 1, 200)[None], 0.0)[0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(light) > -1.5).all()
    assert light[-1] > light[0] + 100
    assert scale_bar(4, 50).shape == (4, 50, 3)
    assert (scale_bar(4, 50)[0, 0] == scale_colors(np.zeros((1, 1)), 0.0)[0, 0]).all()
