"""Augmentation: the warp and the exact moves agree, labels follow their image, and draws depend on the generator alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.samples.augment import Placement, augment, draw_placement, place, shade
from terrazzo.samples.options import AugmentOptions

STILL = AugmentOptions(hflip=False, vflip=False, quarter_turns=False)
TINY = 1e-9
"""Not exact, yet too little to move any pixel: it sends a placement through the warp."""


def chip(bands: int, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rng = np.random.default_rng(bands * height * width)
    return rng.standard_normal((bands, height, width), np.float32), rng.integers(0, 5, (height, width), np.uint8)


@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirror_x", [False, True])
@pytest.mark.parametrize("mirror_y", [False, True])
def test_the_warp_and_the_exact_move_agree(bands: int, turns: int, mirror_x: bool, mirror_y: bool) -> None:  # noqa: FBT001
    image, labels = chip(bands, 9, 9)
    moves: dict[str, Any] = {"quarter_turns": turns, "mirror_x": mirror_x, "mirror_y": mirror_y}
    exact, warped = Placement(**moves), Placement(**moves, angle_deg=TINY)
    assert exact.exact
    assert not warped.exact
    moved, moved_labels = place(image, labels, exact, "ignore")
    interpolated, warped_labels = place(image, labels, warped, "ignore")
    assert np.allclose(moved, interpolated, atol=1e-5)
    assert np.array_equal(moved_labels, warped_labels)


@pytest.mark.parametrize("turns", range(4))
def test_the_matrix_says_where_each_pixel_comes_from(turns: int) -> None:
    placement = Placement(quarter_turns=turns, mirror_x=True)
    _, labels = chip(1, 6, 6)
    labels = np.arange(36, dtype=np.uint8).reshape(6, 6)
    moved = place(labels[None].astype(np.float32), labels, placement, "reflect")[1]
    for row, column in np.ndindex(6, 6):
        x, y, _ = np.rint(placement.matrix(6, 6) @ [column, row, 1]).astype(int)
        assert moved[row, column] == labels[y, x]


def test_mirrors_of_oblong_windows() -> None:
    image, labels = chip(2, 4, 7)
    moved, moved_labels = place(image, labels, Placement(mirror_x=True), "reflect")
    assert np.array_equal(moved, image[:, :, ::-1])
    assert np.array_equal(moved_labels, labels[:, ::-1])


@given(
    angle=st.floats(-180, 180),
    zoom=st.floats(0.5, 2),
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    shear=st.floats(-40, 40),
    turns=st.integers(0, 3),
    mirror=st.booleans(),
)
def test_labels_stay_on_what_they_label(
    angle: float,
    zoom: float,
    shift: tuple[float, float],
    shear: float,
    turns: int,
    mirror: bool,  # noqa: FBT001
) -> None:
    """The labels are drawn into the image as a band; wherever the moved band is clearly of one class, the moved label is that class."""
    rows, columns = np.indices((32, 32))
    labels = ((rows // 8 + columns // 11) % 2).astype(np.uint8)
    image = np.stack([labels, 1 - labels]).astype(np.float32)
    placement = Placement(angle_deg=angle, zoom=zoom, shift=shift, shear_deg=shear, quarter_turns=turns, mirror_x=mirror)
    moved, moved_labels = place(image, labels, placement, "reflect")
    clear = np.abs(moved[0] - 0.5) > 0.45
    assert np.array_equal(moved_labels[clear], (moved[0][clear] > 0.5).astype(np.uint8))
    # all bands are moved alike
    assert np.allclose(moved[0] + moved[1], 1, atol=1e-4)


@given(angle=st.floats(-180, 180), zoom=st.floats(0.5, 2), shear=st.floats(-30, 30), bands=st.integers(1, 9))
def test_every_band_is_taken_from_where_the_matrix_says(angle: float, zoom: float, shear: float, bands: int) -> None:
    """Bands hold their own column or row, so a moved pixel tells where it came from; OpenCV steps by 1/32 of a pixel."""
    height, width = 9, 14
    rows, columns = np.indices((height, width)).astype(np.float32)
    image = np.stack([rows if band % 2 else columns for band in range(bands)])
    placement = Placement(angle_deg=angle, zoom=zoom, shear_deg=shear, mirror_y=True)
    moved = place(image, np.zeros((height, width), np.uint8), placement, "reflect")[0]
    at = np.stack([columns.ravel(), rows.ravel(), np.ones(height * width)])
    x, y, _ = (placement.matrix(height, width) @ at).reshape(3, height, width)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    for band in range(bands):
        assert np.allclose(moved[band][inside], (y if band % 2 else x)[inside], atol=0.04)


def test_a_shift_moves_by_its_share_and_leaves_out_what_was_outside() -> None:
    image, labels = chip(1, 10, 20)
    placement = Placement(shift=(0.25, 0.1))
    moved, moved_labels = place(image, labels, placement, "ignore")
    assert np.allclose(moved[:, :9, :15], image[:, 1:, 5:], atol=1e-5)
    assert np.array_equal(moved_labels[:9, :15], labels[1:, 5:])
    assert (moved_labels[9:] == IGNORE).all()
    assert (moved_labels[:, 15:] == IGNORE).all()


def test_a_mirrored_fill_has_no_new_label() -> None:
    image, labels = chip(1, 12, 12)
    moved = place(image, labels, Placement(zoom=0.5), "reflect")[1]
    assert set(np.unique(moved)) <= set(np.unique(labels))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_the_smallest_windows_can_be_turned(shape: tuple[int, int]) -> None:
    image, labels = chip(3, *shape)
    options = AugmentOptions(rotate_deg=45, zoom=0.3, shift=0.2, shear_deg=10, noise=0.1)
    moved, moved_labels = augment(image, labels, options, np.random.default_rng(0))
    assert moved.shape == image.shape
    assert moved_labels.shape == labels.shape
    assert np.isfinite(moved).all()


def test_the_same_generator_gives_the_same_chip() -> None:
    image, labels = chip(2, 16, 16)
    options = AugmentOptions(rotate_deg=20, zoom=0.2, brightness=0.3, contrast=0.2, noise=0.2)
    first, again, other = (augment(image, labels, options, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_one_option_does_not_reshuffle_another() -> None:
    plain = draw_placement(AugmentOptions(), np.random.default_rng(3), square=True)
    turned = draw_placement(AugmentOptions(rotate_deg=10, shear_deg=5), np.random.default_rng(3), square=True)
    assert (plain.mirror_x, plain.mirror_y, plain.quarter_turns) == (turned.mirror_x, turned.mirror_y, turned.quarter_turns)
    assert turned.angle_deg != 0


def test_draws_stay_in_their_bounds_and_use_them() -> None:
    options = AugmentOptions(rotate_deg=30, zoom=0.5, shift=0.1, shear_deg=8)
    rng = np.random.default_rng(0)
    drawn = [draw_placement(options, rng, square=True) for _ in range(400)]
    assert {placement.quarter_turns for placement in drawn} == {0, 1, 2, 3}
    assert 150 < sum(placement.mirror_x for placement in drawn) < 250
    for values, low, high in (
        ([placement.angle_deg for placement in drawn], -30, 30),
        ([placement.zoom for placement in drawn], 1 / 1.5, 1.5),
        ([placement.shift[0] for placement in drawn], -0.1, 0.1),
        ([placement.shear_deg for placement in drawn], -8, 8),
    ):
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high


def test_oblong_windows_are_never_turned_by_quarters() -> None:
    rng = np.random.default_rng(0)
    assert {draw_placement(AugmentOptions(), rng, square=False).quarter_turns for _ in range(50)} == {0}


def test_without_options_nothing_changes() -> None:
    image, labels = chip(2, 6, 6)
    moved, moved_labels = augment(image, labels, STILL, np.random.default_rng(0))
    assert np.array_equal(moved, image)
    assert np.array_equal(moved_labels, labels)


def test_brightness_and_contrast_are_common_to_all_bands() -> None:
    image, _ = chip(3, 8, 8)
    shaded = shade(image, AugmentOptions(brightness=0.5, contrast=0.4), np.random.default_rng(1))
    factors = [np.polyfit(before.ravel(), after.ravel(), 1) for before, after in zip(image, shaded, strict=True)]
    assert np.allclose(factors, factors[0], atol=1e-5)
    assert 1 / 1.4 <= factors[0][0] <= 1.4
    assert abs(factors[0][1]) <= 0.5
    assert shaded.dtype == np.float32


def test_noise_is_as_strong_as_its_option_at_most() -> None:
    image = np.zeros((1, 64, 64), np.float32)
    spreads = [float(shade(image, AugmentOptions(noise=0.5), np.random.default_rng(seed)).std()) for seed in range(20)]
    assert 0.3 < max(spreads) < 0.52
    assert shade(image, AugmentOptions(noise=0.5), np.random.default_rng(0)).dtype == np.float32


def test_the_chip_that_was_given_is_not_written_to() -> None:
    image, labels = chip(2, 8, 8)
    before = image.copy(), labels.copy()
    augment(image, labels, AugmentOptions(rotate_deg=10, brightness=1, noise=1), np.random.default_rng(2))
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])
