"""The warp and the exact moves agree, labels follow their image, and every pixel comes from where the matrix says."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.samples.augment import warp
from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.warp import WARPED_TYPES, move, move_labels

TINY = 1e-9
"""Not exact, yet too little to move any pixel: it sends a placement through the warp."""
PLACEMENTS = st.builds(
    Placement,
    angle_deg=st.floats(-180, 180),
    zoom=st.floats(0.5, 2),
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    shear_deg=st.floats(-40, 40),
    quarter_turns=st.integers(0, 3),
    mirror_x=st.booleans(),
    mirror_y=st.booleans(),
    crop=st.tuples(*[st.floats(-0.2, 0.3)] * 4),
)


def planes_of(bands: int, height: int, width: int, dtype: type[np.generic]) -> list[NDArray[Any]]:
    rng = np.random.default_rng(bands * height * width)
    return list(rng.integers(0, 250, (bands, height, width)).astype(dtype))


@pytest.mark.parametrize("dtype", WARPED_TYPES)
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 12])
def test_the_warp_and_the_exact_move_agree(dtype: type[np.generic], bands: int) -> None:
    planes = planes_of(bands, 9, 9, dtype)
    labels = planes[0].astype(np.uint8)
    for turns, mirror_x, mirror_y in product(range(4), (False, True), (False, True)):
        exact = Placement(quarter_turns=turns, mirror_x=mirror_x, mirror_y=mirror_y)
        warped = replace(exact, angle_deg=TINY)
        assert exact.exact
        assert not warped.exact
        for one, other in zip(move(planes, exact), move(planes, warped), strict=True):
            assert one.dtype == other.dtype == dtype
            assert np.allclose(one, other, atol=1e-3)
        assert np.array_equal(move_labels(labels, exact, "ignore"), move_labels(labels, warped, "ignore"))


@pytest.mark.parametrize("turns", range(4))
def test_the_matrix_says_where_each_pixel_comes_from(turns: int) -> None:
    placement = Placement(quarter_turns=turns, mirror_x=True)
    labels = np.arange(36, dtype=np.uint8).reshape(6, 6)
    moved = move_labels(labels, placement, "reflect")
    for row, column in np.ndindex(6, 6):
        x, y, _ = np.rint(placement.matrix(6, 6) @ [column, row, 1]).astype(int)
        assert moved[row, column] == labels[y, x]


@given(placement=PLACEMENTS, bands=st.integers(1, 9), dtype=st.sampled_from([np.uint16, np.float32]))
def test_every_band_is_taken_from_where_the_matrix_says(placement: Placement, bands: int, dtype: type[np.generic]) -> None:
    """Bands hold a hundred times their own column or row, so a moved pixel tells where it came from."""
    height, width = 9, 14
    rows, columns = np.indices((height, width)).astype(dtype) * 100
    moved = move([rows if band % 2 else columns for band in range(bands)], placement)
    below, right = np.indices((height, width))
    x, y, _ = (placement.matrix(height, width) @ np.stack([right.ravel(), below.ravel(), np.ones(height * width)])).reshape(
        3, height, width
    )
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    for band, plane in enumerate(moved):
        assert np.allclose(plane[inside] / 100, (y if band % 2 else x)[inside], atol=0.02)


@given(placement=PLACEMENTS)
def test_an_image_that_is_its_mask_stays_on_it(placement: Placement) -> None:
    """Wherever the moved image is clearly of one class, the moved label is that class; also in what is mirrored in."""
    rows, columns = np.indices((32, 32))
    labels = ((rows // 8 + columns // 11) % 2).astype(np.uint8)
    moved = move([labels * 200], placement)[0].astype(float) / 200
    moved_labels = move_labels(labels, placement, "reflect")
    clear = np.abs(moved - 0.5) > 0.45
    assert np.array_equal(moved_labels[clear], (moved[clear] > 0.5).astype(np.uint8))


@given(placement=PLACEMENTS, seed=st.integers(0, 9), fill=st.sampled_from(["reflect", "ignore"]))
def test_no_label_is_invented(placement: Placement, seed: int, fill: Any) -> None:
    labels = np.random.default_rng(seed).choice(np.array([1, 7, 250], np.uint8), (11, 17))
    moved = move_labels(labels, placement, fill) if placement.quarter_turns % 2 == 0 or not placement.exact else labels
    assert set(np.unique(moved)) <= {1, 7, 250} | ({IGNORE} if fill == "ignore" else set())
    assert moved.dtype == np.uint8


def test_mirrors_of_oblong_windows() -> None:
    planes = planes_of(2, 4, 7, np.uint8)
    assert np.array_equal(move(planes, Placement(mirror_x=True)), np.stack(planes)[:, :, ::-1])
    assert np.array_equal(move(planes, Placement(mirror_y=True)), np.stack(planes)[:, ::-1])


def test_a_shift_moves_by_its_share_and_leaves_out_what_was_outside() -> None:
    planes, labels = planes_of(1, 10, 20, np.uint8), planes_of(1, 10, 20, np.uint8)[0]
    placement = Placement(shift=(0.25, 0.1))
    moved, moved_labels = move(planes, placement)[0], move_labels(labels, placement, "ignore")
    assert np.array_equal(moved[:9, :15], planes[0][1:, 5:])
    assert np.array_equal(moved_labels[:9, :15], labels[1:, 5:])
    assert (moved_labels[9:] == IGNORE).all()
    assert (moved_labels[:, 15:] == IGNORE).all()


def test_a_crop_stretches_what_is_left_and_a_pad_shrinks_it() -> None:
    columns = [np.tile(np.arange(40, dtype=np.float32), (6, 1))]
    cropped = move(columns, Placement(crop=(0.25, 0, 0, 0)))[0][0]
    assert np.allclose(np.diff(cropped)[2:-2], 0.75, atol=0.01)
    assert cropped[-1] == pytest.approx(39, abs=0.2)
    assert cropped[0] == pytest.approx(10, abs=0.2)
    labels = np.zeros((40, 40), np.uint8)
    padded = move_labels(labels, Placement(crop=(0, -0.25, 0, 0)), "ignore")
    assert abs(np.count_nonzero((padded == IGNORE).all(axis=1)) - 8) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_the_smallest_windows_can_be_turned(shape: tuple[int, int]) -> None:
    planes = planes_of(3, *shape, np.uint8)
    placement = Placement(angle_deg=45, zoom=0.7, shift=(0.2, -0.9), shear_deg=10)
    assert all(plane.shape == shape and plane.max() < 250 for plane in move(planes, placement))
    assert move_labels(planes[0], placement, "reflect").shape == shape


@given(placement=PLACEMENTS, bands=st.sampled_from([1, 3]))
def test_mirroring_before_the_warp_and_in_it_is_the_same(placement: Placement, bands: int) -> None:
    planes = planes_of(bands, 20, 30, np.float32)
    before = move(planes, replace(placement, quarter_turns=0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warp, "MOST_GROWTH", 0.0)
        inside = move(planes, replace(placement, quarter_turns=0))
    assert np.allclose(before, inside, atol=0.05)
