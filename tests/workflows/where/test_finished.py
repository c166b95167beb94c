"""What several models say, row by row in step."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terrazzo.workflows.where.finished import Said, in_step

HEIGHT = 13
ROWS = np.arange(HEIGHT, dtype=np.uint16)[None, :, None].repeat(2, axis=0)


def stream(cuts: list[int]) -> Iterator[Said]:
    for top, end in zip([0, *cuts], [*cuts, HEIGHT], strict=True):
        yield Said(row_off=top, probabilities=ROWS[:, top:end])


CUTS = st.lists(st.integers(1, HEIGHT - 1), max_size=6, unique=True).map(sorted)


@given(st.lists(CUTS, min_size=1, max_size=4))
def test_rows_come_once_and_together(cuts: list[list[int]]) -> None:
    seen: list[int] = []
    for pieces in in_step([stream(each) for each in cuts]):
        assert len({(piece.row_off, piece.row_end) for piece in pieces}) == 1
        for piece in pieces:
            assert piece.probabilities[0, :, 0].tolist() == list(range(piece.row_off, piece.row_end))
        seen += range(pieces[0].row_off, pieces[0].row_end)
    assert seen == list(range(HEIGHT))
