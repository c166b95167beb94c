"""The log of consumed windows: what steps consumed, no more and no less, whatever interrupts them."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from affine import Affine
from rasterio.crs import CRS

from terrazzo.progress import Silent
from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window
from terrazzo.samples.rows import Sample
from terrazzo.training.checkpoint import TrainingState
from terrazzo.training.fit import LAST, Task, Trainer
from terrazzo.training.metrics import MetricsLog
from terrazzo.training.windows import COLUMNS, WindowLog

NOWHERE = Grid(shape=(40, 40))
START = TrainingState.start()


def sample(number: int, scene: str = "a", col_off: int = 3) -> Sample:
    return Sample(id=number, scene=scene, window=Window(col_off=col_off, row_off=7, width=16, height=12))


def log_in(folder: Path, grid: Callable[[str], Grid] = lambda _: NOWHERE) -> WindowLog:
    return WindowLog(path=folder / "windows.csv", grid=grid)


def read(log: WindowLog) -> list[dict[str, str]]:
    with log.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_has_the_pixels_and_the_map_coordinates_of_the_upper_left(tmp_path: Path) -> None:
    place = Grid(shape=(40, 40), crs=CRS.from_epsg(32633), transform=Affine(0.5, 0, 1000, 0, -0.5, 5000))
    log = log_in(tmp_path, lambda scene: place if scene == "a" else NOWHERE)
    log.write(replace(START, step=1), "train", [sample(4), sample(9, "=b,\n")])
    assert list(read(log)[0]) == list(COLUMNS)
    assert list(read(log)[0].values()) == ["1", "1", "train", "4", "a", "3", "7", "16", "12", "1001.5", "4996.5"]
    assert list(read(log)[1].values()) == ["1", "1", "train", "9", "=b,\n", "3", "7", "16", "12", "", ""]


def test_cutting_keeps_what_the_checkpoint_counts_on(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for step in range(1, 7):
        state = replace(START, step=step, epoch=(step - 1) // 3)
        log.write(state, "train", [sample(step, "odd\nname")])
        if step % 3 == 0:
            log.write(state, "validation", [sample(100)])
    whole = log.path.read_bytes()
    expected = {
        (4, 1): ["1", "2", "3", "3v", "4"],
        (3, 1): ["1", "2", "3", "3v"],
        (3, 0): ["1", "2", "3"],
        (0, 0): [],
        (6, 2): ["1", "2", "3", "3v", "4", "5", "6", "6v"],
    }
    for (step, epoch), rows in expected.items():
        log.path.write_bytes(whole)
        log.cut(replace(START, step=step, epoch=epoch))
        assert [row["step"] + "v" * (row["mode"] == "validation") for row in read(log)] == rows
        assert whole.startswith(log.path.read_bytes()) or step == 3


def test_half_a_last_row_is_forgotten(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for step in (1, 2):
        log.write(replace(START, step=step), "train", [sample(step, "odd\nname")])
    whole = log.path.read_bytes()
    second = whole.index(b"2,1,")
    for end in range(len(whole) + 1):
        log.path.write_bytes(whole[:end])
        log.cut(replace(START, step=9))
        first = whole.index(b"1,1,")
        assert log.path.read_bytes() == (whole if end == len(whole) else whole[:second] if end >= second else whole[:first])


def test_there_may_be_none(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.cut(START)
    log.sync()
    assert not log.path.exists()


def run(trainer: Trainer, folder: Path) -> list[dict[str, str]]:
    """Fit as the workflow does."""
    if (folder / LAST).exists():
        trainer.resume(folder)
    metrics, trainer.windows = MetricsLog(folder / "metrics.jsonl"), log_in(folder)
    metrics.cut(trainer.state.epoch)
    trainer.windows.cut(trainer.state)
    trainer.fit(folder, metrics, Silent())
    return read(trainer.windows)


def test_every_step_tells_the_windows_that_it_consumed(make_trainer: Any, task: Task, tmp_path: Path) -> None:
    rows = run(make_trainer(epochs=2, batch_size=4), tmp_path)
    trained = [row for row in rows if row["mode"] == "train"]
    assert [row["step"] for row in trained] == [
        str(step) for epoch in (0, 3) for step, size in ((1, 4), (2, 4), (3, 1)) for step in [epoch + step] * size
    ]
    for epoch in range(2):
        drawn = task.draw.epoch(epoch, 0)
        placed = [task.preparation.placer.place(one, epoch) for one in drawn]
        mine = [row for row in trained if row["epoch"] == str(epoch + 1)]
        assert [(row["sample"], row["scene"], row["col_off"], row["row_off"]) for row in mine] == [
            (str(each.id), each.scene, str(each.window.col_off), str(each.window.row_off)) for each in placed
        ]
    judged = [(row["step"], row["sample"]) for row in rows if row["mode"] == "validation"]
    assert judged == [(str(step), str(each.id)) for step in (3, 6) for each in task.validation]


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("dies_at", [2, 4, 5, 7])
def test_a_run_that_was_killed_tells_the_same_windows(
    make_trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """Killed after the windows of a step were written, before its checkpoint; batches made ahead leave no trace."""
    expected = run(make_trainer(epochs=3), tmp_path / "whole")
    write = WindowLog.write

    def dying(log: WindowLog, state: TrainingState, mode: Any, windows: Any) -> None:
        write(log, state, mode, windows)
        if state.step == dies_at:
            raise Killed

    monkeypatch.setattr(WindowLog, "write", dying)
    with pytest.raises(Killed):
        run(make_trainer(epochs=3), tmp_path / "killed")
    monkeypatch.setattr(WindowLog, "write", write)
    assert run(make_trainer(epochs=3), tmp_path / "killed") == expected
