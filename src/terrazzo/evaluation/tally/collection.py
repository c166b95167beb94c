"""The counts of a set of scenes."""

from collections.abc import Mapping

from terrazzo.errors import UsageError
from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.tally.counts import Counts


class SetTally:
    """The sum over all scenes, and what is kept of each: its confusion. Memory grows with the scenes by little only."""

    def __init__(self, classes: int) -> None:
        self.total = Counts.none(classes)
        self._scenes: dict[str, Confusion] = {}

    @property
    def scenes(self) -> Mapping[str, Confusion]:
        """The confusion of each scene, by its name, in the order in which they were added."""
        return self._scenes

    def add(self, scene: str, counts: Counts) -> None:
        """Add a scene of a new name. Raises UsageError if the name is known."""
        if scene in self._scenes:
            raise UsageError(f"The scene {scene} was counted already; give each its own name.")
        self._scenes[scene] = counts.confusion
        self.total = self.total + counts
