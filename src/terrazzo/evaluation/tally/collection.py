"""The counts of a set of scenes."""

from collections.abc import Mapping

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.tally.counts import Counts


class SetTally:
    """The sum over all scenes, and what is kept of each: its confusion. Memory grows with the scenes by little only."""

    def __init__(self, classes: int, objects: ObjectRule | None = None) -> None:
        """classes: number of classes. objects: which are matched; None: none are."""
        self.objects = None if objects is None else ObjectCounts(rule=objects)
        self.total = Counts.none(classes)
        self._scenes: dict[str, Confusion] = {}

    @property
    def scenes(self) -> Mapping[str, Confusion]:
        """The confusion of each scene, by its name, in the order in which they were added."""
        return self._scenes

    def add(self, scene: str, counts: Counts, objects: FoundObjects | None = None) -> None:
        """Add a scene of a new name, with its objects where they are matched. Raises UsageError if the name is known."""
        if scene in self._scenes:
            raise UsageError(f"The scene {scene} was counted already; give each its own name.")
        self._scenes[scene] = counts.confusion
        self.total = self.total + counts
        if self.objects is not None and objects is not None:
            self.objects.add(scene, objects)
