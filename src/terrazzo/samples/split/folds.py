"""Folds: units in groups of like size, each of which is the test part once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.split.deal import TEST, TRAIN, Items, Shares, Sides, Units, deal


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Which fold each unit is in, and which of them is tested."""

    of_unit: Units
    tested: int


def fold_units(items: Items, folds: int, seed: int) -> Units:
    """The fold of each unit, (units,): all folds hold about as many items, and about as much of each quantity that is to be alike.

    In a drawn order, the largest first, each unit goes to the fold that has least of what the unit brings.
    """
    brings = _brings(items)
    order = np.random.default_rng(seed).permutation(items.count)
    order = order[np.argsort(-brings[order, 0], kind="stable")]
    load = np.zeros((folds, brings.shape[1]))
    found = np.zeros(items.count, np.int64)
    for unit in order.tolist():
        found[unit] = fold = int(np.argmin(load @ brings[unit] + 1e-9 * load[:, 0]))
        load[fold] += brings[unit]
    return found


def deal_outside(items: Items, fold: Fold, shares: Shares, seed: int) -> Sides:
    """The side of each unit: the fold's are for the test, of the others a share is dealt to validation."""
    sides = np.full(items.count, TEST, np.int8)
    others = np.flatnonzero(fold.of_unit != fold.tested)
    numbers = np.full(items.count, -1, np.int64)
    numbers[others] = np.arange(len(others))
    units = numbers[items.units]
    outside = np.asarray((units >= 0).all(1))
    sides[others] = TRAIN
    dealt = deal(items.part(outside, units[outside]), Shares(validation=shares.validation, test=0.0), seed)
    sides[others[: len(dealt)]] = dealt
    return sides


def _brings(items: Items) -> NDArray[np.float64]:
    """(units, 1 + n) the items of each unit, and of each quantity that is to be alike, as shares of all."""
    quantities = np.ones((len(items.units), 1))
    if items.alike.size:
        quantities = np.concatenate([quantities, items.alike], axis=1)
    total = np.zeros((items.count, quantities.shape[1]))
    np.add.at(total, items.units[:, 0], quantities)
    shares: NDArray[np.float64] = total / np.maximum(total.sum(0), 1e-12)
    return shares
