"""Chips: full size, scaled, augmented with their labels, and holes that stay holes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.rasters.raster import Pixels
from terrazzo.samples.augment.draw import AS_IS, Augmentation, draw_augmentation
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.shade import Shading
from terrazzo.samples.chip import to_chip, to_labels
from terrazzo.samples.options import AugmentOptions
from terrazzo.samples.scaling import BandScaling, BandStatistics, Scaling, measure

TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float16, np.float32, np.float64)
TURNED = Augmentation(placement=Placement(angle_deg=23, zoom=0.9, shift=(0.05, 0.1), mirror_x=True))


def pixels_of(height: int, width: int) -> Pixels:
    return pixels(np.arange(2.0 * height * width).reshape(2, height, width))


def pixels(values: NDArray[Any], holes: NDArray[np.bool_] | None = None) -> Pixels:
    return Pixels(values=values, valid=~np.all(np.zeros(values.shape, np.bool_) if holes is None else holes, axis=0), holes=holes)


def plain_scaling(pixels: Pixels) -> Scaling:
    return measure([(pixels, pixels.valid)], "none", pixels.valid.size)


def mirrored(place: int, length: int) -> int:
    """0 1 2 | 2 1 0 | 0 1 2 ..."""
    step = place % (2 * length)
    return step if step < length else 2 * length - 1 - step


def test_a_full_window_is_scaled_only() -> None:
    pixels = pixels_of(5, 6)
    assert np.array_equal(to_chip(pixels, plain_scaling(pixels), (5, 6)), pixels.values.astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 1), (1, 8), (8, 1), (3, 5), (8, 3)])
def test_a_smaller_window_is_mirrored_below_and_to_the_right(shape: tuple[int, int]) -> None:
    """As often as it takes."""
    pixels = pixels_of(*shape)
    chip = to_chip(pixels, plain_scaling(pixels), (8, 8))
    assert chip.shape == (2, 8, 8)
    for row, column in np.ndindex(8, 8):
        assert (chip[:, row, column] == pixels.values[:, mirrored(row, shape[0]), mirrored(column, shape[1])]).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bands", [1, 3, 4, 5, 12])
@pytest.mark.parametrize("placement", [Placement(), Placement(quarter_turns=3, mirror_y=True), TURNED.placement])
def test_every_type_and_number_of_bands_is_moved_alike(dtype: Any, bands: int, placement: Placement) -> None:
    """As float64 would be, up to the rounding of whole numbers of 8 and 16 bits."""
    values = np.random.default_rng(bands).integers(0, 120, (bands, 15, 15))
    scaling, augmentation = plain_scaling(pixels(values.astype(np.float64))), Augmentation(placement=placement)
    moved = to_chip(pixels(values.astype(dtype)), scaling, (15, 15), augmentation)
    expected = to_chip(pixels(values.astype(np.float64)), scaling, (15, 15), augmentation)
    assert moved.dtype == np.float32
    assert np.allclose(moved, expected, atol=0.51 if dtype in (np.uint8, np.uint16) else 1e-3)


def test_large_values_keep_their_digits_through_the_warp() -> None:
    """Elevations in millimetres: float32 holds seven digits, the differences need the last ones."""
    heights = np.random.default_rng(0).integers(0, 100, (1, 20, 20))
    low, high = (to_chip(pixels(heights + base), measured(heights + base), (20, 20), TURNED) for base in (0, 123_456_700))
    assert np.allclose(low, high, atol=1e-4)


def measured(values: NDArray[Any]) -> Scaling:
    return measure([(pixels(values), np.ones(values.shape[1:], np.bool_))], "standard", values[0].size)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("placement", [Placement(), Placement(quarter_turns=1), TURNED.placement])
def test_what_is_stored_in_a_hole_reaches_no_pixel(dtype: Any, placement: Placement) -> None:
    """Whatever it is: the same chip comes out, the mean in the hole, and next to it only values of the pixels around."""
    values = np.full((2, 24, 24), 100, dtype)
    values[1] = 50
    holes = np.zeros(values.shape, np.bool_)
    holes[0, 5:9, 10:12], holes[1, 20, 3] = True, True
    scaling = Scaling(bands=tuple(BandScaling.of("none", band) for band in (statistics(30), statistics(20))))
    chips = []
    for stored in (0, 77, np.nan if np.dtype(dtype).kind == "f" else 111):
        values[holes] = stored
        chips.append(to_chip(pixels(values, holes), scaling, (24, 24), Augmentation(placement=placement)))
    assert np.array_equal(chips[0], chips[1])
    assert np.array_equal(chips[0], chips[2])
    for plane, mean, value, count in ((chips[0][0], 30, 100, 8), (chips[0][1], 20, 50, 1)):
        inside = np.isclose(plane, mean)
        assert np.allclose(plane[~inside], value, atol=1e-3)
        assert abs(np.count_nonzero(inside) - count) <= 3
        assert inside.any()


def statistics(mean: float) -> BandStatistics:
    return BandStatistics(mean=mean, sd=1, median=mean, spread=1, low=mean - 2, high=mean + 2)


def test_blur_and_noise_leave_holes_at_the_mean() -> None:
    values = np.random.default_rng(0).normal(100, 5, (1, 20, 20)).astype(np.float32)
    holes = np.zeros(values.shape, np.bool_)
    holes[0, 3:9, 3:9] = True
    values[holes] = np.nan
    chip = to_chip(
        pixels(values, holes), measured(np.nan_to_num(values, nan=100)), (20, 20), Augmentation(shading=Shading(blur_px=1, noise=0.5))
    )
    assert np.isfinite(chip).all()
    assert (chip[holes] == chip[0, 5, 5]).all()


@given(turns=st.integers(0, 3), mirror=st.booleans(), angle=st.sampled_from([0.0, 17.0]), fill=st.sampled_from(["reflect", "ignore"]))
def test_the_padding_of_a_small_window_stays_ignored(turns: int, mirror: bool, angle: float, fill: Any) -> None:  # noqa: FBT001
    augmentation = Augmentation(placement=Placement(quarter_turns=turns, mirror_x=mirror, angle_deg=angle), fill=fill)
    labels = to_labels(np.zeros((9, 16), np.uint8), (16, 16), augmentation)
    if fill == "reflect" and not angle:
        assert np.count_nonzero(labels == IGNORE) == 7 * 16
    assert set(np.unique(labels)) == {0, IGNORE}


@given(seed=st.integers(0, 99), side=st.sampled_from([(16, 16), (13, 21)]))
def test_image_and_labels_are_moved_together(seed: int, side: tuple[int, int]) -> None:
    """The image is its labels; wherever it is not blended of several classes, it is them still."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 3, (5, 6)), np.ones((5, 5))).astype(np.uint8)[: side[0], : side[1]]
    options = AugmentOptions(probability=1, rotate_deg=180, zoom=0.3, shift=0.2, shear_deg=10, crop_pad=0.1)
    augmentation = draw_augmentation(options, rng, side, 1)
    block = pixels(labels[np.newaxis] * 80)
    chip, moved = to_chip(block, plain_scaling(block), side, augmentation)[0], to_labels(labels, side, augmentation)
    clear = np.isin(chip, [0, 160]) & (moved != IGNORE)
    assert np.array_equal(moved[clear] * 80, chip[clear])


def test_chips_can_be_written_into_a_batch() -> None:
    block = pixels_of(8, 8)
    images, labels = np.zeros((2, 2, 8, 8), np.float32), np.zeros((2, 8, 8), np.uint8)
    to_chip(block, plain_scaling(block), (8, 8), TURNED, into=images[1])
    to_labels(np.ones((8, 8), np.uint8), (8, 8), TURNED, into=labels[1])
    assert np.array_equal(images[1], to_chip(block, plain_scaling(block), (8, 8), TURNED))
    assert not images[0].any()
    assert labels[1].all()


def test_noise_is_as_strong_as_it_says_and_of_its_seed_alone() -> None:
    block = pixels(np.zeros((2, 64, 64), np.uint8))
    scaling = Scaling(bands=(BandScaling.of("standard", statistics(0)), BandScaling.of("range", statistics(0))))
    first, again, other = (
        to_chip(block, scaling, (64, 64), Augmentation(shading=Shading(noise=0.5, noise_seed=seed))) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first[0].std() == pytest.approx(0.5, rel=0.05)
    assert first[1].std() == pytest.approx(0.5 * scaling.bands[1].factor, rel=0.05)
    assert abs(np.corrcoef(first[0].ravel(), first[1].ravel())[0, 1]) < 0.06


def test_what_was_given_is_not_written_to() -> None:
    types: tuple[Any, ...] = (np.uint8, np.float32)
    for dtype in types:
        values = np.random.default_rng(0).integers(0, 99, (2, 8, 8)).astype(dtype)
        holes: NDArray[np.bool_] = np.greater(values, 50)
        before = values.copy(), holes.copy()
        to_chip(
            pixels(values, holes), measured(values), (8, 8), Augmentation(placement=TURNED.placement, shading=Shading(noise=1, blur_px=1))
        )
        to_chip(pixels(values, holes), measured(values), (8, 8), AS_IS)
        assert np.array_equal(values, before[0])
        assert np.array_equal(holes, before[1])
