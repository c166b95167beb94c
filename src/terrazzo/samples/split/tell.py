"""What comes out of a split: checked, told, audited."""

import logging
from collections.abc import Sequence

import numpy as np

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted, listed
from terrazzo.samples.audit.leaks import alike_sentence, find_alike_leaks, find_leaks, leak_sentence
from terrazzo.samples.split.deal import DROPPED, TEST, TRAIN, VALIDATION, Shares, Sides
from terrazzo.samples.split.division import ADVICE
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import PARTS, Samples

FAR = 0.1
"""A part whose share differs by more than this from the wanted one is worth a warning."""

FIXED = ("none", "given", "folder")
"""Kinds that ask for no share."""

log = logging.getLogger(__name__)


def check_parts(samples: Samples, options: SplitOptions) -> None:
    """Raise SplitError if a part that is wanted is empty."""
    held = set(samples.frame["split"])
    empty = [PARTS[side] for side in _wanted(options) if PARTS[side] not in held]
    if empty:
        windows = counted(len(samples), "window")
        raise SplitError(f"The split by {options.by} leaves nothing for {' and '.join(empty)} ({windows} in all). {ADVICE[options.by]}")


def _wanted(options: SplitOptions) -> list[int]:
    """The sides that must not stay empty; lists alone ask for no share."""
    wanted, dealt = [TRAIN], options.by not in FIXED
    if options.validation_scenes or options.validation_area or (options.validation and dealt):
        wanted.append(VALIDATION)
    if options.test_scenes or options.test_area or (options.test and dealt) or options.tested_fold is not None:
        wanted.append(TEST)
    return wanted


def tell_parts(samples: Samples, options: SplitOptions) -> None:
    """Say what came out, and warn of classes that a part lacks although the set has them."""
    split = samples.frame["split"]
    counts = {part: int((split == part).sum()) for part in PARTS}
    shown = ", ".join(f"{count} {part}" for part, count in counts.items() if count)
    dropped = len(samples) - sum(counts.values())
    log.info("Split by %s: %s windows%s.", options.by, shown, f"; {dropped} across or near borders are left out" if dropped else "")
    _tell_classes(samples, [part for part, count in counts.items() if count])


def tell_shares(sides: Sides, shares: Shares, options: SplitOptions) -> None:
    """Warn of parts that are much larger or smaller than they should be; sides are of the samples that were dealt."""
    kept = max(int(np.count_nonzero(sides != DROPPED)), 1)
    for side, wanted in ((VALIDATION, shares.validation), (TEST, shares.test)):
        share = np.count_nonzero(sides == side) / kept
        if wanted and share and options.by in ("block", "strip", "group", "random") and abs(share - wanted) > FAR:
            log.warning("The %s part has %.0f %% of the windows instead of %.0f %%.", PARTS[side], 100 * share, 100 * wanted)


def _tell_classes(samples: Samples, parts: Sequence[str]) -> None:
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
    """Look for leaks between the parts, and for images that are known to be alike on two sides.

    Raises SplitError for leaks, and for alike images with alike = 'refuse', unless options.allow_leak is set: then the log names them.
    """
    if leaks := find_leaks(samples):
        advice = "Split by block or scene, name other scenes, or set [split] allow_leak = true to go on and record it."
        _refuse(leak_sentence(leaks), advice, options)
    alike = find_alike_leaks(samples) if options.alike != "off" else []
    if alike and options.alike == "refuse":
        advice = "Set [split] alike = 'group' to keep them together, or allow_leak = true to go on and record it."
        _refuse(alike_sentence(alike), advice, options)
    elif alike:
        advice = "name other scenes" if options.alike == "group" else "set [split] alike = 'group' to keep them together"
        log.warning("%s Scores of the held-out part are too good; %s.", alike_sentence(alike), advice)


def _refuse(sentence: str, advice: str, options: SplitOptions) -> None:
    if not options.allow_leak:
        raise SplitError(f"{sentence}\n{advice}")
    log.warning("%s Allowed by allow_leak: scores of the held-out part are too good.", sentence)
