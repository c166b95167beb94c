"""The counts of a set of scenes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.bootstrap import FEWEST_UNITS
from terrazzo.evaluation.calibration import brier, mean_confidence, negative_log_likelihood
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.intervals import Units
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.scores import Score
from terrazzo.evaluation.tally.counts import Counts
from terrazzo.evaluation.tally.scene import SceneCounts


@dataclass(frozen=True, kw_only=True)
class SceneScores:
    """What is kept of each scene; confidence, Brier score and NLL only where its probabilities are known."""

    confusion: Confusion
    mean_confidence: Score = None
    brier: Score = None
    nll: float | None = None


class SetTally:
    """The sum over all scenes, and a little of each, so that memory grows with the scenes by little only."""

    def __init__(self, classes: int, objects: ObjectRule | None = None) -> None:
        """classes: number of classes. objects: which are matched; None: none are."""
        self.objects = None if objects is None else ObjectCounts(rule=objects)
        self.total = Counts.none(classes)
        self._scenes: dict[str, SceneScores] = {}
        self._blocks: list[NDArray[np.int64]] = []
        """Of the scenes, as long as they are too few to be drawn anew themselves."""

    @property
    def scenes(self) -> Mapping[str, SceneScores]:
        """The scores of each scene, by its name, in the order in which they were added."""
        return self._scenes

    def add(self, scene: str, found: SceneCounts) -> None:
        """Add a scene of a new name. Raises UsageError if the name is known."""
        if scene in self._scenes:
            raise UsageError(f"The scene {scene} was counted already; give each its own name.")
        self._scenes[scene] = _scores(found.counts)
        self.total = self.total + found.counts
        self._blocks.append(found.blocks)
        if len(self._scenes) >= FEWEST_UNITS:
            self._blocks = []
        if self.objects is not None and found.objects is not None:
            self.objects.add(scene, found.objects)

    def units(self) -> Units | None:
        """What can be drawn anew for intervals: scenes, or blocks of few scenes; None if both are too few."""
        scenes = [scene.confusion.counts for scene in self._scenes.values() if scene.confusion.pixels]
        if len(scenes) >= FEWEST_UNITS:
            return Units(kind="scenes", counts=np.stack(scenes))
        if sum(map(len, self._blocks)) >= FEWEST_UNITS:
            return Units(kind="blocks", counts=np.concatenate(self._blocks))
        return None


def _scores(counts: Counts) -> SceneScores:
    known = counts.confidence
    if known is None or not known.pixels:
        return SceneScores(confusion=counts.confusion)
    return SceneScores(
        confusion=counts.confusion, mean_confidence=mean_confidence(known), brier=brier(known), nll=negative_log_likelihood(known)
    )
