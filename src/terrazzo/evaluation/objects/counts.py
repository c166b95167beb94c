"""Objects counted over images: matched, false and missed at every threshold, image by image."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.objects.found import HALF, FoundObjects
from terrazzo.evaluation.objects.rows import ROW, rows_of
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.table import Numbers


@dataclass(frozen=True, kw_only=True)
class ImageObjects:
    """The objects of one image."""

    name: str
    counts: Numbers
    """(3, thresholds + 1): matched, false, missed at each threshold, and at 0.5."""
    rows: NDArray[np.void]
    """(n,) of type ROW, those that count."""
    merged: int
    """Predicted objects that hold more than half of each of several true ones."""
    split: int
    """True objects that hold more than half of each of several predicted ones."""


@dataclass(kw_only=True)
class ObjectCounts:
    """Objects counted image by image; sums over shards are those of the whole, in any order."""

    rule: ObjectRule
    images: list[ImageObjects] = field(default_factory=list)

    def add(self, name: str, found: FoundObjects) -> None:
        """Count an image. One without any ground that counts is left out: it says nothing."""
        if found.empty:
            return
        counts = found.counts(np.array([*self.rule.thresholds, HALF]))
        rows = rows_of(found, self.rule.lowest)
        self.images.append(ImageObjects(name=name, counts=counts, rows=rows, merged=found.merged, split=found.split))

    def __add__(self, other: "ObjectCounts") -> "ObjectCounts":
        if not isinstance(other, ObjectCounts):
            return NotImplemented
        if other.rule != self.rule:
            raise UsageError("Objects counted by different rules cannot be added; class, thresholds and sizes must be the same.")
        return ObjectCounts(rule=self.rule, images=[*self.images, *other.images])

    def by_image(self) -> Numbers:
        """(images, 3, thresholds): matched, false, missed."""
        return np.array([image.counts[:, :-1] for image in self.images], np.int64).reshape(-1, 3, len(self.rule.thresholds))

    def at_half(self) -> Numbers:
        """(3,): matched, false, missed of all images at an IoU of 0.5."""
        total: Numbers = np.array([image.counts[:, -1] for image in self.images], np.int64).reshape(-1, 3).sum(axis=0)
        return total

    def rows(self) -> NDArray[np.void]:
        """(n,) of type ROW: the objects of all images, image by image."""
        return np.concatenate([np.zeros(0, ROW), *(image.rows for image in self.images)])
