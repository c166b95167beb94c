"""Class maps built in code, and what hands them out in pieces."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from terrazzo.prediction.refine.objects import stage
from terrazzo.prediction.refine.objects.cleaning import Cleaning
from terrazzo.prediction.refine.objects.pieces import MapRows
from terrazzo.rasters.grid import Grid

Classes = NDArray[np.uint8]


def rows_of(indices: Classes, step: int, sureness: NDArray[np.uint16] | None = None) -> Iterator[MapRows]:
    for row in range(0, len(indices), step):
        part = None if sureness is None else sureness[row : row + step]
        yield MapRows(row_off=row, indices=indices[row : row + step], sureness=part)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Classes]:
    """Cleans a map that comes some rows at a time, in bands of so many rows."""

    def run(
        cleaning: Cleaning,
        indices: Classes,
        sureness: NDArray[np.uint16] | None = None,
        grid: Grid | None = None,
        step: int = 5,
        band_rows: int = 7,
    ) -> Classes:
        monkeypatch.setattr(stage, "BAND_PX", band_rows * indices.shape[1])
        grid = grid or Grid(shape=(indices.shape[0], indices.shape[1]))
        found = list(cleaning.clean(partial(rows_of, indices, step, sureness), grid))
        assert [each.row_off for each in found] == list(range(0, len(indices), band_rows))
        if sureness is not None:
            assert np.array_equal(np.concatenate([each.sureness for each in found if each.sureness is not None]), sureness)
        return np.concatenate([each.indices for each in found])

    return run


@pytest.fixture
def random_map() -> Callable[..., Classes]:
    """Speckle, or smoother patches, of some classes; ground without a class on request."""

    def make(rng: np.random.Generator, classes: int = 3, *, smallest: int = 1, holed: bool = False) -> Classes:
        height, width = rng.integers(smallest, 40, 2)
        indices: Any = rng.integers(0, classes, (height, width)).astype(np.uint8)
        if rng.random() < 0.6 and min(height, width) > 3:
            indices = cv2.medianBlur(indices, 3)
        if holed:
            indices[rng.random((height, width)) < 0.1] = 255
        return indices  # type: ignore[no-any-return]

    return make
