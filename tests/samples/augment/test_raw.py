"""Augmented pixels in their own type: exact where pixels only change places, in range, and no nodata by chance."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.rasters.raster import Pixels
from terrazzo.samples.augment.draw import AS_IS, Augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.raw import RawAugmenter
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.scaling import measure

TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64)
TURNED = Augmentation(placement=Placement(angle_deg=20, zoom=0.8))


def pixels_of(values: NDArray[Any], holes: NDArray[np.bool_] | None = None) -> Pixels:
    valid = np.ones(values.shape[1:], np.bool_) if holes is None else ~np.all(holes, axis=0)
    return Pixels(values=values, valid=valid, holes=holes)


def augmenter(values: NDArray[Any], nodata: float | None = None) -> RawAugmenter:
    everywhere = np.ones(values.shape[1:], np.bool_)
    return RawAugmenter(scaling=measure([(pixels_of(values), everywhere)], "standard", everywhere.size), nodata=nodata)


@pytest.mark.parametrize("dtype", TYPES)
def test_exact_moves_keep_every_digit(dtype: Any) -> None:
    top = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1e12 / 3
    values = (np.arange(50).reshape(2, 5, 5).astype(np.float64) / 50 * float(top) * 0.9).astype(dtype)
    values[0, 0, 0] = top
    made = augmenter(values)
    assert np.array_equal(made.apply(pixels_of(values), AS_IS).values, values)
    turned = made.apply(pixels_of(values), Augmentation(placement=Placement(mirror_x=True, quarter_turns=1))).values
    assert turned.dtype == dtype
    assert np.array_equal(turned, np.rot90(values[..., ::-1], 1, axes=(1, 2)))


@pytest.mark.parametrize("dtype", TYPES)
def test_values_stay_of_their_type_and_in_its_range(dtype: Any) -> None:
    values = np.random.default_rng(0).integers(0, 120, (3, 20, 20)).astype(dtype)
    for shading in (Shading(brightness=3.0, contrast=2.0), Shading(brightness=-9.0)):
        found = augmenter(values).apply(pixels_of(values), Augmentation(placement=TURNED.placement, shading=shading)).values
        assert found.dtype == dtype
        if np.dtype(dtype).kind == "u":
            assert (found == 0).any() == (shading.brightness < 0)
    plain = augmenter(values).apply(pixels_of(values), TURNED).values
    assert plain.min() >= 0
    assert plain.max() < 120


def test_brightness_is_in_deviations_of_the_band() -> None:
    values = np.random.default_rng(0).normal(50, 4, (1, 40, 40)).astype(np.float32)
    found = augmenter(values).apply(pixels_of(values), Augmentation(shading=Shading(brightness=2.0))).values
    assert np.allclose(found - values, 2 * values.std(), atol=1e-3)


@pytest.mark.parametrize(("dtype", "nodata"), [(np.uint8, 0), (np.uint8, 255), (np.int16, -9999), (np.float32, -1.0), (np.float32, np.nan)])
def test_holes_become_nodata_and_nothing_else_does(dtype: Any, nodata: float) -> None:
    values = np.random.default_rng(0).integers(0, 3, (2, 20, 20)).astype(dtype)
    holes = np.zeros(values.shape, np.bool_)
    holes[:, 4:9, 4:9] = True
    values[holes] = nodata
    clean = np.where(holes, 1, values)
    for augmentation in (TURNED, Augmentation(shading=Shading(brightness=-3.0))):
        found = augmenter(clean, nodata).apply(pixels_of(values, holes), augmentation)
        same = np.isnan(found.values) if np.isnan(nodata) else found.values == nodata
        assert found.holes is not None
        assert np.array_equal(same, found.holes)
        assert np.array_equal(found.valid, ~found.holes[0])
        assert found.holes.any()
