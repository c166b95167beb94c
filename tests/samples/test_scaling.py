"""Scaling is measured on valid pixels, each once, and applied alike everywhere."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.rasters.options import ScalingMethod
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.chip import to_chip
from terrazzo.samples.scaling import NORMAL_SPREAD, BandScaling, BandStatistics, Scaling, measure

METHODS: tuple[ScalingMethod, ...] = ("standard", "robust", "asinh", "range", "none")


def pixels(values: NDArray[Any], valid: NDArray[np.bool_] | None = None, holes: NDArray[np.bool_] | None = None) -> Pixels:
    """Pixels as a raster gives them: what is not valid is a hole in all bands."""
    if valid is None:
        return Pixels(values=values, valid=np.ones(values.shape[1:], np.bool_), holes=holes)
    missing = np.broadcast_to(~valid, values.shape)
    return Pixels(values=values, valid=valid, holes=missing.copy() if holes is None else holes | missing)


def everywhere(block: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    return block, np.ones(block.valid.shape, np.bool_)


def scaling_of(values: NDArray[Any], method: ScalingMethod = "standard") -> Scaling:
    return measure([everywhere(pixels(values))], method, values[0].size)


def applied(scaling: Scaling, block: Pixels) -> NDArray[np.float32]:
    return to_chip(block, scaling, (block.values.shape[1], block.values.shape[2]))


@given(
    values=arrays.arrays(np.int16, (2, 13, 11)),
    holes=arrays.arrays(np.bool_, (2, 13, 11)),
    counted=arrays.arrays(np.bool_, (13, 11)),
    cut=st.integers(1, 12),
)
def test_statistics_are_those_of_numpy_over_the_pixels_that_count(
    values: NDArray[np.int16], holes: NDArray[np.bool_], counted: NDArray[np.bool_], cut: int
) -> None:
    """Whatever the blocks in which they come."""
    holes[:, 0, 0], counted[0, 0] = False, True
    valid = (~holes).any(axis=0).reshape(13, 11)
    blocks = [(pixels(values[:, rows], valid[rows], holes[:, rows]), counted[rows]) for rows in (slice(0, cut), slice(cut, 13))]
    scaling = measure(blocks, "standard", values[0].size)
    for band, found in enumerate(scaling.bands):
        used = values[band][counted & ~holes[band]].astype(np.float64)
        expected = BandStatistics(
            mean=used.mean(),
            sd=used.std(),
            median=np.median(used),
            spread=NORMAL_SPREAD * np.median(np.abs(used - np.median(used))),
            low=np.percentile(used, 1),
            high=np.percentile(used, 99),
        )
        assert asdict(found.statistics) == pytest.approx(asdict(expected), rel=1e-9, abs=1e-9)


def test_medians_of_many_pixels_come_from_an_even_sample() -> None:
    values = np.random.default_rng(0).normal(50, 7, (1, 3000, 2000)).astype(np.float32)
    blocks = [everywhere(pixels(values[:, rows : rows + 500])) for rows in range(0, 3000, 500)]
    found = measure(blocks, "robust", 6_000_000).bands[0].statistics
    assert found.mean == pytest.approx(float(values.mean(dtype=np.float64)), rel=1e-9)
    assert found.median == pytest.approx(50, abs=0.05)
    assert found.spread == pytest.approx(7, rel=0.01)
    assert found.high == pytest.approx(50 + 2.326 * 7, rel=0.01)


def test_a_large_offset_costs_no_digits() -> None:
    """Elevations in millimetres: float32 holds seven digits, the differences need the last ones."""
    values = (np.arange(100, dtype=np.float64).reshape(1, 10, 10) + 123_456_789).astype(np.int64)
    scaling = scaling_of(values)
    sd = np.arange(100).std()
    assert scaling.bands[0].statistics.sd == pytest.approx(sd, rel=1e-9)
    assert np.allclose(applied(scaling, pixels(values)).ravel(), (np.arange(100) - 49.5) / sd, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "middle", "scale"),
    [
        ("standard", lambda of: of.mean, lambda of: of.sd),
        ("robust", lambda of: of.median, lambda of: of.spread),
        ("range", lambda of: of.low, lambda of: of.high - of.low),
        ("none", lambda _: 0, lambda _: 1),
    ],
)
def test_each_method_shifts_and_divides_by_its_own_figures(method: ScalingMethod, middle: Any, scale: Any) -> None:
    values = np.random.default_rng(1).gamma(2, 30, (1, 20, 20))
    scaling = scaling_of(values, method)
    statistics = scaling.bands[0].statistics
    expected = (values - middle(statistics)) / scale(statistics)
    assert np.allclose(applied(scaling, pixels(values)), expected, atol=1e-5)


def test_asinh_is_robust_then_compressed() -> None:
    values = np.random.default_rng(1).gamma(2, 30, (1, 20, 20))
    robust, compressed = (applied(scaling_of(values, method), pixels(values)) for method in ("robust", "asinh"))
    assert np.allclose(compressed, np.arcsinh(robust), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_missing_gets_the_mean(method: ScalingMethod) -> None:
    values = np.random.default_rng(2).normal(10, 3, (2, 6, 6)).astype(np.float32)
    scaling = measure([everywhere(pixels(values))], method, 36)
    broken = values.copy()
    broken[0, 2, 3], broken[1, 4, 4] = np.nan, np.inf
    holes = ~np.isfinite(broken)
    scaled = applied(scaling, pixels(broken, holes=holes))
    mean = np.broadcast_to(values.mean(axis=(1, 2), keepdims=True), values.shape)
    assert scaled[holes] == pytest.approx(applied(scaling, pixels(mean))[holes], abs=1e-5)
    assert np.array_equal(scaled[~holes], applied(scaling, pixels(values))[~holes])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e6 + 0.1, -7.7e-3])
def test_a_band_without_spread_is_only_shifted(method: ScalingMethod, value: float) -> None:
    """Also where the mean of equal values is off by a last digit: dividing by that would blow up any other value."""
    blocks = [everywhere(pixels(np.full((1, 7, size), value, np.float64))) for size in (3, 10, 17)]
    scaling = measure(blocks, method, 210)
    other = applied(scaling, pixels(np.full((1, 1, 1), value + 1)))
    assert 0.8 < abs(float(other[0, 0, 0]) - float(applied(scaling, blocks[0][0])[0, 0, 0])) < 1.2


def test_small_but_real_spread_is_kept() -> None:
    values = 280 + 1e-3 * np.random.default_rng(0).standard_normal((1, 30, 30))
    assert applied(scaling_of(values), pixels(values)).std() == pytest.approx(1, rel=1e-3)


def test_methods_may_be_given_band_by_band() -> None:
    values = np.random.default_rng(3).normal(5, 2, (2, 8, 8))
    scaling = measure([everywhere(pixels(values))], ["none", "standard"], 64)
    scaled = applied(scaling, pixels(values))
    assert np.allclose(scaled[0], values[0])
    assert scaled[1].mean() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float16, np.float32, np.float64])
def test_every_type_of_values_is_scaled_to_float32(dtype: type[np.generic]) -> None:
    values = np.arange(60).reshape(1, 6, 10).astype(dtype)
    scaled = applied(scaling_of(values), pixels(values))
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.ravel(), (np.arange(60) - 29.5) / np.arange(60).std(), atol=1e-3)


def test_more_or_fewer_bands_than_measured_are_refused() -> None:
    scaling = scaling_of(np.arange(12.0).reshape(3, 2, 2))
    with pytest.raises(DataError, match="2 bands, the scaling was measured on 3"):
        applied(scaling, pixels(np.zeros((2, 4, 4))))


def test_as_many_methods_as_bands() -> None:
    with pytest.raises(DataError, match="gives 3 methods, the images have 2 bands"):
        measure([everywhere(pixels(np.zeros((2, 4, 4))))], ["none", "none", "none"], 16)


def test_a_band_without_any_valid_pixel_is_named() -> None:
    holes = np.zeros((3, 4, 4), np.bool_)
    holes[1] = True
    with pytest.raises(DataError, match="no valid pixel in band 2 "):
        measure([everywhere(pixels(np.zeros((3, 4, 4)), holes=holes))], "standard", 16)


def test_nothing_to_measure() -> None:
    with pytest.raises(DataError, match="no valid pixel"):
        measure([], "standard", 0)


def test_scaling_leaves_the_pixels_as_they_are() -> None:
    values = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4)
    before = values.copy()
    BandScaling.of("asinh", scaling_of(values).bands[0].statistics).apply(values.astype(np.float64))
    applied(scaling_of(values), pixels(values))
    assert np.array_equal(values, before)
