"""Outlines and rims: against a count pixel by pixel, against the published code's erosion, and by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from terrazzo.evaluation.boundary import BoundaryCounts, boundary_scores, count_boundaries
from terrazzo.evaluation.tally.boundary import BoundaryTally, reach_px
from terrazzo.evaluation.tally.rows import Rows

Indices = NDArray[np.uint8]


def patches(seed: int, shape: tuple[int, int], classes: int, side: int = 4) -> tuple[Indices, Indices]:
    """Truth and map in patches that are shifted against each other; some ignored."""
    rng = np.random.default_rng(seed)
    values = np.array([*range(classes), *range(classes), 255], np.uint8)
    blocks = rng.choice(values, (shape[0] // side + 2, shape[1] // side + 2)).repeat(side, 0).repeat(side, 1)
    truth = blocks[: shape[0], : shape[1]].copy()
    predicted = np.where(rng.random(shape) < 0.03, rng.choice(values, shape), blocks[1 : shape[0] + 1, 2 : shape[1] + 2])
    truth[rng.random(shape) < 0.02] = 255
    return truth, predicted.astype(np.uint8)


def counted(truth: Indices, predicted: Indices, distance: int, classes: int) -> BoundaryCounts:
    """In one piece."""
    ignored = (truth == 255) | (predicted == 255)
    truth, predicted = (np.where(ignored, 255, each).astype(np.uint8) for each in (truth, predicted))
    found = count_boundaries(truth, predicted, (slice(None), slice(None)), distance, classes)
    return found if found is not None else BoundaryCounts.none(classes)


def naive(truth: Indices, predicted: Indices, distance: int, classes: int) -> dict[str, list[int]]:
    """By the definition, pixel by pixel."""
    ignored = (truth == 255) | (predicted == 255)
    maps = {"truth": np.where(ignored, 255, truth), "map": np.where(ignored, 255, predicted)}
    height, width = truth.shape

    def around(array: NDArray[np.generic], row: int, col: int, reach: int) -> NDArray[np.generic]:
        return array[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1]

    def near(labels: NDArray[np.generic], reach: int) -> NDArray[np.bool_]:
        found = np.zeros(labels.shape, bool)
        for row in range(height):
            for col in range(width):
                some = around(labels, row, col, reach)
                found[row, col] = labels[row, col] != 255 and bool(((some != 255) & (some != labels[row, col])).any())
        return found

    counts: dict[str, list[int]] = {name: [0] * classes for name in BoundaryCounts.__dataclass_fields__}
    outline = {name: near(labels, 1) for name, labels in maps.items()}
    rim = {name: near(labels, distance) for name, labels in maps.items()}
    for index in range(classes):
        own = {name: outline[name] & (labels == index) for name, labels in maps.items()}
        own_rim = {name: rim[name] & (labels == index) for name, labels in maps.items()}
        for name in ("truth", "map"):
            counts[f"outline_{name}"][index] = int(own[name].sum())
            counts[f"rim_{name}"][index] = int(own_rim[name].sum())
        counts["rim_both"][index] = int((own_rim["truth"] & own_rim["map"]).sum())
        for key, one, other in (("found", "truth", "map"), ("right", "map", "truth")):
            counts[key][index] = sum(bool(around(own[other], row, col, distance).any()) for row, col in np.argwhere(own[one]))
    return counts


def plain(counts: BoundaryCounts) -> dict[str, list[int]]:
    return {name: getattr(counts, name).tolist() for name in BoundaryCounts.__dataclass_fields__}


@pytest.mark.parametrize(("classes", "distance"), [(1, 1), (2, 2), (3, 1), (4, 3), (250, 2)])
def test_counts_are_those_of_the_definition(classes: int, distance: int) -> None:
    truth, predicted = patches(classes, (19, 23), classes)
    assert plain(counted(truth, predicted, distance, classes)) == naive(truth, predicted, distance, classes)


@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    distance=st.integers(1, 6),
    heights=st.lists(st.integers(1, 15), max_size=6),
)
def test_bands_and_tiles_count_what_the_whole_does(seed: int, shape: tuple[int, int], distance: int, heights: list[int]) -> None:
    truth, predicted = patches(seed, shape, 3)
    tally = BoundaryTally(3, distance, shape)
    tally._tile = 7  # many tiles, also narrower than the distance
    starts = [0, *(start for start in np.cumsum(heights).tolist() if start < shape[0])]
    for start, end in zip(starts, [*starts[1:], shape[0]], strict=True):
        tally.add(Rows(row_off=start, truth=truth[start:end], predicted=predicted[start:end]))
    assert plain(tally.finish()) == plain(counted(truth, predicted, distance, 3))


def test_boundary_iou_is_that_of_the_published_code() -> None:
    """Cheng et al. erode the mask d times with 3 x 3 and take what goes; a frame of background keeps the image's edge out of it."""
    distance = 3
    masks = []
    for shift in (0, 4):
        mask = np.zeros((60, 80), np.uint8)
        cv2.circle(mask, (35 + shift, 30), 14, 1, -1)
        cv2.rectangle(mask, (58, 10), (70 - shift, 40), 1, -1)
        masks.append(mask)
    rims = [mask - cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=distance) for mask in masks]
    expected = np.logical_and(*rims).sum() / np.logical_or(*rims).sum()
    scores = boundary_scores(counted(masks[0], masks[1], distance, 2), distance, [0, 1], ["rest", "object"])
    assert scores["classes"][1]["iou"] == pytest.approx(expected)
    assert scores["mean_iou"] is not None


def test_a_shift_within_the_distance_costs_no_boundary_f1() -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 1
    shifted = np.roll(truth, 2, axis=1)
    assert boundary_scores(counted(truth, shifted, 2, 2), 2, [0, 1], ["a", "b"])["mean_f1"] == 1
    assert boundary_scores(counted(truth, shifted, 1, 2), 1, [0, 1], ["a", "b"])["classes"][1]["f1"] == pytest.approx(20 / 36)


def test_edges_of_image_and_of_ignored_ground_are_no_outlines() -> None:
    truth = np.zeros((9, 9), np.uint8)
    truth[4:] = 255
    counts = counted(truth, np.zeros((9, 9), np.uint8), 2, 2)
    assert plain(counts) == plain(BoundaryCounts.none(2))
    scores = boundary_scores(counts, 2, [0, 1], ["a", "b"])
    assert (scores["mean_f1"], scores["mean_iou"], scores["classes"][0]["f1"]) == (None, None, None)


def test_an_outline_of_only_one_side_scores_nothing() -> None:
    truth, predicted = np.zeros((2, 9, 9), np.uint8)
    truth[2:5, 2:5] = 1
    scores = boundary_scores(counted(truth, predicted, 1, 2), 1, [0, 1], ["a", "b"])
    assert [(row["precision"], row["recall"], row["f1"], row["iou"]) for row in scores["classes"]] == [(0, 0, 0, 0)] * 2


def test_counts_add_up() -> None:
    one, other = (counted(*patches(seed, (12, 12), 3), 2, 3) for seed in (1, 2))
    assert (one + other).rim_both.tolist() == (one.rim_both + other.rim_both).tolist()


def test_a_share_of_the_diagonal() -> None:
    assert (reach_px(3, (30, 40)), reach_px(0.02, (300, 400)), reach_px(0.02, (3, 4))) == (3, 10, 1)
