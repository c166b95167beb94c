"""Keys sort as values do, and lead back to them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.rasters.tables.keys import from_keys, key_bits, key_type, nearest_to_nought, to_keys

TYPES = [np.dtype(name) for name in ("uint8", "int8", "uint16", "int16", "float32", "float64")]


def values_of(dtype: np.dtype[Any]) -> NDArray[Any]:
    rng = np.random.default_rng(3)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        ends = [0.0, limits.min, limits.max, limits.tiny, -limits.tiny, limits.smallest_subnormal, 1.0, -1.0]
        return np.concatenate([rng.normal(size=500) * 10.0 ** rng.integers(-30, 30, 500), ends]).astype(dtype)
    bounds = np.iinfo(dtype)
    return np.append(rng.integers(bounds.min, bounds.max, 500, endpoint=True), [bounds.min, bounds.max]).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_they_sort_as_the_values(dtype: np.dtype[Any]) -> None:
    values = np.unique(values_of(dtype))
    keys = to_keys(values)
    assert (keys[1:] > keys[:-1]).all()
    np.testing.assert_array_equal(from_keys(keys, dtype), values)


def test_minus_nought_is_nought() -> None:
    keys = to_keys(np.array([-0.0, 0.0], np.float32))
    assert keys[0] == keys[1]


@given(st.integers(1 - 2**21, 2**21 - 1))
def test_whole_numbers_survive_the_loss_of_32_bits(number: int) -> None:
    dtype = np.dtype(np.float64)
    first = int(to_keys(np.array([number], dtype))[0]) >> 32 << 32
    value, error = nearest_to_nought(first, first + 2**32 - 1, dtype)
    assert value == number
    assert error < 1


def test_types_that_keys_are_made_of() -> None:
    kinds = {name: key_type(np.dtype(name)).name for name in ("uint8", "int16", "int32", "uint64", "float16", "float32", "float64")}
    assert kinds == {
        **{name: name for name in ("uint8", "int16", "float32", "float64")},
        **dict.fromkeys(("int32", "uint64"), "float64"),
        "float16": "float32",
    }
    assert key_bits(np.dtype(np.int16)) == 16
