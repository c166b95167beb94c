"""The summary in words: each of its numbers is one of evaluation.json, and its praise is bounded by them."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reporting.evaluations import evaluation

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.reporting.figures import area_unit, score_text, share_text
from terrazzo.reporting.summary import FIT, fitness, summary

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?: %)?")


def of_counts(*rows: list[int], **more: Any) -> dict[str, Any]:
    """An evaluation with nothing but counts of pixels; rows are the truth."""
    confusion = Confusion(len(rows))
    confusion.counts[:] = np.array(rows)
    values = list(range(len(rows)))
    return {"pixels": pixel_scores(confusion, values, ["sea", "land", "ice"][: len(rows)]), **more}


def allowed(found: dict[str, Any]) -> set[str]:
    """The numbers that a summary may hold: figures of the evaluation, and quotients of counts in it, as they are written."""
    pixels, shares, written = found["pixels"], [], {"95 %", "1"}
    total = sum(entry["support"] for entry in pixels["classes"])
    written |= {f"{total:,}", str(found["images"]), score_text(pixels["mean_iou"])}
    shares += [pixels["accuracy"], *(entry["support"] / total for entry in pixels["classes"])]
    for entry in pixels["classes"]:
        shares += [entry["recall"] or 0.0, entry["precision"] or 0.0]
        written.add(score_text(entry["f1"]))
    if found.get("intervals"):
        written |= {score_text(end) for end in found["intervals"]["mean_iou"]} | {str(found["intervals"]["number"])}
    if found.get("calibration"):
        shares += [found["calibration"]["mean_confidence"], found["calibration"]["accuracy"]]
    for entry in found["area"]["classes"] if found.get("area") else ():
        unit = area_unit(found["area"]["unit"], [each[name] for each in found["area"]["classes"] for name in ("mapped", "adjusted")])
        written |= {unit.text(entry["mapped"]), unit.text(entry["adjusted"])}
    if found.get("objects"):
        objects = found["objects"]
        iou, lowest = next(iter(objects["by_iou"].items()))
        written |= {
            iou,
            *(f"{lowest[name]:,}" for name in ("matched", "missed", "false")),
            f"{objects['true']:,}",
            f"{objects['predicted']:,}",
        }
    return written | {share_text(share).removeprefix("< ").removeprefix("> ") for share in shares}


@pytest.mark.parametrize("errors", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("scenes", [2, 6])
def test_every_number_is_one_of_the_evaluation(errors: float, scenes: int) -> None:
    found = evaluation(errors=errors, scenes=scenes)
    told = summary(found)
    assert 5 <= len(told) <= 8
    assert set(NUMBER.findall(" ".join(told))) <= allowed(found)
    assert all(sentence.endswith(".") for sentence in told)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), min_size=3, max_size=3))
def test_of_any_counts(rows: list[list[int]]) -> None:
    found = of_counts(*rows, images=2)
    told = summary(found)
    assert bool(told) == (sum(map(sum, rows)) > 0)
    assert not told or set(NUMBER.findall(" ".join(told))) <= allowed(found)


def test_says_what_guessing_the_commonest_class_would_give() -> None:
    assert "95.0 % of these pixels are right; a map of nothing but sea would have 90.0 %." in summary(of_counts([90, 0], [5, 5], images=1))


def test_names_the_worst_class_and_what_becomes_of_it() -> None:
    told = " ".join(summary(of_counts([90, 0, 0], [0, 10, 0], [1, 4, 5])))
    assert "Best is sea (F1 0.994), worst ice (F1 0.667): 50.0 % of it is found, 100.0 % of what is shown as it is right" in told
    assert "what is lost is mostly taken for land." in told


@pytest.mark.parametrize(("low", "words"), [(0.95, FIT[0][1]), (0.8, FIT[1][1]), (0.6, FIT[2][1]), (0.2, FIT[3][1])])
def test_fitness_goes_by_the_lower_end_of_the_interval(low: float, words: str) -> None:
    found = of_counts([99, 1], [1, 99], intervals={"mean_dice": [low, 1.0]})
    assert fitness(found) == words


def test_without_an_interval_the_score_itself_decides() -> None:
    assert fitness(of_counts([99, 1], [1, 99], intervals=None)) == FIT[0][1]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (of_counts([99, 0], [0, 99], part="train"), "cannot be told"),
        (of_counts([99, 0], [1, 0]), "of no use for land"),
        (of_counts([99, 0], [0, 0]), "a single class"),
    ],
    ids=["nothing held out", "never found", "one class"],
)
def test_never_praises_what_was_not_shown(found: dict[str, Any], words: str) -> None:
    assert words in fitness(found)


def test_says_that_validation_figures_are_too_good() -> None:
    assert "a little too good" in summary(of_counts([9, 1], [1, 9], part="validation"))[0]


def test_warns_of_areas_before_probabilities() -> None:
    area = {
        "unit": "m2",
        "classes": [{"name": "sea", "mapped": 20_000.0, "adjusted": 10_000.0, "interval": [9e3, 11e3], "clustered_interval": None}],
    }
    calibration = {"ece": 0.3, "mean_confidence": 0.9, "accuracy": 0.6}
    counts = [9, 1], [1, 9]
    assert "2.00 ha of sea, more than the 1.00 ha" in summary(of_counts(*counts, area=area, calibration=calibration))[-1]
    assert "surer of itself than it should be, 90.0 % on average" in summary(of_counts(*counts, calibration=calibration))[-1]
