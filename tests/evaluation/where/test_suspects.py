"""Regions of sure disagreement: those of the whole scene, whatever the pieces in which its rows come."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.evaluation.where.certainty import ONE
from terrazzo.evaluation.where.suspects import Suspect, SuspectFinder
from terrazzo.rasters.window import Window

SHAPE = (19, 24)


def scene(seed: int, classes: int = 3) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    """Blobs of wrong classes, sure and not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, SHAPE).astype(np.uint8) * (rng.random() < 0.3)
    predicted = truth.copy()
    sure = np.full(SHAPE, 0.99)
    for _ in range(rng.integers(1, 9)):
        top, left = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
        predicted[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = rng.integers(0, classes)
    sure[rng.random(SHAPE) < 0.03] = 0.9
    truth[rng.random(SHAPE) < 0.02] = 255
    probabilities = np.repeat(((1 - sure) / (classes - 1))[None], classes, axis=0)
    np.put_along_axis(probabilities, predicted[None].astype(int), sure[None], 0)
    return truth.astype(np.uint8), predicted, np.rint(probabilities * ONE).astype(np.uint16)


def find(seed: int, cuts: list[int], most: int = 1000) -> list[Suspect]:
    truth, predicted, probabilities = scene(seed)
    finder = SuspectFinder(3, most)
    for top, end in zip([0, *cuts], [*cuts, SHAPE[0]], strict=True):
        finder.add(truth[top:end], predicted[top:end], probabilities[:, top:end])
    return finder.finish()


def naive(seed: int) -> list[tuple[int, ...]]:
    truth, predicted, probabilities = scene(seed)
    wrong = (probabilities.max(0) > 0.95 * ONE) & (truth != predicted) & (truth != 255)
    codes = np.where(wrong, truth.astype(int) * 3 + predicted + 1, 0)
    around = np.pad(codes, 1, mode="edge")
    same = np.ones(SHAPE, bool)
    for row in range(3):
        for column in range(3):
            same &= around[row : row + SHAPE[0], column : column + SHAPE[1]] == codes
    found = []
    for code in range(1, 10):
        count, labels = cv2.connectedComponents((codes == code).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            region = labels == number
            rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
            core = int((region & same).sum())
            if core:
                box = (columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0])
                found.append((core, int(region.sum()), (code - 1) // 3, (code - 1) % 3, *(int(side) for side in box)))
    return sorted(found)


def figures(suspects: list[Suspect]) -> list[tuple[int, ...]]:
    each = [(s.core, s.pixels, s.truth, s.predicted, s.window.col_off, s.window.row_off, s.window.width, s.window.height) for s in suspects]
    return sorted(each)


@given(st.integers(0, 5000), st.lists(st.integers(1, SHAPE[0] - 1), max_size=8, unique=True).map(sorted))
def test_are_those_of_the_whole_scene(seed: int, cuts: list[int]) -> None:
    assert figures(find(seed, cuts)) == naive(seed)


def test_a_region_that_is_joined_late_is_one() -> None:
    """Two prongs that meet at the bottom, given row by row."""
    truth = np.zeros((9, 11), np.uint8)
    predicted = np.zeros_like(truth)
    predicted[:, :3] = predicted[:, 8:] = predicted[6:] = 1
    shares = np.stack([predicted == 0, predicted == 1]).astype(np.uint16) * ONE
    finder = SuspectFinder(2)
    for row in range(9):
        finder.add(truth[row : row + 1], predicted[row : row + 1], shares[:, row : row + 1])
    (found,) = finder.finish()
    assert found.window == Window(col_off=0, row_off=0, width=11, height=9)
    assert found.pixels == int((predicted == 1).sum())
    assert (found.truth, found.predicted, found.confidence) == (0, 1, 1.0)


def test_lines_of_two_pixels_are_edges_drawn_askew() -> None:
    truth, predicted = np.zeros((12, 12), np.uint8), np.zeros((12, 12), np.uint8)
    predicted[4:6] = 1
    shares = np.stack([predicted == 0, predicted == 1]).astype(np.uint16) * ONE
    finder = SuspectFinder(2)
    finder.add(truth, predicted, shares)
    assert finder.finish() == []


def test_the_largest_cores_are_kept() -> None:
    seed = next(seed for seed in range(100) if len(find(seed, [])) > 3)
    assert find(seed, [4], most=2) == find(seed, [])[:2]


def test_nothing_comes_of_nothing() -> None:
    assert SuspectFinder(2).finish() == []
