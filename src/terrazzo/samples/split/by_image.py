"""Whole images as units: at random, every n-th, the last of a sequence, or by the folders that they are in."""

import numpy as np

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted, listed
from terrazzo.samples.overlaps import Overlaps, components
from terrazzo.samples.split.deal import TEST, TRAIN, VALIDATION, Shares, Sides
from terrazzo.samples.split.division import Division, divide_scenes, scenes_of
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

FOLDERS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""What folders of a part are called, lower case."""


def by_scene(samples: Samples, options: SplitOptions) -> Division:
    """Scenes, those that share ground or bytes together; shares count scenes."""
    codes, names = scenes_of(samples)
    rows = np.arange(len(samples))
    pairs = ((codes[mine], codes[theirs]) for mine, theirs in Overlaps(samples).pairs(rows, rows))
    return divide_scenes(samples, codes, components(len(names), pairs), options, "scene with ground of its own")


def by_fold(samples: Samples, options: SplitOptions) -> Division:
    """Scenes; the one that is i-th in natural order is in fold i mod folds."""
    codes, names = scenes_of(samples)
    division = divide_scenes(samples, codes, np.arange(len(names)), options, "scene")
    return Division(**{**vars(division), "folds": np.arange(len(names)) % options.folds})


def by_sequence(samples: Samples, _: SplitOptions, shares: Shares) -> Sides:
    """The side of each sample: scenes in natural order, training first, validation last, the test between them."""
    codes, names = scenes_of(samples)
    validation, test = (max(1, round(share * len(names))) if share else 0 for share in (shares.validation, shares.test))
    train = max(0, len(names) - validation - test)
    order = np.repeat(np.array([TRAIN, TEST, VALIDATION], np.int8), [train, test, validation])[-len(names) :]
    return order[codes]


def by_folder(samples: Samples, _: SplitOptions, __: Shares) -> Sides:
    """The side of each sample, by the first folder in its scene's name that is called train, val or test, or much like it.

    Raises SplitError naming the scenes that are in no such folder.
    """
    codes, names = scenes_of(samples)
    sides = [next((FOLDERS[part.lower()] for part in name.split("/")[:-1] if part.lower() in FOLDERS), None) for name in names]
    if homeless := [name for name, side in zip(names, sides, strict=True) if side is None]:
        raise SplitError(
            f"{counted(len(homeless), 'scene')} in no folder called train, val or test: {listed(homeless)}. "
            "Name images by a pattern that holds the folders, such as '*/images/*.tif', or give lists of scenes in [split]."
        )
    return np.array(sides, np.int8)[codes]
