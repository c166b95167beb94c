"""metrics.jsonl: a line an epoch, whatever happens in between."""

import json
from pathlib import Path

import numpy as np
import pytest

from terrazzo.evaluation.confusion import Confusion
from terrazzo.training.metrics import MetricsLog, MetricsRow, validation_row


def row(epoch: int) -> MetricsRow:
    return MetricsRow(epoch=epoch, step=10 * epoch, loss=1 / epoch, learning_rate=1e-3, seconds=0.5, validation=None)


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl")


def test_rows_come_back_as_they_were(log: MetricsLog) -> None:
    for epoch in (1, 2, 3):
        log.write(row(epoch))
        assert log.rows() == [row(number) for number in range(1, epoch + 1)]
    assert len(log.path.read_text(encoding="utf-8").splitlines()) == 3


def test_no_file_has_no_rows(log: MetricsLog) -> None:
    assert log.rows() == []


@pytest.mark.parametrize("kept", [0, 1, 20, -1])
def test_a_half_written_last_line_does_not_count(log: MetricsLog, kept: int) -> None:
    """As kill -9 leaves it; the next run writes that epoch again, on a line of its own."""
    log.write(row(1))
    log.write(row(2))
    whole = log.path.read_bytes()
    first = whole.index(b"\n") + 1
    log.path.write_bytes(whole[: first + kept] if kept >= 0 else whole[:-1])
    assert log.rows() == [row(1)]
    log.cut(1)
    log.write(row(2))
    assert log.path.read_bytes() == whole


def test_cut_forgets_what_came_after_an_epoch(log: MetricsLog) -> None:
    for epoch in (1, 2, 3):
        log.write(row(epoch))
    log.cut(2)
    assert log.rows() == [row(1), row(2)]
    log.cut(0)
    assert log.rows() == []


def test_cut_makes_an_empty_log_where_there_is_none(log: MetricsLog) -> None:
    log.cut(0)
    assert log.path.read_bytes() == b""


def test_scores_of_validation_are_those_of_all_its_pixels() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 0, 1, 1, 1, 255]], np.uint8), np.array([[0, 1, 1, 1, 0, 0]], np.uint8))
    found = validation_row(0.25, confusion)
    assert found["loss"] == 0.25
    assert found["dice"] == [pytest.approx(1 / 2), pytest.approx(2 / 3), None]
    # one hit each; of 0 one is false and one missed, of 1 two hits, one false and one missed
    assert found["f2"] == [pytest.approx(5 / (5 + 4 + 1)), pytest.approx(10 / (10 + 4 + 1)), None]
    assert found["mean_dice"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    json.dumps(found, allow_nan=False)
