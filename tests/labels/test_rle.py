"""Run-length arithmetic against hand-made cases, pycocotools and plain loops."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from terrazzo.errors import LabelError
from terrazzo.labels.coco_counts import pack, unpack
from terrazzo.labels.rle import Runs, burn, decode, encode, objects
from terrazzo.rasters.window import Window

RNG = np.random.default_rng(4)
SHAPES = [(1, 1), (1, 7), (9, 1), (5, 7), (31, 17)]

masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> Any:
    return request.param


def some_masks(shape: tuple[int, int]) -> list[NDArray[np.bool_]]:
    return [np.zeros(shape, np.bool_), np.ones(shape, np.bool_), *(RNG.random(shape) < share for share in (0.02, 0.3, 0.5, 0.9))]


class TestPairs:
    def test_a_case_by_hand(self) -> None:
        """Pixels are counted down the columns from 1, and a run goes on in the next column."""
        mask = decode(np.array([2, 6]), np.array([2, 1]), (3, 2))
        assert mask.tolist() == [[False, False], [True, False], [True, True]]
        assert encode(mask) == "2 2 6 1"
        assert decode(np.array([3]), np.array([2]), (3, 2)).tolist() == [[False, True], [False, False], [True, False]]
        assert encode(np.ones((3, 2), np.bool_)) == "1 6"
        assert encode(np.zeros((3, 2), np.bool_)) == ""

    def test_masks_come_back(self, shape: tuple[int, int]) -> None:
        for mask in some_masks(shape):
            pairs = np.array(encode(mask).split(), np.int64)
            assert np.array_equal(decode(pairs[::2], pairs[1::2], shape), mask)

    def test_equals_the_plain_loop(self, shape: tuple[int, int]) -> None:
        for mask in some_masks(shape):
            flat = mask.T.ravel()
            numbers = [int(number) for number in encode(mask).split()]
            held = np.zeros(len(flat), np.bool_)
            for start, length in zip(numbers[::2], numbers[1::2], strict=True):
                assert not held[start - 1 : start - 1 + length].any()
                held[start - 1 : start - 1 + length] = True
            assert np.array_equal(held, flat)
            assert len(numbers) // 2 == np.count_nonzero(np.diff(flat, prepend=False) & flat)

    @pytest.mark.parametrize("pairs", [[0, 1], [7, 1], [5, 3], [3, 2, 1, 1], [1, 2, 2, 1], [1, 0]])
    def test_pairs_that_do_not_fit_are_refused(self, pairs: list[int]) -> None:
        with pytest.raises(LabelError, match=r"3 x 2 pixels: starts are 1 to 6"):
            decode(np.array(pairs[::2]), np.array(pairs[1::2]), (3, 2))

    @given(masks, st.booleans())
    def test_any_layout_in_memory_gives_the_same(self, mask: NDArray[np.bool_], flipped: bool) -> None:  # noqa: FBT001 - drawn
        other = np.asfortranarray(mask)[::-1] if flipped else mask[:, ::-1]
        assert encode(other) == encode(np.array(other, order="C"))


class TestCounts:
    def test_agrees_with_pycocotools(self, shape: tuple[int, int]) -> None:
        for mask in some_masks(shape):
            theirs = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
            counts = Runs.of(mask).counts(shape)
            assert pack(counts).encode() == theirs["counts"]
            assert np.array_equal(unpack(theirs["counts"].decode()), counts)
            assert np.array_equal(Runs.of_counts(counts).mask(shape).view(np.uint8), coco_mask.decode(theirs))
            assert Runs.of(mask).pixels == coco_mask.area(theirs)

    def test_empty_counts_lie_between_touching_runs(self) -> None:
        runs = Runs.of_counts(np.array([0, 2, 0, 3, 1, 0]))
        assert (runs.starts.tolist(), runs.ends.tolist()) == ([0, 2], [2, 5])

    @given(st.lists(st.integers(0, 2**40), max_size=30))
    def test_any_counts_come_back(self, counts: list[int]) -> None:
        assert unpack(pack(np.array(counts, np.int64))).tolist() == counts

    @given(st.binary(max_size=40))
    def test_any_text_gives_counts_or_a_reason(self, data: bytes) -> None:
        text = data.decode("latin-1")
        try:
            length = len(unpack(text))
        except ValueError:
            length = 0
        assert length <= len(text)

    @pytest.mark.parametrize(
        ("text", "reason"), [("0\x1f", "characters"), ("é", "characters"), ("0PP", "breaks off"), ("o" * 12 + "0", "too large")]
    )
    def test_wrong_texts_are_refused(self, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            unpack(text)


class TestObjects:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64])
    def test_each_number_is_one_object(self, shape: tuple[int, int], dtype: Any) -> None:
        numbers = RNG.choice(np.array([0, 0, 3, 100, 7], dtype), shape)
        found = dict(objects(numbers))
        assert list(found) == sorted(set(numbers.ravel().tolist()) - {0})
        for number, runs in found.items():
            assert np.array_equal(runs.mask(shape), numbers == number)

    def test_what_is_below_0_is_none(self) -> None:
        assert [number for number, _ in objects(np.array([[-1, 0, 2]]))] == [2]


class TestBurn:
    @given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)), st.data())
    def test_windows_equal_the_whole(self, numbers: NDArray[np.uint8], data: st.DataObject) -> None:
        height, width = numbers.shape
        row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        window = Window(
            row_off=row,
            col_off=column,
            height=data.draw(st.integers(1, height - row)),
            width=data.draw(st.integers(1, width - column)),
        )
        every = Runs.of(numbers > 0)
        values = numbers.T.ravel()[every.starts]
        expected = np.zeros_like(numbers)
        for start, end, value in zip(every.starts, every.ends, values, strict=True):
            flat = expected.T.ravel()
            flat[start:end] = value
            expected = flat.reshape(width, height).T
        found = burn(every, values.astype(np.uint32), numbers.shape, window, 9)
        assert found.dtype == np.uint32
        assert found.flags.c_contiguous
        assert np.array_equal(found, np.where(expected > 0, expected, 9)[window.slices])
