"""Scenes that lists of names put on a side."""

from fnmatch import fnmatchcase

import numpy as np

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import listed
from terrazzo.samples.split.deal import TEST, TRAIN, VALIDATION, Sides
from terrazzo.samples.split.division import scenes_of
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import PARTS, Samples

OPEN = -2
"""The side of samples that nothing has claimed yet."""


def listed_sides(samples: Samples, options: SplitOptions) -> Sides:
    """The side of each sample whose scene a list names, OPEN for the others.

    Raises SplitError if a pattern fits nothing, or a scene is in the lists of two parts.
    """
    codes, names = scenes_of(samples)
    sides = np.full(len(names), OPEN, np.int8)
    lists = {TRAIN: options.train_scenes, VALIDATION: options.validation_scenes, TEST: options.test_scenes}
    for side, patterns in lists.items():
        for pattern in patterns:
            found = np.array([fnmatchcase(name, pattern) for name in names], np.bool_)
            if not found.any():
                raise SplitError(f"[split] {PARTS[side]}_scenes: {pattern!r} fits no scene; they are called {listed(names, 6)}.")
            twice = [names[place] for place in np.flatnonzero(found & (sides != OPEN) & (sides != side))]
            if twice:
                raise SplitError(f"[split] lists {listed(twice)} for {PARTS[side]} and for another part. Narrow the patterns.")
            sides[found] = side
    return sides[codes]
