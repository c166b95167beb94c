"""Which objects are scored, and how."""

from dataclasses import dataclass

import numpy as np

from terrazzo.errors import RecipeError
from terrazzo.evaluation.objects.match import MILLION
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.labels.bits import members
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed

ANY = "any"
"""All classes but the background, looked at as one."""


@dataclass(frozen=True, kw_only=True)
class ObjectRule:
    """What an object is, and when it counts."""

    name: str = ANY
    """The class, as scores name it."""
    classes: tuple[int, ...]
    """Class indices, or bit sets of classes that overlap; several are looked at as one."""
    thresholds: tuple[int, ...]
    """IoU thresholds in millionths, ascending; what matches has an IoU greater than that."""
    least_px: int = 1
    """Smaller objects are in no score."""
    sizes_px: tuple[int, ...] | None = None
    """Where sizes part; None: at the thirds of the true objects."""

    @property
    def lowest(self) -> int:
        return self.thresholds[0]


def rule_of(options: EvaluationOptions, legend: Legend) -> ObjectRule | None:
    """The rule that [evaluation] asks for; None if no objects are to be scored.

    Raises RecipeError if the legend has no such class, or nothing but background.
    """
    if options.objects is None:
        return None
    name, classes = _classes(options.objects, legend)
    return ObjectRule(
        name=name,
        classes=classes,
        thresholds=tuple(sorted({round(threshold * MILLION) for threshold in options.object_thresholds})),
        least_px=options.min_object_px,
        sizes_px=None if options.object_sizes_px is None else tuple(options.object_sizes_px),
    )


def _classes(asked: str | int, legend: Legend) -> tuple[str, tuple[int, ...]]:
    """The name and the indices of a class, by its name or value; a name that is a number may be either."""
    for index, entry in enumerate(legend.classes):
        if asked in (entry.name, entry.value):
            return entry.name, _indices(index, legend)
    for index, entry in enumerate(legend.classes):
        if str(asked) in (entry.name, str(entry.value)):
            return entry.name, _indices(index, legend)
    others = tuple(index for index in range(len(legend.sets.classes)) if index != legend.background)
    if asked == ANY and others:
        return ANY, others
    classes = listed((f"{entry.value} ({entry.name})" for entry in legend.classes), 12)
    raise RecipeError(f"evaluation.objects is {asked!r}; it must be one of the classes {classes}, or {ANY!r} for all but the background.")


def _indices(index: int, legend: Legend) -> tuple[int, ...]:
    """What a pixel of a class holds: its index; where classes overlap, any set that has it."""
    return tuple(np.flatnonzero(members(len(legend.classes))[index]).tolist()) if legend.overlapping else (index,)
