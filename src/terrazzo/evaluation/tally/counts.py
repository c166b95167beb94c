"""What is counted of scenes: exact sums, so that those of scenes and shards add up to those of the whole."""

from dataclasses import dataclass
from typing import TypeVar

from terrazzo.evaluation.boundary import BoundaryCounts
from terrazzo.evaluation.confidence import ConfidenceCounts
from terrazzo.evaluation.confusion import Confusion

Part = TypeVar("Part", BoundaryCounts, ConfidenceCounts)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """All that scores are made of; `+` adds exactly, in any order. None: nothing of the kind was counted."""

    confusion: Confusion
    boundary: BoundaryCounts | None = None
    confidence: ConfidenceCounts | None = None
    """Of the pixels whose probabilities are known."""

    @classmethod
    def none(cls, classes: int) -> "Counts":
        """Those of no pixels."""
        return cls(confusion=Confusion(classes))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            confusion=self.confusion + other.confusion,
            boundary=_sum(self.boundary, other.boundary),
            confidence=_sum(self.confidence, other.confidence),
        )


def _sum(one: Part | None, other: Part | None) -> Part | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
