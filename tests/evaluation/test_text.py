"""The table in any script, with what is undefined, and with a column more."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.scores import object_scores
from terrazzo.evaluation.scores import PixelScores, pixel_scores
from terrazzo.evaluation.text import Column, class_table, object_text, score_lines

COUNTS = np.array([[96, 1, 0], [2, 1, 0], [0, 0, 0]])


def scored(*names: str) -> PixelScores:
    confusion = Confusion(3)
    confusion.counts += COUNTS
    return pixel_scores(confusion, range(3), names)


def test_the_table_as_it_looks() -> None:
    assert class_table(scored("background", "hot", "cluster")).splitlines() == [
        "class       precision  recall     F1    IoU  support",
        "background      0.980   0.990  0.985  0.970       97",
        "hot             0.500   0.333  0.400  0.250        3",
        "cluster             -       -      -      -        0",
        "mean            0.740   0.662  0.692  0.610      100",
    ]


def test_a_further_column_and_its_mean() -> None:
    table = class_table(scored("background", "hot", "cluster"), Column(title="threshold rule F1", scores=[0.9, 0.5, None]))
    assert [line[-20:] for line in table.splitlines()] == [
        "t  threshold rule F1",
        "7              0.900",
        "3              0.500",
        "0                  -",
        "0              0.700",
    ]


@given(st.lists(st.text(max_size=30), min_size=3, max_size=3))
def test_any_names_keep_the_lines_and_columns(names: list[str]) -> None:
    lines = class_table(scored(*names)).split("\n")
    assert len(lines) == len("\n".join(lines).splitlines()) == 5
    assert len({cell_len(line) for line in lines}) == 1
    "\n".join(lines).encode()


def test_wide_and_combining_characters_are_counted_as_the_terminal_shows_them() -> None:
    lines = class_table(scored("水面", "e\u0301tang", "x")).splitlines()
    assert lines[1].startswith("水面   ")
    assert lines[2].startswith("e\u0301tang  ")
    assert [line.endswith("97") for line in lines] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb", r"a\nb"), ("a\x1b[31m", r"a\x1b[31m"), ("a\u2028b", r"a\u2028b"), ("\u202egpj", r"\u202egpj"), ("\udc80", r"\udc80")],
)
def test_what_would_break_the_line_is_escaped(name: str, shown: str) -> None:
    assert class_table(scored(name, "b", "c")).splitlines()[1].startswith(shown + " ")


def test_markup_is_shown_as_it_is() -> None:
    assert "[red]sand[/red]  " in class_table(scored("[red]sand[/red]", "b", "c"))


def test_a_column_needs_one_score_a_class() -> None:
    with pytest.raises(UsageError, match="'rule' has 1 scores for 3 classes"):
        class_table(scored("a", "b", "c"), Column(title="rule", scores=[0.5]))


def test_objects_in_three_lines() -> None:
    text = object_text(object_scores(ObjectCounts(rule=ObjectRule(name="a\nb", classes=(1,), thresholds=(500_000,)))))
    assert text.splitlines() == [
        "Objects of a\\nb: 0 in the labels, 0 in the map; at IoU 0.50: 0 matched, 0 missed, 0 false.",
        "precision -, recall -, F1 -, mean IoU -, panoptic quality -.",
        "Mean over IoU 0.50 to 0.50 and images: F2 -, AP -.",
    ]


def test_what_else_is_told_in_lines() -> None:
    evaluation: dict[str, Any] = {
        "pixels": {"mean_iou": 0.75},
        "intervals": {"mean_iou": (0.7, 0.8), "number": 6, "units": "scenes"},
        "boundary": {"mean_f1": 0.9, "mean_iou": 0.5, "distance": 0.02},
        "calibration": {"mean_confidence": 0.81, "ece": 0.012},
    }
    assert score_lines(evaluation) == [
        "Mean IoU 0.750, 95 % interval 0.700 to 0.800 from 6 scenes.",
        "Boundary F1 0.900, boundary IoU 0.500 within 0.02 of the diagonal.",
        "Mean confidence 0.810, expected calibration error 0.012.",
        "",
    ]
    assert "within 2 px." in score_lines({**evaluation, "boundary": {**evaluation["boundary"], "distance": 2.0}})[1]
    assert score_lines({"pixels": {}, "intervals": None, "boundary": None, "calibration": None}) == []
