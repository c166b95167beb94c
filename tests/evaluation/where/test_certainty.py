"""Loss, entropy, margin and confidence of pixels, against the formulas on floats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from terrazzo.evaluation.where.certainty import CONFIDENCE, ENTROPY, LOSS, MARGIN, ONE, SCALES, UNIT, pixel_figures


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_are_the_formulas_on_floats(classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes, 0.3), (5, 7)).transpose(2, 0, 1)
    stored = np.rint(shares * ONE).astype(np.uint16)
    truth = rng.integers(0, classes, (5, 7)).astype(np.uint8)
    found = pixel_figures(stored, truth) / SCALES[:, None, None]
    kept = stored / ONE
    ordered = np.sort(kept, axis=0)
    safe = np.maximum(kept, 1e-12)
    assert found[LOSS] == pytest.approx(-np.log(np.maximum(np.take_along_axis(kept, truth[None].astype(int), 0)[0], 0.5 / ONE)), abs=1e-6)
    assert found[ENTROPY] == pytest.approx((-(safe * np.log(safe)).sum(0) / np.log(classes)).clip(0, 1), abs=1e-5)
    assert found[MARGIN] == pytest.approx(ordered[-1] - ordered[-2], abs=1e-9)
    assert found[CONFIDENCE] == pytest.approx(ordered[-1], abs=1e-9)


def test_the_loss_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    shares = rng.dirichlet(np.ones(3), 400)
    truth = rng.integers(0, 3, 400).astype(np.uint8)
    figures = pixel_figures(np.rint(shares.T * ONE).astype(np.uint16)[:, None], truth[None])
    assert figures[LOSS].mean() / UNIT == pytest.approx(log_loss(truth, shares, labels=[0, 1, 2]), abs=1e-3)


def test_the_ends() -> None:
    """Sure and right, sure and wrong, undecided, not labelled."""
    shares = np.array([[[ONE, ONE, 32768, ONE]], [[0, 0, 32767, 0]]], np.uint16)
    found = pixel_figures(shares, np.array([[0, 1, 0, 255]], np.uint8)) / SCALES[:, None, None]
    assert found[LOSS][0] == pytest.approx([0, np.log(2 * ONE), np.log(2), 0], abs=1e-4)
    assert found[ENTROPY][0] == pytest.approx([0, 0, 1, 0], abs=1e-5)
    assert found[MARGIN][0] == pytest.approx([1, 1, 0, 1], abs=1e-4)
    assert (pixel_figures(np.full((1, 2, 2), ONE, np.uint16), np.zeros((2, 2), np.uint8))[ENTROPY] == 0).all()
