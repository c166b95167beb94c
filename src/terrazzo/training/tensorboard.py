"""The rows of metrics.jsonl as an event file that TensorBoard shows.

Source: tensorflow/core/util/event.proto and framework/summary.proto: records of Event { double wall_time = 1; int64 step = 2; string
file_version = 3; Summary summary = 5 }, Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }.
"""

import io
import os
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from terrazzo.rasters.write import write_bytes
from terrazzo.samples.tfrecord.example import bytes_field, varint
from terrazzo.samples.tfrecord.records import write_record
from terrazzo.training.metrics import MetricsRow

NAME = "events.out.tfevents.1.terrazzo"
"""TensorBoard reads all files with the second and third word; the number stands for a time, so that a run has one file for ever."""
_VERSION = "brain.Event:2"


class TensorBoard:
    """Keeps an event file: figures of each epoch, whose number is the step."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """path: the file, called NAME. names: the classes', in their order."""
        self.path = path
        self._names = names

    def anew(self, rows: Sequence[MetricsRow]) -> None:
        """Write the events of these epochs."""
        file = io.BytesIO()
        now = time.time()
        write_record(file, _event(now, bytes_field(3, _VERSION.encode())))
        for row in rows:
            write_record(file, self._epoch(now, row))
        write_bytes(self.path, file.getvalue())

    def add(self, row: MetricsRow) -> None:
        """Append the events of one epoch more."""
        with self.path.open("ab") as file:
            write_record(file, self._epoch(time.time(), row))
            file.flush()
            os.fsync(file.fileno())

    def _epoch(self, now: float, row: MetricsRow) -> bytes:
        values = b"".join(bytes_field(1, bytes_field(1, tag.encode()) + _float(2, value)) for tag, value in _scalars(row, self._names))
        return _event(now, varint(2 << 3) + varint(row["epoch"]) + bytes_field(5, values))


def _scalars(row: MetricsRow, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Tags and figures; what comes before a slash is a group of charts. Undefined figures are left out."""
    yield "loss/train", row["loss"]
    yield "learning_rate", row["learning_rate"]
    yield "seconds", row["seconds"]
    validation = row["validation"]
    if validation is None:
        return
    yield "loss/validation", validation["loss"]
    figures = {"mean_dice": validation["mean_dice"], "mean_iou": validation["mean_iou"], "object_f2": validation.get("object_f2")}
    for key, values in (("dice", validation["dice"]), ("f2", validation["f2"])):
        figures |= {f"{key}_{name}": value for name, value in zip(names, values, strict=True)}
    yield from ((f"validation/{name}", value) for name, value in figures.items() if value is not None)


def _event(now: float, rest: bytes) -> bytes:
    return varint(1 << 3 | 1) + struct.pack("<d", now) + rest


def _float(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)
