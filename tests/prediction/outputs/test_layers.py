"""Layers beside a map: what their values are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.outputs.layers import ENTROPY_NODATA, ENTROPY_ONE, entropy_rows


def rows_of(shares: NDArray[np.float64], weight: int = 64) -> BlendedRows:
    """Finished rows of probabilities (classes, rows, width), all of one weight."""
    sums = np.rint(shares * PROBABILITY_ONE).astype(np.uint32) * np.uint32(weight)
    shape = shares.shape[1:]
    return BlendedRows(row_off=0, sums=sums, totals=np.full(shape, weight, np.uint32), valid=np.ones(shape, np.bool_))


@pytest.mark.parametrize("classes", [1, 2, 3, 7])
def test_entropy_is_none_where_one_class_is_certain_and_whole_where_all_are_alike(classes: int) -> None:
    certain = np.zeros((classes, 1, 1))
    certain[-1] = 1
    assert entropy_rows(rows_of(certain)).item() == 0
    if classes > 1:
        assert entropy_rows(rows_of(np.full((classes, 1, 1), 1 / classes))).item() == ENTROPY_ONE


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_entropy_is_that_of_scipy(classes: int, seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (5, 7)).transpose(2, 0, 1)
    found = entropy_rows(rows_of(shares))
    assert found.shape == (1, 5, 7)
    assert np.abs(found[0] / ENTROPY_ONE - stats.entropy(shares, base=classes, axis=0)).max() < 2e-4


def test_what_is_invalid_or_not_predicted_has_no_entropy() -> None:
    rows = rows_of(np.full((2, 2, 2), 0.5))
    rows.valid[0, 0] = False
    rows.totals[1, 1] = 0
    assert entropy_rows(rows)[0].tolist() == [[ENTROPY_NODATA, ENTROPY_ONE], [ENTROPY_ONE, ENTROPY_NODATA]]
