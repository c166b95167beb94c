"""Codes of right and wrong, and what they are called."""

import numpy as np
import pytest

from terrazzo.drawing.rgb import ERROR_COLORS
from terrazzo.drawing.rgb import FALSE_ALARM as DRAWN_FALSE
from terrazzo.drawing.rgb import MISSED as DRAWN_MISSED
from terrazzo.evaluation.where.error_codes import COLORS, FALSE_ALARM, MISSED, error_codes, error_legend
from terrazzo.labels.legend import Legend, LegendClass


def legend(*names: str) -> Legend:
    return Legend(classes=tuple(LegendClass(value=number, name=name, color=(0, 0, 0)) for number, name in enumerate(names)))


@pytest.mark.parametrize(
    ("truth", "predicted", "code"),
    [(0, 0, 0), (1, 1, 1), (2, 2, 1), (0, 1, 2), (0, 2, 2), (1, 0, 3), (2, 0, 3), (1, 2, 4), (255, 0, 255), (1, 255, 255), (255, 255, 255)],
)
def test_each_pair_has_its_code(truth: int, predicted: int, code: int) -> None:
    assert error_codes(np.full((2, 3), truth, np.uint8), np.full((2, 3), predicted, np.uint8)).tolist() == [[code] * 3] * 2


def test_two_classes_are_named_and_cannot_be_mixed_up() -> None:
    named = error_legend(legend("land", "water"))
    assert named.values == (0, 1, 2, 3)
    assert named.names[2] == "false alarm: water where land is"
    assert named.names[3] == "missed: land where water is"
    assert len(error_legend(legend("a", "b", "c")).classes) == 5


def test_reports_and_rasters_show_the_same_colors() -> None:
    assert (COLORS[MISSED], COLORS[FALSE_ALARM]) == (ERROR_COLORS[DRAWN_MISSED], ERROR_COLORS[DRAWN_FALSE])
