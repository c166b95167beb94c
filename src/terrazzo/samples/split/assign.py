"""The split: which samples are for training, for validation, for the test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from terrazzo.errors import SplitError
from terrazzo.samples.audit.windows import alike_groups
from terrazzo.samples.overlaps import Positions
from terrazzo.samples.split.areas import area_sides
from terrazzo.samples.split.buffers import Buffer
from terrazzo.samples.split.by_ground import by_block, by_strip
from terrazzo.samples.split.by_group import by_group
from terrazzo.samples.split.by_image import by_fold, by_folder, by_scene, by_sequence
from terrazzo.samples.split.by_window import by_window
from terrazzo.samples.split.deal import DROPPED, TEST, TRAIN, VALIDATION, Shares, Sides
from terrazzo.samples.split.division import Division, dealt
from terrazzo.samples.split.exact import natural_order, taken
from terrazzo.samples.split.lists import OPEN, listed_sides
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.split.pieces import PIECE_OF, Piece, Recount, cut_pieces, with_pieces, without_pieces
from terrazzo.samples.split.tell import audit, check_parts, tell_parts, tell_shares
from terrazzo.samples.table import PARTS, Samples

BUFFERED_TRIES = 4
"""Deals with a buffer, each with what the one before dropped made up for."""

CLOSE = 0.01
"""Shares this near to the wanted ones need no other deal."""

DIVIDED: Mapping[str, Callable[[Samples, SplitOptions], Division]] = {
    "block": by_block,
    "strip": by_strip,
    "scene": by_scene,
    "group": by_group,
    "kfold": by_fold,
    "random": by_window,
}
"""Kinds that make units, which are dealt."""


def _by_nothing(samples: Samples, options: SplitOptions, _: Shares) -> Sides:
    """All for training; where lists or areas say what is for training, nothing else is."""
    named = options.by == "given" and (options.train_scenes or options.train_area)
    return np.full(len(samples), DROPPED if named else TRAIN, np.int8)


FIXED: Mapping[str, Callable[[Samples, SplitOptions, Shares], Sides]] = {
    "sequence": by_sequence,
    "folder": by_folder,
    "given": _by_nothing,
    "none": _by_nothing,
}
"""Kinds that tell the side of each sample at once."""


def assign_split(samples: Samples, options: SplitOptions, recount: Recount | None = None) -> Samples:
    """Give every sample its part: train, validation, test, or none for windows across or near a border between parts.

    What an exact list, lists of scenes or areas name comes first; a part that has one gets nothing else. The others are split by
    options.by. The outcome depends on the windows and the options only, not on their order. With border = 'ignore' the table gets rows
    for the pieces of windows across borders. The outcome is audited: no part shares ground or files with another.

    recount: counts what pieces hold; needed for border = 'ignore', and for exact lists that hold pieces.
    Raises SplitError if a part that is wanted stays empty, if lists or areas contradict each other or name nothing, and for leaks,
    unless options.allow_leak is set: then the log names them.
    """
    whole = without_pieces(samples)
    order = np.array(natural_order(whole), np.int64)
    ordered = replace(whole, frame=whole.frame.iloc[order])
    found = _taken(ordered, options) or _made(ordered, options)
    done = _put_together(ordered, found, options, recount)
    # the rows of whole windows as they were, pieces after them
    back = np.concatenate([np.argsort(order), np.arange(len(order), len(done))])
    done = replace(done, frame=done.frame.iloc[back])
    check_parts(done, options)
    tell_parts(done, options)
    audit(done, options)
    return done


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Where a split puts windows."""

    sides: Sides
    """Of each window."""
    pieces: list[Piece]
    """Of windows across borders."""


def _taken(samples: Samples, options: SplitOptions) -> _Outcome | None:
    """What an exact list says, if there is one."""
    if options.list_file is None:
        return None
    sides, pieces = taken(samples, options.list_file)
    return _Outcome(sides=sides, pieces=pieces)


def _made(samples: Samples, options: SplitOptions) -> _Outcome:
    """Lists and areas first, then the rule."""
    sides = listed_sides(samples, options)
    if options.train_area or options.validation_area or options.test_area:
        sides = np.where(sides == OPEN, area_sides(samples, options), sides)
    rest = np.flatnonzero(sides == OPEN)
    buffer = Buffer.of(samples, options)
    if not len(rest):
        return _Outcome(sides=buffer.kept_apart(sides), pieces=[])
    shares = _shares(options)
    part = replace(samples, frame=samples.frame.iloc[rest])
    if options.by in FIXED:
        sides[rest] = FIXED[options.by](part, options, shares)
        return _Outcome(sides=buffer.kept_apart(sides), pieces=[])
    division = DIVIDED[options.by](part, options)
    if options.alike == "group" and part.alike:
        division = division.together(alike_groups(part, division.items.units[division.of_window]))
    best = _dealt_apart(_Open(samples=samples, listed=sides, division=division, buffer=buffer), options)
    tell_shares(best.sides[rest], shares, options)
    return best


@dataclass(frozen=True, kw_only=True)
class _Open:
    """Windows of which some are still to be dealt."""

    samples: Samples
    listed: Sides
    """Of each window, OPEN for those that are to be dealt."""
    division: Division
    """Of those."""
    buffer: Buffer


def _dealt_apart(given: _Open, options: SplitOptions) -> _Outcome:
    """Deal, then keep the buffer; what it takes from the parts is made up for in the next deal, and the closest one counts."""
    rest, wanted = np.flatnonzero(given.listed == OPEN), _shares(options)
    asked, best = wanted, (np.inf, _Outcome(sides=given.listed, pieces=[]))
    for _ in range(BUFFERED_TRIES):
        sides = given.listed.copy()
        sides[rest], units = dealt(given.division, options, asked)
        pieces = _pieces(given.samples, rest, sides, units, given.division) if options.border == "ignore" else []
        sides = given.buffer.kept_apart(sides)
        reached = _reached(sides[rest])
        error = abs(reached.validation - wanted.validation) + abs(reached.test - wanted.test)
        if error < best[0]:
            best = error, _Outcome(sides=sides, pieces=pieces)
        if error < CLOSE or not given.buffer.grounds:
            break
        asked = _made_up(asked, wanted, reached)
    return best[1]


def _pieces(samples: Samples, rest: Positions, sides: Sides, units: Sides, division: Division) -> list[Piece]:
    """Pieces of the windows that the deal dropped."""
    if division.blocks is None:
        return []
    part = replace(samples, frame=samples.frame.iloc[rest])
    cut = cut_pieces(part, division.blocks, np.flatnonzero(sides[rest] == DROPPED), units)
    return [replace(piece, row=int(rest[piece.row])) for piece in cut]


def _put_together(samples: Samples, found: _Outcome, options: SplitOptions, recount: Recount | None) -> Samples:
    """The table with the column split, and rows for pieces that are far enough from other parts."""
    names = np.array([*PARTS, None], object)[np.where(found.sides == DROPPED, len(PARTS), found.sides)]
    done = replace(samples, frame=samples.frame.assign(split=pd.Series(names, index=samples.frame.index, dtype=object)))
    if not found.pieces:
        return done
    if recount is None:
        raise SplitError("Pieces of windows across borders cannot be counted here. Set [split] border = 'drop'.")
    done = with_pieces(done, found.pieces, recount)
    split = done.frame["split"].to_numpy()
    sides = np.select([split == part for part in PARTS], [TRAIN, VALIDATION, TEST], DROPPED).astype(np.int8)
    apart = Buffer.of(done, options).kept_apart(sides)
    far = done.frame[PIECE_OF].isna().to_numpy(bool) | (apart != DROPPED)
    names = np.array([*PARTS, None], object)[np.where(apart == DROPPED, len(PARTS), apart)]
    return replace(done, frame=done.frame.assign(split=pd.Series(names, index=done.frame.index, dtype=object))[far])


def _shares(options: SplitOptions) -> Shares:
    """The shares that are still to be dealt: a part that has a list or an area gets nothing else."""
    return Shares(
        validation=0.0 if options.validation_scenes or options.validation_area else options.validation,
        test=0.0 if options.test_scenes or options.test_area else options.test,
    )


def _reached(sides: Sides) -> Shares:
    kept = max(int(np.count_nonzero(sides != DROPPED)), 1)
    return Shares(
        validation=float(np.count_nonzero(sides == VALIDATION)) / kept,
        test=float(np.count_nonzero(sides == TEST)) / kept,
    )


def _made_up(asked: Shares, wanted: Shares, reached: Shares) -> Shares:
    """Shares to ask for, so that the wanted ones are reached."""

    def made_up(ask: float, want: float, got: float) -> float:
        return ask * want / max(got, want / 4) if want else 0.0

    validation = min(made_up(asked.validation, wanted.validation, reached.validation), 0.8)
    return Shares(validation=validation, test=min(made_up(asked.test, wanted.test, reached.test), 0.9 - validation))
