"""Objects of an image against pixel sets and plain loops, and rows in bands against the whole."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from terrazzo.errors import UsageError
from terrazzo.evaluation.objects import tally as tally_module
from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.rule import ObjectRule
from terrazzo.evaluation.objects.tally import ObjectTally

Indices = NDArray[np.uint8]
Pixels = set[tuple[int, int]]

THRESHOLDS = np.array([100_000, 250_000, 500_000, 550_000, 750_000, 950_000])
RULE = ObjectRule(classes=(1,), thresholds=(100_000,))


def pieces(mask: NDArray[np.bool_]) -> list[Pixels]:
    """8-connected components, by flooding."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    found = []
    while left:
        border = [left.pop()]
        piece: Pixels = set(border)
        while border:
            row, column = border.pop()
            around = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= around
            piece |= around
            border.extend(around)
        found.append(piece)
    return found


def told_apart(numbers: NDArray[np.uint32], mask: NDArray[np.bool_]) -> list[Pixels]:
    inside = numbers * mask
    return [{(int(row), int(column)) for row, column in np.argwhere(inside == number)} for number in np.unique(inside[inside > 0])]


def corner(piece: Pixels) -> tuple[int, ...]:
    """The bounding box, as objects are put in order: of several with one box, none comes first."""
    rows, columns = zip(*piece, strict=True)
    return min(rows), min(columns), -max(rows), -max(columns)


def naive(
    truth: Indices, predicted: Indices, numbers: NDArray[np.uint32] | None, rule: ObjectRule, thresholds: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Matched, false, missed at each threshold, by sets of pixels."""
    mask = np.isin(truth, rule.classes)
    true = pieces(mask) if numbers is None else told_apart(numbers, mask)
    guess = pieces(np.isin(predicted, rule.classes))
    ground = {(int(row), int(column)) for row, column in np.argwhere((truth != 255) & (predicted != 255))}
    true_there, guess_there = [each & ground for each in true], [each & ground for each in guess]
    iou = {
        (t, p): Fraction(len(one & other), len(one | other))
        for t, one in enumerate(true_there)
        for p, other in enumerate(guess_there)
        if one & other
    }
    counted = [len(each) >= rule.least_px for each in true_there]
    false_counts = [len(there) >= rule.least_px and 2 * len(there) >= len(each) for there, each in zip(guess_there, guess, strict=True)]
    result = []
    for threshold in thresholds.tolist():
        above = {pair: share for pair, share in iou.items() if share > Fraction(threshold, 1_000_000)}
        used_true: set[int] = set()
        used_guess: set[int] = set()
        for t, p in sorted(above, key=lambda pair: (-above[pair], corner(true[pair[0]]), corner(guess[pair[1]]))):
            if t not in used_true and p not in used_guess:
                used_true.add(t)
                used_guess.add(p)
        matched = sum(counted[t] for t in used_true)
        result.append(
            (
                matched,
                sum(counts for p, counts in enumerate(false_counts) if p not in used_guess),
                sum(counted) - matched,
            )
        )
    return np.array(result).T


def whole(truth: Indices, predicted: Indices, numbers: NDArray[np.uint32] | None = None, rule: ObjectRule = RULE) -> FoundObjects:
    tally = ObjectTally(rule)
    tally.add(0, truth, predicted, numbers)
    return tally.found()


def assert_same(one: FoundObjects, other: FoundObjects) -> None:
    np.testing.assert_array_equal(one.counts(THRESHOLDS), other.counts(THRESHOLDS))
    for mine, theirs in ((one.truth, other.truth), (one.predicted, other.predicted)):
        np.testing.assert_array_equal(mine.sums, theirs.sums)
        np.testing.assert_array_equal(mine.lows, theirs.lows)
    np.testing.assert_array_equal(one.true_best, other.true_best)
    np.testing.assert_array_equal(one.predicted_best, other.predicted_best)
    assert (one.merged, one.split, one.empty) == (other.merged, other.split, other.empty)


def masks(shape: tuple[int, int]) -> st.SearchStrategy[Indices]:
    return arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1, 0, 255, 2]))


shapes = st.tuples(st.integers(1, 9), st.integers(1, 11))


@given(st.data())
@settings(max_examples=150)
def test_counts_are_those_of_pixel_sets_above_a_half(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    truth, predicted = data.draw(masks(shape)), data.draw(masks(shape))
    numbers = data.draw(st.none() | arrays(np.uint32, shape, elements=st.sampled_from([0, 1, 2, 7, 2**32 - 1])))
    rule = ObjectRule(
        classes=data.draw(st.sampled_from([(1,), (2,), (1, 2)])), thresholds=(500_000,), least_px=data.draw(st.integers(1, 3))
    )
    high = THRESHOLDS[2:]
    np.testing.assert_array_equal(whole(truth, predicted, numbers, rule).counts(high), naive(truth, predicted, numbers, rule, high))


@given(st.data())
@settings(max_examples=100)
def test_below_a_half_the_largest_iou_is_matched_first(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    truth, predicted = data.draw(masks(shape)), data.draw(masks(shape))
    boxes = [[corner(piece) for piece in pieces(indices == 1)] for indices in (truth, predicted)]
    assume(all(len(set(each)) == len(each) for each in boxes))
    found = whole(truth, predicted)
    np.testing.assert_array_equal(found.counts(THRESHOLDS), naive(truth, predicted, None, RULE, THRESHOLDS))
    for side in (found.matches.truth, found.matches.predicted):
        assert len(set(side.tolist())) == len(side)


@given(st.data())
@settings(max_examples=150)
def test_bands_of_any_height_give_the_whole(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 24), st.integers(1, 17)))
    truth, predicted = data.draw(masks(shape)), data.draw(masks(shape))
    numbers = data.draw(st.none() | arrays(np.uint16, shape, elements=st.integers(0, 5)))
    guessed = data.draw(st.none() | arrays(np.int32, shape, elements=st.integers(0, 5)))
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, shape[0])))), shape[0]]
    bands, one = ObjectTally(RULE), ObjectTally(RULE)
    one.add(0, truth, predicted, numbers, guessed)
    for first, end in pairwise(cuts):
        rows = slice(first, end)
        given_truth, given_guess = (None if each is None else each[rows] for each in (numbers, guessed))
        bands.add(first, truth[rows], predicted[rows], given_truth, given_guess)
    assert_same(bands.found(), one.found())


def test_large_bands_and_many_merges_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    truth, predicted = ((rng.random((211, 97)) < 0.4).astype(np.uint8) for _ in range(2))
    expected = whole(truth, predicted)
    monkeypatch.setattr(tally_module, "CHUNK_PX", 300)
    monkeypatch.setattr(tally_module, "MERGE_FROM", 10)
    assert_same(whole(truth, predicted), expected)


def test_a_spiral_is_one_object_though_its_arms_meet_only_at_the_end() -> None:
    comb = np.zeros((40, 41), np.uint8)
    comb[:-1, ::2] = 1
    comb[-1] = 1
    tally = ObjectTally(RULE)
    for row in range(40):
        tally.add(row, comb[row : row + 1], comb[row : row + 1])
    found = tally.found()
    assert len(found.truth) == len(found.predicted) == 1
    assert found.counts(THRESHOLDS).tolist() == [[1] * 6, [0] * 6, [0] * 6]
    assert found.truth.area.tolist() == [int(comb.sum())]


def test_corners_connect() -> None:
    steps = np.eye(5, dtype=np.uint8)
    for band in (1, 2, 5):
        tally = ObjectTally(RULE)
        for row in range(0, 5, band):
            tally.add(row, steps[row : row + band], steps[row : row + band, ::-1])
        assert (len(tally.found().truth), len(tally.found().predicted)) == (1, 1)


def test_rows_that_are_never_added_part_objects() -> None:
    bar = np.ones((3, 4), np.uint8)
    tally = ObjectTally(RULE)
    tally.add(0, bar, bar)
    tally.add(4, bar, bar)
    assert len(tally.found().truth) == 2


def test_where_and_how_large() -> None:
    truth = np.zeros((10, 12), np.uint8)
    truth[2:5, 3:9] = 1
    found = whole(truth, np.zeros_like(truth))
    assert found.truth.centers.tolist() == [[6.0, 3.5]]
    assert found.truth.sides.tolist() == [[6, 3]]
    assert found.truth.area.tolist() == [18]


class TestLeftOut:
    def test_an_object_wholly_on_ignored_ground_is_none(self) -> None:
        truth = np.full((4, 6), 255, np.uint8)
        predicted = np.ones_like(truth)
        found = whole(truth, predicted)
        assert found.empty
        assert found.counts(THRESHOLDS).sum() == 0

    def test_what_the_map_leaves_out_hides_objects_of_the_labels(self) -> None:
        truth, predicted = np.zeros((4, 6), np.uint8), np.full((4, 6), 255, np.uint8)
        truth[1:3, 1:3] = 1
        predicted[:, 5] = 0
        assert whole(truth, predicted).counts(THRESHOLDS).sum() == 0

    @pytest.mark.parametrize(("ignored", "false"), [(2, 1), (3, 0)])
    def test_a_predicted_object_mostly_on_ignored_ground_is_not_false(self, ignored: int, false: int) -> None:
        truth, predicted = np.zeros((3, 6), np.uint8), np.zeros((3, 6), np.uint8)
        predicted[1, 1:5] = 1
        truth[1, 1 : 1 + ignored] = 255
        assert whole(truth, predicted).counts(THRESHOLDS)[1].tolist() == [false] * 6

    def test_one_that_matches_counts_though_most_of_it_is_on_ignored_ground(self) -> None:
        truth, predicted = np.full((3, 9), 255, np.uint8), np.ones((3, 9), np.uint8)
        truth[:, :2] = 1
        assert whole(truth, predicted).counts(THRESHOLDS).tolist() == [[1] * 6, [0] * 6, [0] * 6]

    def test_ignored_ground_does_not_part_what_the_map_has_as_one(self) -> None:
        truth, predicted = np.zeros((3, 9), np.uint8), np.ones((3, 9), np.uint8)
        truth[:, 4] = 255
        assert whole(truth, predicted).counts(THRESHOLDS)[1].tolist() == [1] * 6

    def test_a_small_true_object_takes_its_match_along(self) -> None:
        truth = np.zeros((9, 9), np.uint8)
        truth[0, :3] = truth[4:8, 2:6] = 1
        predicted = truth.copy()
        predicted[0, 3] = 1  # large enough by itself
        rule = ObjectRule(classes=(1,), thresholds=(500_000,), least_px=4)
        assert whole(truth, predicted, rule=rule).counts(THRESHOLDS[2:4]).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_objects_over_several_and_under_several() -> None:
    truth, predicted = np.zeros((5, 20), np.uint8), np.zeros((5, 20), np.uint8)
    numbers = np.zeros((5, 20), np.uint32)
    truth[1:4, 1:9] = 1
    numbers[1:4, 1:5], numbers[1:4, 5:9] = 3, 9
    predicted[1:4, 1:9] = 1
    truth[1:4, 11:19], numbers[1:4, 11:19] = 1, 12
    predicted[1:4, 11:14] = predicted[1:4, 15:19] = 1
    found = whole(truth, predicted, numbers)
    assert (found.merged, found.split) == (1, 1)
    assert len(found.truth) == 3


def test_several_classes_are_looked_at_as_one() -> None:
    truth = np.array([[1, 1, 2, 2, 0, 3]], np.uint8)
    found = whole(truth, np.array([[2, 2, 1, 1, 0, 0]], np.uint8), rule=ObjectRule(classes=(1, 2, 3), thresholds=(500_000,)))
    assert found.counts(np.array([900_000])).ravel().tolist() == [1, 0, 1]


def test_rows_out_of_order_and_numbers_at_times_are_refused() -> None:
    rows = np.zeros((2, 3), np.uint8)
    tally = ObjectTally(RULE)
    tally.add(4, rows, rows)
    with pytest.raises(UsageError, match="Row 2 comes after row 5"):
        tally.add(2, rows, rows)
    with pytest.raises(UsageError, match="for all or for none"):
        tally.add(6, rows, rows, rows.astype(np.uint32))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_no_pixels_no_objects(shape: tuple[int, int]) -> None:
    rows = np.zeros(shape, np.uint8)
    found = whole(rows, rows)
    assert (len(found.truth), len(found.predicted), found.empty) == (0, 0, 0 in shape)
    assert ObjectTally(RULE).found().empty
