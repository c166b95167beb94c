"""What is counted of scenes: exact sums, so that those of scenes and shards add up to those of the whole."""

from dataclasses import dataclass

from terrazzo.evaluation.confusion import Confusion


@dataclass(frozen=True, kw_only=True)
class Counts:
    """All that scores are made of; `+` adds exactly, in any order."""

    confusion: Confusion

    @classmethod
    def none(cls, classes: int) -> "Counts":
        """Those of no pixels."""
        return cls(confusion=Confusion(classes))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(confusion=self.confusion + other.confusion)
