"""Dealing units to parts, against all possible deals."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrazzo.samples.split.deal import DROPPED, TEST, TRAIN, VALIDATION, Items, Shares, Sides, of_items
from terrazzo.samples.split.deal import deal as deal_units


def deal(items: Items, shares: Shares, seed: int) -> Sides:
    """The side of each item."""
    return of_items(items.units, deal_units(items, shares, seed))


def plain_items(units: list[int], classes: list[list[int]] | None = None) -> Items:
    return Items(units=np.array(units)[:, None], classes=np.array(classes if classes is not None else [[1]] * len(units)))


@given(units=st.lists(st.integers(0, 11), min_size=30, max_size=80), seed=st.integers(0, 2**63 - 1))
@settings(max_examples=30, deadline=None)
def test_no_unit_is_torn_apart_and_no_part_is_empty(units: list[int], seed: int) -> None:
    units = np.unique(units, return_inverse=True)[1].tolist()
    items = plain_items(units)
    if items.count < 3:
        return
    sides = deal(items, Shares(validation=0.3, test=0.2), seed)
    assert set(sides.tolist()) == {TRAIN, VALIDATION, TEST}
    for unit in range(items.count):
        assert len(set(sides[items.units[:, 0] == unit].tolist())) == 1


@pytest.mark.parametrize("weights", [[5, 5, 5, 5, 5, 5, 5, 5, 5, 5], [1, 2, 3, 4, 5, 6, 7], [40, 3, 2, 1], [9, 1]])
def test_comes_about_as_close_to_the_share_as_any_deal_could(weights: list[int]) -> None:
    units = np.repeat(np.arange(len(weights)), weights)
    total = sum(weights)
    reachable = {
        sum(weight for weight, held in zip(weights, chosen, strict=True) if held) for chosen in product([0, 1], repeat=len(weights))
    }
    best = min(abs(held / total - 0.2) for held in reachable - {0, total})
    sides = deal(plain_items(units.tolist()), Shares(validation=0.2, test=0.0), 5)
    assert abs((sides == VALIDATION).mean() - 0.2) <= best + 0.005


def test_an_item_on_two_sides_is_dropped_and_the_share_is_of_those_that_are_kept() -> None:
    # a row of 20 units; items lie in one of them, or across a border of two
    inner = [[unit, unit] for unit in range(20) for _ in range(4)]
    across = [[unit, unit + 1] for unit in range(19) for _ in range(2)]
    units = np.array(inner + across)
    items = Items(units=units, classes=np.ones((len(units), 1), np.int64))
    sides = deal(items, Shares(validation=0.25, test=0.25), 3)
    kept = sides != DROPPED
    assert (sides == VALIDATION).sum() / kept.sum() == pytest.approx(0.25, abs=0.05)
    assert (sides == TEST).sum() / kept.sum() == pytest.approx(0.25, abs=0.05)
    of_unit = {unit: sides[unit * 4] for unit in range(20)}
    for (first, second), side in zip(units.tolist(), sides.tolist(), strict=True):
        assert side == (of_unit[first] if of_unit[first] == of_unit[second] else DROPPED)


def test_classes_come_to_all_parts_where_they_can() -> None:
    # only units 3 and 8 hold the rare class
    classes = [[9, 1 if unit in (3, 8) else 0] for unit in range(12)]
    items = plain_items(list(range(12)), classes)
    for seed in range(10):
        sides = deal(items, Shares(validation=0.2, test=0.0), seed)
        assert {sides[3], sides[8]} == {TRAIN, VALIDATION}


def test_a_class_of_one_unit_goes_to_training() -> None:
    items = plain_items(list(range(12)), [[9, int(unit == 5)] for unit in range(12)])
    assert {int(deal(items, Shares(validation=0.2, test=0.2), seed)[5]) for seed in range(10)} == {TRAIN}


def test_the_seed_decides_and_nothing_else() -> None:
    items = plain_items(list(range(50)))
    shares = Shares(validation=0.2, test=0.1)
    assert np.array_equal(deal(items, shares, 1), deal(items, shares, 1))
    assert not np.array_equal(deal(items, shares, 1), deal(items, shares, 2))


def test_without_shares_all_is_training() -> None:
    assert deal(plain_items([0, 1]), Shares(validation=0, test=0), 0).tolist() == [TRAIN, TRAIN]
    only_test = deal(plain_items([0, 1, 2, 3]), Shares(validation=0, test=0.25), 0)
    assert sorted(only_test.tolist()) == [TRAIN, TRAIN, TRAIN, TEST]
