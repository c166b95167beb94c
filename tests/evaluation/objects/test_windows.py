"""Objects of windows, each as an image of its own, while the rows of their scene pass by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.evaluation.objects.windows import WindowObjects, object_row
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.rasters.window import Window

RULE = ObjectRule(classes=(1,), thresholds=(500_000, 750_000))
SHAPE = (31, 44)
WINDOWS = {
    4: Window(col_off=0, row_off=0, width=20, height=12),
    9: Window(col_off=10, row_off=5, width=34, height=26),
    2: Window(col_off=40, row_off=30, width=4, height=1),
}


@given(band=st.integers(1, 31), numbered=st.booleans())
def test_a_window_is_scored_as_the_image_cut_to_it(band: int, numbered: bool) -> None:  # noqa: FBT001 - drawn
    rng = np.random.default_rng(3)
    truth, predicted = (rng.choice(np.array([0, 1, 255], np.uint8), SHAPE, p=[0.6, 0.37, 0.03]) for _ in range(2))
    numbers = rng.integers(0, 9, SHAPE).astype(np.uint32) if numbered else None
    found = WindowObjects(WINDOWS, RULE)
    for row in range(0, SHAPE[0], band):
        rows = slice(row, row + band)
        instances = None if numbers is None else numbers[rows]
        found.add(Rows(row_off=row, truth=truth[rows], predicted=predicted[rows], instances=instances))
    for number, window in WINDOWS.items():
        tally = ObjectTally(RULE)
        at = window.slices
        tally.add(window.row_off, truth[at], predicted[at], None if numbers is None else numbers[at])
        assert found.scores[number] == object_row(tally.found().counts(np.array(RULE.thresholds)))


def test_a_window_without_ground_that_counts_has_no_score() -> None:
    found = WindowObjects(WINDOWS, RULE)
    truth = np.full(SHAPE, 255, np.uint8)
    truth[20:] = 0
    found.add(Rows(row_off=0, truth=truth, predicted=np.zeros(SHAPE, np.uint8)))
    assert found.scores == {number: object_row(np.zeros((3, 2), np.int64)) for number in (9, 2)}
    assert found.scores[9]["object_f2"] == 1.0


def test_the_mean_over_thresholds_and_the_counts_at_the_lowest() -> None:
    assert object_row(np.array([[2, 1], [1, 2], [0, 1]])) == {
        "object_f2": pytest.approx((10 / 11 + 5 / 11) / 2),
        "objects_matched": 2,
        "objects_false": 1,
        "objects_missed": 0,
    }
