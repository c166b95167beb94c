"""Drawing numbers: in turn, in proportion, under a cap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.samples.draw.choose import in_proportion, in_turn, repeats, under_cap

seeds = st.integers(0, 2**63 - 1)


@given(size=st.integers(1, 50), count=st.integers(0, 200), seed=seeds)
def test_in_turn_draws_each_once_before_any_twice(size: int, count: int, seed: int) -> None:
    drawn = in_turn(np.arange(size) * 3, count, np.random.default_rng(seed))
    counts = np.bincount(drawn, minlength=3 * size)[::3]
    assert counts.sum() == count
    assert counts.max() - counts.min() <= 1


@given(
    weights=st.lists(st.sampled_from([0, 1e-9, 0.3, 1, 7, 1e6]), min_size=1, max_size=40).filter(any), count=st.integers(0, 300), seed=seeds
)
def test_in_proportion_is_off_by_less_than_one(weights: list[float], count: int, seed: int) -> None:
    drawn = in_proportion(np.array(weights, np.float64), count, np.random.default_rng(seed))
    expected = count * np.array(weights) / sum(weights)
    assert len(drawn) == count
    assert (np.abs(np.bincount(drawn, minlength=len(weights)) - expected) < 1 + 1e-6).all()
    assert not np.isin(drawn, np.flatnonzero(np.array(weights) == 0)).any()


def test_in_proportion_draws_rare_ones_evenly_over_the_epochs() -> None:
    """Of 100 numbers of the same weight ten are drawn each time: each about 60 times in 600 draws, by the binomial law."""
    counts = sum(np.bincount(in_proportion(np.ones(100), 10, np.random.default_rng((1, epoch))), minlength=100) for epoch in range(600))
    assert np.abs(counts - 60).max() < 5 * np.sqrt(600 * 0.1 * 0.9)


@given(groups=st.lists(st.integers(0, 5), max_size=60), cap=st.integers(1, 20), seed=seeds)
def test_no_group_is_over_its_cap_and_none_below_it_is_cut(groups: list[int], cap: int, seed: int) -> None:
    numbers = np.array(groups, np.int64)
    kept = under_cap(numbers, cap, np.random.default_rng(seed))
    assert np.array_equal(kept, np.unique(kept))
    assert np.array_equal(np.bincount(numbers[kept], minlength=6), np.minimum(np.bincount(numbers, minlength=6), cap))


def test_a_cap_draws_from_the_whole_set() -> None:
    kept = under_cap(np.zeros(10_000, np.int64), 1000, np.random.default_rng(0))
    thirds = np.histogram(kept, [0, 2500, 5000, 7500, 10_000])[0]
    assert np.abs(thirds - 250).max() < 5 * np.sqrt(1000 * 0.25 * 0.75)


@given(st.lists(st.integers(0, 6), max_size=40))
def test_repeats_count_what_came_before(drawn: list[int]) -> None:
    expected = [drawn[:place].count(number) for place, number in enumerate(drawn)]
    assert repeats(np.array(drawn, np.int64)).tolist() == expected
