"""metrics.jsonl: one line an epoch, on disk as soon as the epoch ends, and what shows the same in other forms."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.rasters.write import write_text


class ValidationRow(TypedDict):
    loss: float
    mean_dice: float | None
    mean_iou: float | None
    dice: list[float | None]
    """Of the classes, in their order; so is f2, which counts what is missed four times as much as what is falsely found."""
    f2: list[float | None]
    object_f2: NotRequired[float | None]
    """Of the objects of each validation chip, where [evaluation] objects asks for it."""


class MetricsRow(TypedDict):
    epoch: int
    step: int
    loss: float
    learning_rate: float
    seconds: float
    validation: ValidationRow | None


def validation_row(loss: float, confusion: Confusion, *, overlapping: bool = False) -> ValidationRow:
    """What an evaluation on the validation part leaves; scores from the counts of all its pixels.

    confusion: of the classes; where they overlap, of their sets.
    """
    numbers = range(confusion.classes.bit_length() - 1 if overlapping else confusion.classes)
    scores = pixel_scores(confusion, list(numbers), [str(number) for number in numbers])
    return ValidationRow(
        loss=loss,
        mean_dice=scores["mean_dice"],
        mean_iou=scores["mean_iou"],
        dice=[each["f1"] for each in scores["classes"]],
        f2=[each["f2"] for each in scores["classes"]],
    )


class Mirror(Protocol):
    """The rows of the log in another form."""

    def anew(self, rows: Sequence[MetricsRow]) -> None:
        """Show these epochs, and no others."""
        ...

    def add(self, row: MetricsRow) -> None:
        """Show one epoch more."""
        ...


class MetricsLog:
    """Keeps metrics.jsonl, and its mirrors alike."""

    def __init__(self, path: Path, mirrors: Sequence[Mirror] = ()) -> None:
        self.path = path
        self.mirrors = mirrors

    def write(self, row: MetricsRow) -> None:
        """Append one epoch; it survives a crash right after. Mirrors follow, which a crash in between leaves for `cut` to mend."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        for mirror in self.mirrors:
            mirror.add(row)

    def rows(self) -> list[MetricsRow]:
        """All epochs so far; a half-written last line, as a crash leaves it, does not count."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def cut(self, epochs: int) -> None:
        """Forget what came after an epoch, which a resumed run writes again. Called before the first `write`."""
        rows = [row for row in self.rows() if row["epoch"] <= epochs]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))
        for mirror in self.mirrors:
            mirror.anew(rows)
