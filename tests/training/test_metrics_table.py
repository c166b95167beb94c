"""metrics.csv says what metrics.jsonl says, after each epoch and after a crash."""

import csv
import json
from pathlib import Path

import pytest

from terrazzo.training.metrics import MetricsLog, MetricsRow, ValidationRow
from terrazzo.training.metrics_table import MetricsTable

NAMES = ("land", 'sea, "deep"')


def row(epoch: int, *, scored: bool = True) -> MetricsRow:
    validation = (
        ValidationRow(loss=0.1 * epoch, mean_dice=0.1 + 0.2, mean_iou=None, dice=[0.5, None], f2=[0.625, None], object_f2=0.25)
        if scored
        else None
    )
    return MetricsRow(epoch=epoch, step=10 * epoch, loss=1 / 3, learning_rate=1e-3, seconds=0.5, validation=validation)


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl", [MetricsTable(tmp_path / "metrics.csv", NAMES)])


def read(log: MetricsLog) -> list[dict[str, str]]:
    with log.path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_an_epoch_as_soon_as_it_ends(log: MetricsLog) -> None:
    log.cut(0)
    assert read(log) == []
    for epoch in (1, 2, 3):
        log.write(row(epoch))
        assert [int(found["epoch"]) for found in read(log)] == list(range(1, epoch + 1))
    found = read(log)[2]
    assert (float(found["loss"]), float(found["validation_mean_dice"])) == (1 / 3, 0.1 + 0.2)
    assert (found["validation_f2_land"], found['validation_f2_sea, "deep"']) == ("0.625", "")
    assert (found["validation_dice_land"], found['validation_dice_sea, "deep"'], found["validation_object_f2"]) == ("0.5", "", "0.25")


def test_columns_that_come_late_are_empty_before(log: MetricsLog) -> None:
    log.cut(0)
    log.write(row(1, scored=False))
    assert "validation_loss" not in read(log)[0]
    log.write(row(2))
    assert [found["validation_loss"] for found in read(log)] == ["", "0.2"]


@pytest.mark.parametrize("table", ["missing", "behind", "ahead", "cut"])
def test_whatever_a_crash_left_of_the_table_is_right_again(log: MetricsLog, table: str) -> None:
    """The line is written first, then the table, then the checkpoint: a resumed run cuts both to the checkpoint."""
    log.cut(0)
    path = log.path.with_suffix(".csv")
    texts = []
    for epoch in (1, 2, 3):
        log.write(row(epoch))
        texts.append(path.read_text(encoding="utf-8"))
    left = {"missing": None, "behind": texts[0], "ahead": texts[2], "cut": texts[1][:-9]}[table]
    path.unlink() if left is None else path.write_text(left, encoding="utf-8")
    again = MetricsLog(log.path, [MetricsTable(path, NAMES)])
    again.cut(2)
    assert path.read_text(encoding="utf-8") == texts[1]
    again.write(row(3))
    assert path.read_text(encoding="utf-8") == texts[2]
    assert [json.loads(line)["epoch"] for line in log.path.read_text(encoding="utf-8").splitlines()] == [1, 2, 3]
