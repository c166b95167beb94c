"""The split: which samples are for training, for validation, for the test."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.files import natural_key
from terrazzo.samples.audit.leaks import find_leaks, leak_sentence
from terrazzo.samples.blocks import default_block, lay_out
from terrazzo.samples.deal import DROPPED, TEST, TRAIN, VALIDATION, Items, Shares, Sides, deal
from terrazzo.samples.options import SplitOptions
from terrazzo.samples.overlaps import Overlaps, components
from terrazzo.samples.table import PARTS, Samples

FAR = 0.1
"""A part whose share differs by more than this from the wanted one is worth a warning."""

ADVICE = {
    "block": "Lower [samples] size or [split] block_px, give more images, or set [split] by = 'none' to validate on the training part.",
    "scene": "Give more images, or set [split] by = 'block' to split them by ground.",
    "sequence": "Give more images, or set [split] by = 'block' to split them by ground.",
    "kfold": "Give more images or lower [split] folds, or set [split] by = 'block' to split them by ground.",
    "random": "Set [samples] overlap = 0, or [split] by = 'block', which drops the windows across borders.",
    "given": "Name its scenes in [split], such as validation_scenes = ['val/*'].",
    "none": "See the lists of scenes in [split].",
}

log = logging.getLogger(__name__)


def assign_split(samples: Samples, options: SplitOptions) -> Samples:
    """Give every sample its part: train, validation, test, or none for windows across a border between parts.

    Scenes that the lists of [split] name come first; a part that has a list gets nothing else. The others are split by options.by.
    The outcome depends on the table and the options only. It is audited: no part shares ground or files with another.

    Raises SplitError if a part that is wanted stays empty, if lists contradict each other or name nothing, and for leaks, unless
    options.allow_leak is set: then the log names them.
    """
    listed_sides = _listed_sides(samples, options)
    sides = listed_sides.copy()
    rest = np.flatnonzero(listed_sides == _OPEN)
    if len(rest):
        sides[rest] = _RULES[options.by](replace(samples, frame=samples.frame.iloc[rest]), options, _shares(options))
    names = np.array([*PARTS, None], object)[np.where(sides == DROPPED, len(PARTS), sides)]
    done = replace(samples, frame=samples.frame.assign(split=pd.Series(names, index=samples.frame.index, dtype=object)))
    _check_sides(sides, options)
    _tell(done, sides, options)
    _tell_shares(sides[rest], options)
    audit(done, options)
    return done


_OPEN = -2


def _listed_sides(samples: Samples, options: SplitOptions) -> Sides:
    """The side of each sample that a list names, _OPEN for the others."""
    scenes, codes = np.unique(samples.frame["scene"].to_numpy(str), return_inverse=True)
    sides = np.full(len(scenes), _OPEN, np.int8)
    lists = {TRAIN: options.train_scenes, VALIDATION: options.validation_scenes, TEST: options.test_scenes}
    for side, patterns in lists.items():
        for pattern in patterns:
            found = np.array([fnmatchcase(scene, pattern) for scene in scenes], np.bool_)
            if not found.any():
                raise SplitError(f"[split] {PARTS[side]}_scenes: {pattern!r} fits no scene; they are called {listed(scenes.tolist(), 6)}.")
            twice = scenes[found & (sides != _OPEN) & (sides != side)]
            if len(twice):
                raise SplitError(f"[split] lists {listed(twice.tolist())} for {PARTS[side]} and for another part. Narrow the patterns.")
            sides[found] = side
    return sides[codes.reshape(-1)]


def _shares(options: SplitOptions) -> Shares:
    """The shares that are still to be dealt: a part that has a list gets nothing else."""
    return Shares(
        validation=0.0 if options.validation_scenes else options.validation,
        test=0.0 if options.test_scenes else options.test,
    )


def _by_block(samples: Samples, options: SplitOptions, shares: Shares) -> Sides:
    canvas = lay_out(samples)
    if options.block_px is not None and options.block_px < max(samples.size):
        raise SplitError(f"[split] block_px is {options.block_px}; it must be at least the window ({max(samples.size)} px).")
    side = options.block_px
    block = (side, side) if side is not None else default_block(canvas, samples.stride)
    items = Items(units=canvas.units(block), classes=samples.class_pixels())
    log.info("%s of %d x %d pixels hold windows.", counted(canvas.fullness(block), "block"), *block)
    return _deal(items, shares, options, f"block of {block[0]} x {block[1]} pixels")


def _by_window(samples: Samples, options: SplitOptions, shares: Shares) -> Sides:
    """At random, windows that overlap together."""
    rows = np.arange(len(samples))
    groups = components(len(rows), Overlaps(samples).pairs(rows, rows))
    return _deal(Items(units=groups[:, np.newaxis], classes=samples.class_pixels()), shares, options, "group of overlapping windows")


def _by_scene(samples: Samples, options: SplitOptions, shares: Shares) -> Sides:
    """Whole scenes at random, those that share ground or bytes together; shares count scenes."""
    codes, _, classes = _scenes(samples)
    rows = np.arange(len(samples))
    pairs = ((codes[mine], codes[theirs]) for mine, theirs in Overlaps(samples).pairs(rows, rows))
    groups = components(len(classes), pairs)
    return _deal(Items(units=groups[:, np.newaxis], classes=classes), shares, options, "scene with ground of its own")[codes]


def _by_sequence(samples: Samples, _: SplitOptions, shares: Shares) -> Sides:
    """Scenes in natural order of their names: training first, validation last, the test between them."""
    codes, names, _classes = _scenes(samples)
    validation, test = (max(1, round(share * len(names))) if share else 0 for share in (shares.validation, shares.test))
    train = max(0, len(names) - validation - test)
    order = np.repeat(np.array([TRAIN, TEST, VALIDATION], np.int8), [train, test, validation])[-len(names) :]
    return order[codes]


def _by_fold(samples: Samples, options: SplitOptions, shares: Shares) -> Sides:
    """Scene i in natural order is for the test if i mod folds is the fold; of the others a share is drawn for validation."""
    codes, names, classes = _scenes(samples)
    if len(names) < options.folds:
        raise SplitError(f"{counted(len(names), 'scene')} cannot make {options.folds} folds. {ADVICE['kfold']}")
    sides = np.full(len(names), TEST, np.int8)
    others = np.flatnonzero(np.arange(len(names)) % options.folds != options.fold)
    items = Items(units=np.arange(len(others))[:, np.newaxis], classes=classes[others])
    sides[others] = _deal(items, Shares(validation=shares.validation, test=0.0), options, "scene outside the fold")
    return sides[codes]


def _deal(items: Items, shares: Shares, options: SplitOptions, noun: str) -> Sides:
    """Deal, unless there is less than one unit for each part; noun: what a unit is."""
    parts = [name for name, share in zip(PARTS, (1.0, shares.validation, shares.test), strict=True) if share]
    if items.count < len(parts):
        first, _, rest = noun.partition(" ")
        raise SplitError(f"Only {counted(items.count, first)} {rest} to split into {' and '.join(parts)}. {ADVICE[options.by]}")
    return deal(items, shares, options.seed)


def _all_train(samples: Samples, _: SplitOptions, __: Shares) -> Sides:
    return np.full(len(samples), TRAIN, np.int8)


_RULES: Mapping[str, Callable[[Samples, SplitOptions, Shares], Sides]] = {
    "block": _by_block,
    "scene": _by_scene,
    "sequence": _by_sequence,
    "kfold": _by_fold,
    "random": _by_window,
    "given": _all_train,
    "none": _all_train,
}


def _scenes(samples: Samples) -> tuple[NDArray[np.int64], list[str], NDArray[np.int64]]:
    """The scene of each sample as a number in natural order, their names in that order, and (scenes, classes) pixels of each."""
    scenes = samples.frame["scene"].to_numpy(str)
    names = sorted(set(scenes.tolist()), key=natural_key)
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[scene] for scene in scenes.tolist()], np.int64)
    classes = np.zeros((len(names), len(samples.legend.classes)), np.int64)
    np.add.at(classes, codes, samples.class_pixels())
    return codes, names, classes


def _wanted(options: SplitOptions) -> list[int]:
    """The sides that must not stay empty; lists alone ('given') ask for no share."""
    wanted = [TRAIN]
    listless = options.by not in ("none", "given")
    if options.validation_scenes or (options.validation and listless):
        wanted.append(VALIDATION)
    if options.test_scenes or (options.test and listless) or options.by == "kfold":
        wanted.append(TEST)
    return wanted


def _check_sides(sides: Sides, options: SplitOptions) -> None:
    empty = [PARTS[side] for side in _wanted(options) if not (sides == side).any()]
    if empty:
        windows = counted(len(sides), "window")
        raise SplitError(f"The split by {options.by} leaves nothing for {' and '.join(empty)} ({windows} in all). {ADVICE[options.by]}")


def _tell(samples: Samples, sides: Sides, options: SplitOptions) -> None:
    """Say what came out, and what of it may surprise."""
    counts = {name: int(np.count_nonzero(sides == side)) for side, name in enumerate(PARTS)}
    dropped = int(np.count_nonzero(sides == DROPPED))
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    log.info("Split by %s: %s windows%s.", options.by, shown, f"; {dropped} across borders are left out" if dropped else "")
    _tell_classes(samples, [name for name, count in counts.items() if count])


def _tell_shares(sides: Sides, options: SplitOptions) -> None:
    """Warn of parts that are much larger or smaller than they should be; sides are of the samples that were dealt."""
    shares = _shares(options)
    kept = max(int(np.count_nonzero(sides != DROPPED)), 1)
    for side, wanted in ((VALIDATION, shares.validation), (TEST, shares.test)):
        share = np.count_nonzero(sides == side) / kept
        if wanted and share and options.by in ("block", "random") and abs(share - wanted) > FAR:
            log.warning("The %s part has %.0f %% of the windows instead of %.0f %%.", PARTS[side], 100 * share, 100 * wanted)


def _tell_classes(samples: Samples, parts: Sequence[str]) -> None:
    """Warn of classes that a part lacks although the set has them."""
    pixels = samples.class_pixels()
    present = np.any(pixels, axis=0)
    split = samples.frame["split"].to_numpy()
    for part in parts:
        held = np.any(pixels[split == part], axis=0)
        absent = [samples.legend.names[index] for index in np.flatnonzero(present & ~held)]
        if absent:
            consequence = "the model cannot learn it" if part == "train" else "it has no score there"
            log.warning("The %s part holds nothing of class %s: %s.", part, listed(absent), consequence)


def audit(samples: Samples, options: SplitOptions) -> None:
    """Look for leaks between the parts. Raises SplitError for them, unless options.allow_leak is set: then the log names them."""
    leaks = find_leaks(samples)
    if not leaks:
        return
    sentence = leak_sentence(leaks)
    if not options.allow_leak:
        raise SplitError(
            f"{sentence}\nSplit by block or scene, name other scenes, or set [split] allow_leak = true to go on and record it."
        )
    log.warning("%s Allowed by allow_leak: scores of the held-out part are too good.", sentence)
