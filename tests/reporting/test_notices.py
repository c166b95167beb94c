from typing import Any

import numpy as np

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.reporting.notices import score_notices


def found(*rows: list[int], unpredicted: int = 0, **more: Any) -> dict[str, Any]:
    """An evaluation of counts; rows are the truth."""
    confusion = Confusion(len(rows))
    confusion.counts[:] = np.array(rows)
    confusion.unpredicted[0] = unpredicted
    return {"pixels": pixel_scores(confusion, list(range(len(rows))), ["sea", "land", "ice"][: len(rows)]), **more}


def test_a_good_map_gives_no_reason() -> None:
    assert score_notices(found([50, 1], [1, 50])) == []
    assert score_notices({}) == []
    assert score_notices(found([0, 0], [0, 0])) == []


def test_a_map_of_one_class_is_said_aloud() -> None:
    assert score_notices(found([90, 0], [10, 0])) == ["The map shows nothing but sea: no other class is found anywhere."]
    assert score_notices(found([90, 0], [0, 0])) == ["Not in the truth at all, so not judged: land."]


def test_classes_that_are_never_found() -> None:
    assert score_notices(found([90, 0, 0], [0, 9, 0], [1, 1, 0])) == ["Never found: ice."]


def test_rare_classes() -> None:
    assert score_notices(found([9999, 0], [0, 1])) == ["Rare in the truth, so that its scores rest on little: land (1 px, 0.01 %)."]


def test_pixels_without_prediction() -> None:
    assert score_notices(found([5, 0], [0, 5], unpredicted=3)) == ["3 labelled pixels (23.1 %) have no prediction and are in no score."]


def test_missing_intervals_say_why() -> None:
    said = score_notices(found([5, 0], [0, 5], missing={"intervals": "Intervals need 5 scenes."}))
    assert said == ["How sure the scores are cannot be told. Intervals need 5 scenes."]
