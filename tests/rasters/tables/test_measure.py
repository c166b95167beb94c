"""Figures of streams, against numpy on all values at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.progress import Silent
from terrazzo.rasters.tables import tally
from terrazzo.rasters.tables.bins import bins_between
from terrazzo.rasters.tables.figures import PERCENTS, Figures
from terrazzo.rasters.tables.measure import Chunk, Means, measure

TARGETS = {"all": (0, 1), "0": (0,), "1": (1,)}


class Given:
    """One band of values in parts."""

    def __init__(self, values: NDArray[Any], groups: NDArray[np.uint8], part: int = 97) -> None:
        self._values, self._groups, self._part = values, groups, part
        self.dtype = values.dtype
        self.size = 1.0

    def items(self) -> Iterator[tuple[slice, float]]:
        for start in range(0, len(self._values), self._part):
            yield slice(start, start + self._part), 0.0

    def chunks(self, item: slice) -> list[Chunk]:
        return [Chunk(band=0, values=self._values[item], groups=self._groups[item])]


def figures_of(values: NDArray[Any], groups: NDArray[np.uint8], threads: int = 3) -> dict[str, Figures]:
    return measure(Given(values, groups), 1, 2, TARGETS, Means(threads=threads, progress=Silent()))[0]


def check(figures: Figures, values: NDArray[Any]) -> None:
    told = figures.moments
    assert told.count == len(values)
    if not len(values):
        assert not figures.percentiles
        return
    assert (told.low, told.high) == (values.min().item(), values.max().item())
    assert told.mean == pytest.approx(float(values.mean(dtype=np.float64)), rel=1e-12, abs=1e-12)
    assert told.sd == pytest.approx(float(values.std(dtype=np.float64)), rel=1e-9, abs=1e-9)
    expected = np.percentile(values, PERCENTS, method="inverted_cdf")
    np.testing.assert_allclose([figures.percentiles[percent] for percent in PERCENTS], expected, rtol=0, atol=figures.error)
    if figures.bins is not None:
        assert sum(figures.counts) == len(values)


CASES = {
    "uint8": lambda rng: rng.integers(0, 256, 1000).astype(np.uint8),
    "int8": lambda rng: rng.integers(-128, 128, 1000).astype(np.int8),
    "uint16": lambda rng: rng.integers(0, 65_536, 1000).astype(np.uint16),
    "int16": lambda rng: rng.normal(-300, 90, 1000).astype(np.int16),
    "int32": lambda rng: rng.integers(-1_000_000, 1_000_000, 1000).astype(np.int32),
    "uint64": lambda rng: rng.integers(0, 2**21, 1000).astype(np.uint64),
    "float32": lambda rng: rng.normal(1e-3, 1e3, 1000).astype(np.float32),
    "float32 of all sizes": lambda rng: (rng.normal(size=1000) * 10.0 ** rng.integers(-30, 30, 1000)).astype(np.float32),
    "float16": lambda rng: rng.normal(size=1000).astype(np.float16),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_all_figures_are_those_of_numpy(make: Any) -> None:
    rng = np.random.default_rng(1)
    values, groups = make(rng), rng.integers(0, 2, 1000).astype(np.uint8)
    found = figures_of(values, groups)
    check(found["all"], values)
    assert found["all"].error == 0
    for group in (0, 1):
        check(found[str(group)], values[groups == group])


def test_float64_is_right_to_one_part_in_a_million() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(5e3, 1e3, 3000)
    found = figures_of(values, np.zeros(3000, np.uint8))["all"]
    check(found, values)
    assert 0 < found.error < 1e4 * 1.1e-6


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=60),
    st.lists(st.integers(0, 1), min_size=60, max_size=60),
)
def test_any_floats(numbers: list[float], drawn: list[int]) -> None:
    values, groups = np.array(numbers, np.float32), np.array(drawn, np.uint8)[: len(numbers)]
    found = figures_of(values, groups, threads=1)
    expected = np.sort(values)
    for percent in PERCENTS:
        assert found["all"].percentiles[percent] == expected[max(0, -(-percent * len(values) // 100) - 1)]


def test_with_little_memory_the_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "COUNTERS_BYTES", 2**12)
    rng = np.random.default_rng(4)
    values = rng.normal(100, 10, 2000).astype(np.float32)
    found = figures_of(values, np.zeros(2000, np.uint8))["all"]
    assert found.error > 0
    check(found, values)


def test_sixteen_bits_with_little_memory_take_a_second_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "COUNTERS_BYTES", 2**14)
    values = np.random.default_rng(4).integers(0, 65_536, 2000).astype(np.uint16)
    check(figures_of(values, np.zeros(2000, np.uint8))["all"], values)


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(5)
    values, groups = rng.normal(size=5000).astype(np.float32), rng.integers(0, 2, 5000).astype(np.uint8)
    assert figures_of(values, groups, threads=1) == figures_of(values, groups, threads=4)


def test_an_empty_group_has_no_figures() -> None:
    found = figures_of(np.arange(10, dtype=np.uint8), np.zeros(10, np.uint8))["1"]
    plain = found.plain()
    assert (plain["count"], plain["mean"], plain["percentiles"]) == (0, None, {})


def test_huge_values_give_no_histogram_but_percentiles() -> None:
    values = np.array([-1.7e308, 1.0, 1.7e308])
    found = figures_of(values, np.zeros(3, np.uint8))["all"]
    assert found.bins is None
    assert found.percentiles[50] == 1.0


class TestBins:
    def test_whole_numbers_fall_evenly(self) -> None:
        bins = bins_between(-3, 1000, whole=True)
        assert bins is not None
        assert bins.count <= 256
        counts = bins.counts(np.arange(-3, 1001))
        assert set(counts[1:-2].tolist()) == {4}
        assert counts[0] == counts[-1] == 0

    def test_few_whole_numbers_have_a_bin_each(self) -> None:
        bins = bins_between(4, 9, whole=True)
        assert bins is not None
        np.testing.assert_array_equal(bins.counts(np.array([4, 4, 9, 3, 10]))[:], [1, 2, 0, 0, 0, 0, 1, 1])

    @pytest.mark.parametrize("value", [0.0, -7.5, 1e300, 1e-300])
    def test_one_value(self, value: float) -> None:
        bins = bins_between(value, value, whole=False)
        assert bins is not None
        assert bins.counts(np.array([value])).tolist() == [0, 1, 0]

    def test_the_last_bin_holds_its_end(self) -> None:
        bins = bins_between(0.1, 0.7, whole=False)
        assert bins is not None
        counts = bins.counts(np.array([0.1, 0.7, 0.05, 0.75]))
        assert (counts[0], counts[1], counts[-2], counts[-1]) == (1, 1, 1, 1)
