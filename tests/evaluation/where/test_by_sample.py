"""Scores of samples: those of their own windows, whatever the pieces in which the rows come."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.evaluation.where.by_sample import SampleTally, score_columns, score_table, tally_rows
from terrazzo.evaluation.where.certainty import ONE
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.rasters.window import Window, cover

LEGEND = Legend(classes=tuple(LegendClass(value=value, name=name, color=(value, 0, 0)) for value, name in ((0, "a"), (7, "b"), (9, "c"))))
SHAPE = (23, 17)


def scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(3, 0.2), SHAPE).transpose(2, 0, 1)
    probabilities = np.rint(shares * ONE).astype(np.uint16)
    truth = rng.integers(0, 2, SHAPE).astype(np.uint8)
    predicted = probabilities.argmax(0).astype(np.uint8)
    truth[rng.random(SHAPE) < 0.1] = 255
    hole = rng.random(SHAPE) < 0.1
    predicted[hole] = 255
    probabilities[:, hole] = 0
    return truth, predicted, probabilities


def table(seed: int, cuts: list[int]) -> pd.DataFrame:
    truth, predicted, probabilities = scene(seed)
    tally = SampleTally(dict(enumerate(cover(SHAPE, (8, 8), 3))), 3)
    for top, end in zip([0, *cuts], [*cuts, SHAPE[0]], strict=True):
        tally.add(top, truth[top:end], predicted[top:end], probabilities[:, top:end])
    return score_table(tally_rows([tally], LEGEND), LEGEND)


@given(st.integers(0, 1000), st.lists(st.integers(1, SHAPE[0] - 1), max_size=6, unique=True).map(sorted))
def test_the_pieces_do_not_matter(seed: int, cuts: list[int]) -> None:
    pd.testing.assert_frame_equal(table(seed, cuts), table(seed, []))


def test_are_those_of_a_naive_count() -> None:
    truth, predicted, probabilities = scene(3)
    found = table(3, [5])
    assert list(found.columns) == score_columns(LEGEND)
    for number, window in enumerate(cover(SHAPE, (8, 8), 3)):
        t, p, q = truth[window.slices], predicted[window.slices], probabilities[:, *window.slices] / ONE
        judged = (t != 255) & (p != 255)
        t, p, q = t[judged], p[judged], q[:, judged]
        row = found.loc[number]
        assert row["accuracy"] == pytest.approx((t == p).mean())
        for index, value in enumerate(LEGEND.values):
            hits, either = ((t == index) & (p == index)).sum(), ((t == index) | (p == index)).sum()
            assert row[f"iou_{value}"] == pytest.approx(hits / either)
            assert row[f"dice_{value}"] == pytest.approx(2 * hits / ((t == index).sum() + (p == index).sum()))
        assert row["loss"] == pytest.approx(-np.log(np.maximum(q[t, np.arange(len(t))], 0.5 / ONE)).mean(), abs=1e-5)
        assert row["confidence"] == pytest.approx(q.max(0).mean(), abs=1e-6)
        assert row["suspicious"] == pytest.approx(((q.max(0) > 0.95) & (t != p)).mean())
    assert found["mean_iou"].to_numpy() == pytest.approx(found[["iou_0", "iou_7", "iou_9"]].mean(axis=1).to_numpy())


def test_without_probabilities_there_are_no_certainties_and_without_pixels_no_scores() -> None:
    tally = SampleTally({4: Window(col_off=0, row_off=0, width=2, height=2), 9: Window(col_off=2, row_off=0, width=2, height=2)}, 3)
    tally.add(0, np.array([[0, 0, 255, 255]] * 2, np.uint8), np.array([[0, 1, 0, 0]] * 2, np.uint8))
    found = score_table(tally_rows([tally], LEGEND), LEGEND)
    assert found.loc[4, "accuracy"] == 0.5
    assert found["loss"].isna().all()
    assert found.loc[9].isna().all()
    assert found[["iou_9"]].loc[4].isna().all()
