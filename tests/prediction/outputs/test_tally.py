"""What is counted while a map is written."""

import logging
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.outputs.tally import Tally


class TestTally:
    def rows(self, sums: NDArray[np.uint32]) -> BlendedRows:
        shape = sums.shape[1:]
        return BlendedRows(row_off=0, sums=sums, totals=np.full(shape, 10, np.uint32), valid=np.ones(shape, np.bool_))

    def test_one_class_everywhere_is_told_with_its_probabilities(self, make_bundle: Any, caplog: pytest.LogCaptureFixture) -> None:
        tally = Tally(make_bundle().legend)
        sums = np.zeros((3, 16, 16), np.uint32)
        sums[1] = np.uint32(PROBABILITY_ONE * 10 * 0.55)
        rows = self.rows(sums)
        tally.add(rows, rows.indices())
        tally.tell()
        assert "Every predicted pixel is 'sand'. Its probability, by tenths from: 0.5: 100%." in caplog.text
        assert caplog.records[0].levelno == logging.WARNING

    def test_what_is_unsure_is_no_other_class(self, make_bundle: Any, caplog: pytest.LogCaptureFixture) -> None:
        tally = Tally(make_bundle().legend.with_unsure())
        sums = np.zeros((3, 16, 16), np.uint32)
        sums[1] = np.uint32(PROBABILITY_ONE * 10 * 0.55)
        indices = self.rows(sums).indices()
        indices[3, 4] = 3
        tally.add(self.rows(sums), indices)
        tally.tell()
        assert "Every predicted pixel that is not unsure is 'sand'." in caplog.text

    def test_two_classes_are_no_news(self, make_bundle: Any, caplog: pytest.LogCaptureFixture) -> None:
        tally = Tally(make_bundle().legend)
        sums = np.zeros((3, 16, 16), np.uint32)
        sums[1] = 5
        rows = self.rows(sums)
        tally.add(rows, rows.indices())
        sums[2, 0, 0] = 6
        tally.add(rows, rows.indices())
        tally.tell()
        assert caplog.text == ""

    def test_nothing_predicted_is_no_class(self, make_bundle: Any, caplog: pytest.LogCaptureFixture) -> None:
        tally = Tally(make_bundle().legend)
        tally.tell()
        assert caplog.text == ""

    @pytest.mark.parametrize("step", [1, 8])
    def test_the_confidence_is_that_of_the_map_whatever_the_pieces(self, make_bundle: Any, step: int) -> None:
        shares = np.random.default_rng(1).dirichlet([1, 1, 1], (37, 21)).transpose(2, 0, 1)
        sums = np.rint(shares * PROBABILITY_ONE * 10).astype(np.uint32)
        valid = np.random.default_rng(2).random((37, 21)) < 0.8
        found = []
        for cuts in ([0, 37], [0, 3, 4, 17, 37]):
            tally, resumed = (Tally(make_bundle().legend, step) for _ in range(2))
            for number, (top, end) in enumerate(pairwise(cuts)):
                totals = np.full((end - top, 21), 10, np.uint32)
                rows = BlendedRows(row_off=top, sums=sums[:, top:end], totals=totals, valid=valid[top:end])
                (tally if number < 2 else resumed).add(rows, rows.indices())
            tally.add_notes(resumed.notes())
            found.append(tally.mean_confidence)
        assert found[0] == found[1]
        expected = shares.max(axis=0)[::step, ::step][valid[::step, ::step]].mean()
        assert found[0] == pytest.approx(expected, abs=1e-4)

    def test_of_nothing_there_is_no_confidence(self, make_bundle: Any) -> None:
        assert Tally(make_bundle().legend).mean_confidence is None
