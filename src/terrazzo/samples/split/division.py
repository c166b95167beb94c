"""A set of windows, divided into units that a split does not tear apart."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import SplitError
from terrazzo.labels.sentences import counted
from terrazzo.rasters.files import natural_key
from terrazzo.samples.split.blocks import Blocks
from terrazzo.samples.split.deal import Items, Shares, Sides, Units, deal, of_items
from terrazzo.samples.split.folds import Fold, deal_outside, fold_units
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import PARTS, Samples

Number = TypeVar("Number", np.int64, np.float64)

ADVICE = {
    "block": "Lower [samples] size or [split] block_px, give more images, or set [split] by = 'none' to validate on the training part.",
    "strip": "Lower [samples] size or [split] block_px, give more images, or set [split] by = 'none' to validate on the training part.",
    "scene": "Give more images, or set [split] by = 'block' to split them by ground.",
    "sequence": "Give more images, or set [split] by = 'block' to split them by ground.",
    "group": "Make smaller groups, or set [split] by = 'block' to split by ground.",
    "folder": "Put images into folders called train, val and test, or set [split] by = 'scene'.",
    "kfold": "Give more images or lower [split] folds, or set [split] by = 'block' to split them by ground.",
    "random": "Set [samples] overlap = 0, or [split] by = 'block', which drops the windows across borders.",
    "given": "Name its scenes in [split], such as validation_scenes = ['val/*'], or its ground by validation_area.",
    "none": "See the lists and areas of [split].",
}
"""What to do when a kind of split leaves a part empty."""


@dataclass(frozen=True, kw_only=True)
class Division:
    """Units, and what of the windows lies in them."""

    items: Items
    of_window: Units
    """(windows,) the item of each window."""
    noun: str
    """What a unit is; its first word is counted."""
    blocks: Blocks | None = None
    """Of a division of the ground: how windows across its borders can be cut."""
    folds: Units | None = None
    """The fold of each unit, where they are not drawn."""
    groups: Units | None = None
    """The group of each unit, from 0, where some must stay together."""

    def together(self, groups: Units) -> "Division":
        """The same, with groups of units dealt as one."""
        return replace(self, groups=groups)

    @property
    def dealt_items(self) -> Items:
        """The items with what is dealt as their units: groups where there are, else units."""
        return self.items if self.groups is None else replace(self.items, units=self.groups[self.items.units])

    @property
    def dealt_folds(self) -> Units | None:
        """The fold of each group, that of its first unit."""
        if self.folds is None or self.groups is None:
            return self.folds
        return self.folds[np.unique(self.groups, return_index=True)[1]]


def divide_windows(samples: Samples, units: Units, options: SplitOptions, noun: str, blocks: Blocks | None = None) -> Division:
    """A division whose shares count windows. units: (windows, n)."""
    items = Items(units=units, classes=samples.set_pixels(), alike=_alike(samples, options))
    return Division(items=items, of_window=np.arange(len(samples)), noun=noun, blocks=blocks)


def divide_scenes(samples: Samples, codes: Units, units: Units, options: SplitOptions, noun: str) -> Division:
    """A division whose shares count scenes. codes: (windows,) scene of each window. units: (scenes,)."""
    alike = _alike(samples, options)
    of_scenes = summed(alike, codes) if alike.size else alike
    return Division(
        items=Items(units=units[:, np.newaxis], classes=summed(samples.set_pixels(), codes), alike=of_scenes),
        of_window=codes,
        noun=noun,
    )


def dealt(division: Division, options: SplitOptions, shares: Shares) -> tuple[Sides, Sides]:
    """The side of each window, DROPPED across borders, and of each unit.

    Raises SplitError if there are fewer units than parts or folds.
    """
    items, tested = division.dealt_items, options.tested_fold
    first, _, rest = division.noun.partition(" ")
    units_told = f"{counted(items.count, first)} {rest}".strip()
    if tested is not None and items.count < options.folds:
        raise SplitError(f"{units_told} cannot make {options.folds} folds. {ADVICE[options.by]}")
    parts = [name for name, share in zip(PARTS, (1.0, shares.validation, shares.test), strict=True) if share]
    if items.count < len(parts):
        raise SplitError(f"Only {units_told} to split into {' and '.join(parts)}. {ADVICE[options.by]}")
    if tested is None:
        units = deal(items, shares, options.seed)
    else:
        known = division.dealt_folds
        folds = known if known is not None else fold_units(items, options.folds, options.seed)
        units = deal_outside(items, Fold(of_unit=folds, tested=tested), shares, options.seed)
    if division.groups is not None:
        units = units[division.groups]
    return of_items(division.items.units, units)[division.of_window], units


def scenes_of(samples: Samples) -> tuple[Units, list[str]]:
    """The scene of each sample as a number in natural order, and their names in that order."""
    scenes = samples.frame["scene"].to_numpy(str)
    names, codes = np.unique(scenes, return_inverse=True)
    order = sorted(range(len(names)), key=lambda place: natural_key(str(names[place])))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank[codes.reshape(-1)], [str(names[place]) for place in order]


def summed(values: NDArray[Number], codes: Units) -> NDArray[Number]:
    """(groups, n) sums of the rows of each group. values: (rows, n)."""
    total = np.zeros((int(codes.max(initial=-1)) + 1, values.shape[1]), values.dtype)
    np.add.at(total, codes, values)
    return total


def _alike(samples: Samples, options: SplitOptions) -> NDArray[np.float64]:
    """(windows, n) what the parts are to be alike in."""
    if options.stratify == "class":
        return samples.set_pixels().astype(np.float64)
    if options.stratify == "objects":
        return np.asarray(samples.frame[["objects"]], np.float64)
    return np.zeros((0, 0))
