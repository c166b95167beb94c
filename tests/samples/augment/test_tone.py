"""Scaling and shading in one step is the same as one after the other, by table or by multiplication."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.rasters.options import ScalingMethod
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.augment.tone import Tone
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling

STATISTICS = BandStatistics(mean=90, sd=30, median=80, spread=25, low=10, high=200)
VALUES = np.arange(256).reshape(16, 16)


def scaling_of(method: ScalingMethod, bands: int = 1) -> Scaling:
    return Scaling(bands=(BandScaling.of(method, STATISTICS),) * bands)


def toned(shading: Shading, method: ScalingMethod, dtype: Any, origin: float = 0.0, band: int = 0) -> Any:
    into = np.empty(VALUES.shape, np.float32)
    Tone.of_bands(scaling_of(method, 3), shading)[band].put((VALUES - origin).astype(dtype), origin, into)
    return into


@given(
    method=st.sampled_from(["standard", "robust", "asinh", "range", "none"]),
    brightness=st.floats(-2, 2),
    contrast=st.floats(0.5, 2),
    gamma=st.sampled_from([1.0, 0.8, 1.3]),
)
def test_table_and_multiplication_agree_with_one_step_after_the_other(
    method: Any, brightness: float, contrast: float, gamma: float
) -> None:
    band = scaling_of(method).bands[0]
    share = (VALUES - 10.0) / 190
    bent = np.where(share > 0, 10 + 190 * np.maximum(share, 0) ** gamma, VALUES)
    expected = (band.apply(bent) - band.fill) * contrast + band.fill + brightness * band.unit
    shading = Shading(brightness=brightness, contrast=contrast, gamma=gamma)
    for dtype, origin in ((np.uint8, 0.0), (np.uint16, 0.0), (np.float32, 80.5)):
        assert np.allclose(toned(shading, method, dtype, origin), expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("method", ["standard", "robust", "range", "none"])
def test_brightness_is_in_standard_deviations_whatever_the_scaling(method: ScalingMethod) -> None:
    band = scaling_of(method).bands[0]
    brighter = toned(Shading(brightness=1.5), method, np.uint8)
    assert np.allclose((brighter / band.factor + band.offset) - VALUES, 45, atol=1e-2)
    steeper = toned(Shading(contrast=1.2), method, np.uint8) / band.factor + band.offset
    assert steeper.ravel()[90] == pytest.approx(90, abs=1e-2)
    assert np.allclose(np.diff(steeper), 1.2, atol=1e-3)


def test_each_band_may_have_its_own_brightness_and_one_be_dropped() -> None:
    shading = Shading(band_shift=(0.5, 0.0, -1.0), dropped=1, brightness=0.25)
    plain = toned(Shading(), "standard", np.uint8)
    assert np.allclose(toned(shading, "standard", np.uint8, band=0) - plain, 0.75, atol=1e-5)
    assert np.allclose(toned(shading, "standard", np.uint8, band=2) - plain, -0.75, atol=1e-5)
    assert (toned(shading, "standard", np.uint8, band=1) == 0).all()
    assert np.allclose(toned(shading, "range", np.uint8, band=1), scaling_of("range").bands[0].fill)


def test_gamma_keeps_its_ends_and_order() -> None:
    for gamma in (0.7, 1.5):
        bent = toned(Shading(gamma=gamma), "none", np.uint8).ravel()
        assert np.allclose(bent[[0, 5, 10, 200]], [0, 5, 10, 200], atol=1e-3)
        assert (np.diff(bent) > 0).all()
    assert toned(Shading(gamma=0.7), "none", np.uint16).ravel()[100] > 100


def test_a_band_without_spread_is_shaded_too() -> None:
    flat = BandStatistics(mean=7, sd=0, median=7, spread=0, low=7, high=7)
    into = np.empty((1, 2), np.float32)
    tone = Tone.of_bands(Scaling(bands=(BandScaling.of("standard", flat),)), Shading(brightness=0.5, gamma=2.0))[0]
    tone.put(np.array([[7, 8]], np.uint8), 0.0, into)
    assert into.tolist() == [[0.5, 1.5]]
