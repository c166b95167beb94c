"""From the working size back to an image's own."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.prediction.blend import PROBABILITY_ONE, BlendedRows
from terrazzo.prediction.enlarge import Sizes, at_full_size
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Shape, whole

Shares = NDArray[np.uint32]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


def image(folder: Path, shape: Shape) -> Raster:
    path = folder / f"{shape[0]}_{shape[1]}.tif"
    if not path.exists():
        values = np.full(shape, 7, np.uint8)
        values[-1, :] = 0
        with rasterio.open(path, "w", driver="GTiff", count=1, height=shape[0], width=shape[1], dtype="uint8", nodata=0) as file:
            file.write(values, 1)
    return open_raster(path)


def pieces(shares: Shares, cuts: list[int]) -> Iterator[BlendedRows]:
    """Rows as the blending hands them out; a probability above 1 stands for none."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < shares.shape[1]}), shares.shape[1]]
    for first, last in itertools.pairwise(edges):
        part = shares[:, first:last]
        known = part[0] <= PROBABILITY_ONE
        yield BlendedRows(
            row_off=first,
            sums=np.where(known, part * 3, 0).astype(np.uint32),
            totals=np.where(known, 3, 0).astype(np.uint32),
            valid=np.ones(known.shape, np.bool_),
        )


def enlarged(rows: Iterator[BlendedRows], working: Shape, full: Raster) -> Iterator[BlendedRows]:
    sizes = Sizes(working=working, full=full.shape, worked=whole(working), mapped=whole(full.shape))
    return at_full_size(rows, sizes, full.read)


def joined(found: list[BlendedRows]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    assert [rows.row_off for rows in found] == np.cumsum([0, *(len(rows.totals) for rows in found)])[:-1].tolist()
    shares, indices = [rows.probabilities() for rows in found], [rows.indices() for rows in found]
    return np.concatenate(shares, axis=1), np.concatenate(indices)


@given(sides=st.tuples(*[st.integers(1, 24)] * 4), cuts=st.lists(st.integers(1, 23), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_map_has_the_images_size_and_does_not_depend_on_the_pieces(
    folder: Path, sides: tuple[int, int, int, int], cuts: list[int]
) -> None:
    rows, columns, height, width = sides
    shares = np.random.default_rng(3).integers(0, PROBABILITY_ONE, (3, rows, columns), dtype=np.uint32)
    whole_map = joined(list(enlarged(pieces(shares, []), (rows, columns), image(folder, (height, width)))))
    parts = list(enlarged(pieces(shares, cuts), (rows, columns), image(folder, (height, width))))
    for one, other in zip(joined(parts), whole_map, strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole_map[1].shape == (height, width)
    assert (whole_map[1][-1] == 255).all()  # the image's own nodata


def test_probabilities_are_those_of_linear_interpolation(folder: Path) -> None:
    shares = np.random.default_rng(5).integers(0, PROBABILITY_ONE, (2, 9, 7), dtype=np.uint32)
    found, _ = joined(list(enlarged(pieces(shares, [4]), (9, 7), image(folder, (31, 20)))))
    for band, expected in zip(found, shares.astype(np.float32), strict=True):
        # OpenCV has the same idea of where centres lie
        np.testing.assert_allclose(band[:-1], cv2.resize(expected, (20, 31), interpolation=cv2.INTER_LINEAR)[:-1], atol=20)


def test_what_was_not_predicted_takes_no_part(folder: Path) -> None:
    shares = np.full((2, 6, 6), PROBABILITY_ONE // 2, np.uint32)
    shares[:, :, :3] = PROBABILITY_ONE + 1
    found, indices = joined(list(enlarged(pieces(shares, []), (6, 6), image(folder, (13, 24)))))
    assert (indices[:-1, :9] == 255).all()  # their centres lie among what has none
    known = found[:, :-1, 16:]
    assert (known == PROBABILITY_ONE // 2).all()
    assert np.isin(found[0], [0, PROBABILITY_ONE // 2]).all()  # never a mixture with nothing
