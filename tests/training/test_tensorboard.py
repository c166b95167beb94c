"""The event file holds each epoch once, after a crash too."""

import struct
from pathlib import Path

import pytest

from terrazzo.samples.tfrecord.records import read_records
from terrazzo.training.metrics import MetricsLog, MetricsRow, ValidationRow
from terrazzo.training.tensorboard import NAME, TensorBoard

CLASSES = ("land", "wäter")


def row(epoch: int, *, scored: bool = True) -> MetricsRow:
    validation = (
        ValidationRow(loss=0.5, mean_dice=0.75, mean_iou=None, dice=[0.5, None], f2=[0.625, None], object_f2=0.25) if scored else None
    )
    return MetricsRow(epoch=epoch, step=10 * epoch, loss=1 / epoch, learning_rate=1e-3, seconds=0.5, validation=validation)


@pytest.fixture
def log(tmp_path: Path) -> MetricsLog:
    return MetricsLog(tmp_path / "metrics.jsonl", [TensorBoard(tmp_path / "board" / NAME, CLASSES)])


def events(log: MetricsLog) -> list[bytes]:
    """Without the time, which comes first: a key and eight bytes."""
    return [record[9:] for record in read_records(log.path.parent / "board" / NAME)]


def scalar(tag: str, value: float) -> bytes:
    """A Value, written out by hand: tag and float, then the field of the Summary that it is."""
    name = tag.encode()
    inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    return b"\x0a" + bytes([len(inner)]) + inner


def test_events_are_as_the_format_has_them(log: MetricsLog) -> None:
    log.cut(0)
    log.write(row(300, scored=False))
    values = scalar("loss/train", 1 / 300) + scalar("learning_rate", 1e-3) + scalar("seconds", 0.5)
    assert events(log) == [b"\x1a\x0dbrain.Event:2", b"\x10\xac\x02\x2a" + bytes([len(values)]) + values]


def test_what_is_undefined_is_left_out(log: MetricsLog) -> None:
    log.cut(0)
    log.write(row(1))
    event = events(log)[1]
    for tag, value in (
        ("loss/validation", 0.5),
        ("validation/mean_dice", 0.75),
        ("validation/dice_land", 0.5),
        ("validation/f2_land", 0.625),
        ("validation/object_f2", 0.25),
    ):
        assert scalar(tag, value) in event
    assert b"mean_iou" not in event
    assert "wäter".encode() not in event


@pytest.mark.parametrize("left", ["missing", "behind", "ahead", "cut"])
def test_whatever_a_crash_left_each_epoch_is_there_once(log: MetricsLog, left: str) -> None:
    path = log.path.parent / "board" / NAME
    log.cut(0)
    states = []
    for epoch in (1, 2, 3):
        log.write(row(epoch))
        states.append(path.read_bytes())
    whole = events(log)
    path.write_bytes({"missing": b"", "behind": states[0], "ahead": states[2], "cut": states[1][:-5]}[left])
    log.cut(2)
    assert events(log) == whole[:3]
    log.write(row(3))
    assert events(log) == whole
    assert [found.name for found in path.parent.iterdir()] == [NAME]
