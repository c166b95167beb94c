import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.rasters.validity import Invalid, find_holes, find_valid, representable


def test_nothing_missing_gives_none() -> None:
    values = np.ones((2, 3, 4), np.uint8)
    assert find_holes(values, (0, 7)) is None
    assert find_holes(values.astype(np.float32), (None, None)) is None
    assert find_valid(None, None, "all") is None
    assert find_valid(None, np.ones((3, 4), bool), "any") is None


def test_nan_and_inf_are_holes_beside_nodata() -> None:
    values = np.array([[[1, np.nan, np.inf, -np.inf, -9999]]], np.float32)
    holes = find_holes(values, (-9999.0,))
    assert holes is not None
    assert holes.tolist() == [[[False, True, True, True, True]]]


def test_nodata_belongs_to_its_band() -> None:
    values = np.array([[[0, 5]], [[0, 5]], [[0, 5]]], np.uint8)
    holes = find_holes(values, (0, 5, None))
    assert holes is not None
    assert holes[:, 0].tolist() == [[True, False], [False, True], [False, False]]


SMALL = st.lists(st.booleans(), min_size=12, max_size=12)


@given(missing=SMALL, hidden=SMALL, invalid=st.sampled_from(["all", "any"]))
def test_valid_agrees_with_the_rule_pixel_by_pixel(missing: list[bool], hidden: list[bool], invalid: Invalid) -> None:
    holes: NDArray[np.bool_] = np.array(missing).reshape(3, 2, 2)
    shown: NDArray[np.bool_] = ~np.array(hidden[:4]).reshape(2, 2)
    valid = find_valid(holes, shown, invalid)
    rule = all if invalid == "all" else any
    expected = [[bool(shown[row, col]) and not rule(holes[:, row, col]) for col in range(2)] for row in range(2)]
    assert (np.ones((2, 2), bool) if valid is None else valid).tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (-9999.0, np.uint8, None),
        (256.0, np.uint8, None),
        (0.5, np.uint8, None),
        (255.0, np.uint8, 255),
        (-1000.0, np.int16, -1000),
        (2**63, np.uint64, 2**63),
        (2**53 + 1, np.int64, 2**53 + 1),
        (float("nan"), np.float32, None),
        (None, np.float32, None),
        (0.1, np.float32, np.float32(0.1)),
        (-3.4028235e38, np.float32, np.finfo(np.float32).min),
        (-3.40282346638529e38, np.float32, np.finfo(np.float32).min),
        (-1e39, np.float32, None),
        (-1.7976931348623157e308, np.float64, np.finfo(np.float64).min),
    ],
)
def test_nodata_in_the_type_of_the_pixels(value: float | None, dtype: type[np.generic], expected: float | None) -> None:
    assert representable(value, np.dtype(dtype)) == expected
