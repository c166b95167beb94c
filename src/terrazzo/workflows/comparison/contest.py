"""Counting the maps of all contestants on the same pixels, scene by scene, of any size in constant memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.evaluation.bootstrap import FEWEST_UNITS
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.table import Numbers
from terrazzo.evaluation.objects.tally import ObjectTally
from terrazzo.evaluation.tally.blocks import BlockTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.labels.failures import Failures
from terrazzo.labels.masks import MaskLabels
from terrazzo.progress import Progress
from terrazzo.rasters.window import Shape
from terrazzo.workflows.comparison.places import Place, PlaceFinder
from terrazzo.workflows.comparison.shared_rows import Meeting, shared_rows


@dataclass(frozen=True, kw_only=True)
class SceneCounts:
    """What was counted of one scene."""

    name: str
    shape: Shape
    totals: NDArray[np.int64]
    """(contestants, classes, classes) pixels, rows are the truth."""
    blocks: NDArray[np.int64]
    """(contestants, blocks, classes, classes), of the blocks that hold a pixel."""
    left_out: int
    """Labelled pixels that not all contestants have mapped."""
    places: Sequence[Place]
    """Where the maps differ most."""
    objects: Sequence[FoundObjects]
    """One for each of the contestants, where objects are compared."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """All scenes."""

    scenes: Sequence[SceneCounts]
    unit: Literal["scenes", "blocks"]
    """What is drawn and swapped: scenes, or blocks of ground where scenes are few."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """(contestants, units, classes, classes)."""
        if self.unit == "scenes":
            return np.stack([scene.totals for scene in self.scenes], axis=1)
        return np.concatenate([scene.blocks for scene in self.scenes], axis=1)

    def objects(self, rule: ObjectRule) -> list[Numbers]:
        """Of each contestant (scenes, 3, thresholds) matched, false and missed objects, of the scenes that hold ground."""
        counts = []
        for number in range(len(self.scenes[0].objects)):
            counted = ObjectCounts(rule=rule)
            for scene in self.scenes:
                counted.add(scene.name, scene.objects[number])
            counts.append(counted.by_image())
        return counts

    @property
    def left_out(self) -> int:
        """Labelled pixels that not all contestants have mapped."""
        return sum(scene.left_out for scene in self.scenes)


def count_all(names: Sequence[str], meeting: Meeting, progress: Progress) -> Contest:
    """Count the maps of each scene against its truth, where all contestants have mapped it.

    Raises LabelError or RasterError naming all scenes whose maps do not lie on each other, DataError if no pixel is left.
    """
    scenes: list[SceneCounts] = []
    failures = Failures()
    with progress.task("compare", len(names), "scenes") as advance:
        for name in names:
            with failures.collect():
                scenes.append(_count(name, meeting))
            advance(1)
    failures.check(len(names), "images")
    held = [scene for scene in scenes if scene.totals.any()]
    if not held:
        raise DataError(
            "There is no labelled pixel that all have mapped. Runs map what they held out only; where they held out different ground, "
            "predict the same images with each and compare the folders."
        )
    return Contest(scenes=held, unit="scenes" if len(held) >= FEWEST_UNITS else "blocks")


def _count(name: str, meeting: Meeting) -> SceneCounts:
    with MaskLabels(meeting.contestants[0].maps[name].path, meeting.legends[0]) as first:
        shape = first.shape
    tallies = [BlockTally(len(meeting.legends[0].classes), shape) for _ in meeting.contestants]
    objects = [ObjectTally(meeting.objects) for _ in meeting.contestants] if meeting.objects is not None else []
    left_out, finder = 0, PlaceFinder(shape)
    for rows in shared_rows(name, meeting):
        for tally, predicted in zip(tallies, rows.predicted, strict=True):
            tally.add(Rows(row_off=rows.row_off, truth=rows.truth, predicted=predicted))
        for found, predicted in zip(objects, rows.predicted if objects else (), strict=True):
            found.add(rows.row_off, rows.truth, predicted, rows.instances)
        finder.add(rows)
        left_out += rows.left_out
    counted = [tally.finish() for tally in tallies]
    return SceneCounts(
        name=name,
        shape=shape,
        totals=np.stack([total.counts for total, _ in counted]),
        blocks=np.stack([blocks for _, blocks in counted]),
        left_out=left_out,
        places=finder.places(name),
        objects=[found.found() for found in objects],
    )
