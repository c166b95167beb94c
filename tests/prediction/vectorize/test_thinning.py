"""Thinning: lines are thin, and connected as the areas were."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from terrazzo.prediction.vectorize.thinning import thinned

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 14)), elements=st.booleans(), fill=st.just(True))


def pieces_and_holes(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """How many 8-connected pieces there are, and how many 4-connected parts of what they leave free."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return cv2.connectedComponents(padded, connectivity=8)[0], cv2.connectedComponents(1 - padded, connectivity=4)[0]


def thinned_naively(mask: NDArray[np.bool_], fixed: NDArray[np.bool_], rounds: int) -> NDArray[np.bool_]:
    """All pixels at once, as the paper has it."""
    cells, held = np.pad(mask, 1), np.pad(fixed, 1)
    for half in range(2 * rounds):
        sides = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
        p1, p2, p3, p4, p5, p6, p7, p8 = (np.roll(cells, (-row, -column), (0, 1)) for row, column in sides)
        crossings = sum((~one & (two | three)).astype(int) for one, two, three in ((p2, p3, p4), (p4, p5, p6), (p6, p7, p8), (p8, p1, p2)))
        one = sum((a | b).astype(int) for a, b in ((p1, p2), (p3, p4), (p5, p6), (p7, p8)))
        other = sum((a | b).astype(int) for a, b in ((p2, p3), (p4, p5), (p6, p7), (p8, p1)))
        fewest = np.minimum(one, other)
        stays = (p6 | p7 | ~p1) & p8 if half % 2 else (p2 | p3 | ~p5) & p4
        cells = cells & ~(np.pad(mask, 1) & ~held & (crossings == 1) & (fewest >= 2) & (fewest <= 3) & ~stays)
    return cells[1:-1, 1:-1]


@given(MASKS, st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_it_is_the_method_of_the_paper(mask: NDArray[np.bool_], rounds: int, seed: int) -> None:
    fixed = np.random.default_rng(seed).random(mask.shape) < 0.05
    np.testing.assert_array_equal(thinned(mask, fixed, rounds), thinned_naively(mask, fixed, rounds))


@given(MASKS)
def test_pieces_and_holes_stay(mask: NDArray[np.bool_]) -> None:
    lines = thinned(mask, np.zeros_like(mask), 20)
    assert not (lines & ~mask).any()
    assert pieces_and_holes(lines) == pieces_and_holes(mask)


def test_a_bar_becomes_a_line_in_its_middle() -> None:
    mask = np.zeros((11, 30), np.bool_)
    mask[3:8, 2:28] = True
    lines = thinned(mask, np.zeros_like(mask), 4)
    assert lines[5, 5:25].all()
    assert lines.sum() == lines[5].sum()


def test_what_is_fixed_stays() -> None:
    mask = np.ones((9, 9), np.bool_)
    fixed = np.zeros_like(mask)
    fixed[2:5, 2:5] = True
    assert thinned(mask, fixed, 9)[fixed].all()
