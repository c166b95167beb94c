"""How well a map follows the outlines of the truth: boundary F1 and boundary IoU.

Distances are in pixels along rows and columns, whichever is larger. Only what borders on another labelled class is an outline: the edge of
the image and of ignored ground is the same in truth and map, and would raise every score.

    truth   . . . . # # # #       outline of #    pixels of # beside a pixel of another class:       the first column of #
                                  rim of #        pixels of # within d of a pixel of another class:  the first d columns of #

    boundary F1     precision: share of the map's outline within d of the truth's outline of the same class; recall the other way round
    boundary IoU    the IoU of the two rims

Sources: G. Csurka et al., What is a good evaluation measure for semantic segmentation?, 2013; B. Cheng et al., Boundary IoU, 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.scores import Score, ratio
from terrazzo.labels.legend import IGNORE

Indices = NDArray[np.uint8]
Flags = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class BoundaryCounts:
    """Pixels of outlines and rims by class, each int64 (classes,); `+` adds exactly."""

    outline_truth: NDArray[np.int64]
    outline_map: NDArray[np.int64]
    found: NDArray[np.int64]
    """Outline pixels of the truth with one of the map within the distance."""
    right: NDArray[np.int64]
    """Outline pixels of the map with one of the truth within the distance."""
    rim_truth: NDArray[np.int64]
    rim_map: NDArray[np.int64]
    rim_both: NDArray[np.int64]
    """Pixels that are of the class and its rim in both."""

    @classmethod
    def none(cls, classes: int) -> "BoundaryCounts":
        return cls(**{name: np.zeros(classes, np.int64) for name in cls.__dataclass_fields__})

    def of_class(self, number: int) -> "BoundaryCounts":
        """Those of one class."""
        return BoundaryCounts(**{name: getattr(self, name)[number : number + 1] for name in self.__dataclass_fields__})

    @classmethod
    def side_by_side(cls, each: Sequence["BoundaryCounts"]) -> "BoundaryCounts":
        """Those of several sets of classes as of one."""
        return cls(**{name: np.concatenate([getattr(one, name) for one in each]) for name in cls.__dataclass_fields__})

    def __add__(self, other: "BoundaryCounts") -> "BoundaryCounts":
        return BoundaryCounts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


class ClassBoundary(TypedDict):
    value: int
    name: str
    precision: Score
    recall: Score
    f1: Score
    iou: Score


class BoundaryScores(TypedDict):
    """The object `boundary` of `evaluation.json`; means are over the classes that have the score."""

    distance: float
    """In pixels; below 1 as a share of each scene's diagonal."""
    mean_f1: Score
    mean_iou: Score
    classes: list[ClassBoundary]


def boundary_scores(counts: BoundaryCounts, distance: float, values: Sequence[int], names: Sequence[str]) -> BoundaryScores:
    """Scores of outlines and rims; null for a class without any in truth and map."""
    precision = ratio(counts.right, counts.outline_map)
    recall = ratio(counts.found, counts.outline_truth)
    either = np.isnan(precision) != np.isnan(recall)
    precision, recall = (np.where(either & np.isnan(each), 0, each) for each in (precision, recall))
    f1 = np.where(precision + recall > 0, 2 * precision * recall / np.maximum(precision + recall, 1e-300), precision + recall)
    iou = ratio(counts.rim_both, counts.rim_truth + counts.rim_map - counts.rim_both)
    return BoundaryScores(
        distance=distance,
        mean_f1=_mean(f1),
        mean_iou=_mean(iou),
        classes=[
            ClassBoundary(
                value=int(value),
                name=name,
                precision=_number(precision[index]),
                recall=_number(recall[index]),
                f1=_number(f1[index]),
                iou=_number(iou[index]),
            )
            for index, (value, name) in enumerate(zip(values, names, strict=True))
        ],
    )


def count_boundaries(
    truth: Indices, predicted: Indices, counted: tuple[slice, slice], distance: int, classes: int
) -> BoundaryCounts | None:
    """Count outlines and rims in a part of an array; exact if the rest of it holds all pixels within distance + 1 of the part.

    truth, predicted: class indices (height, width); 255 in the same places. counted: the part, as (rows, columns). distance: at least 1.
    None if there are none: all is one class.
    """
    if _uniform(truth) and _uniform(predicted):
        return None
    counts = BoundaryCounts.none(classes)
    outline_truth, outline_map = (_only(labels, _near_others(labels, 1)) for labels in (truth, predicted))
    counts.outline_truth[...] = _count(outline_truth[counted], classes)
    counts.outline_map[...] = _count(outline_map[counted], classes)
    counts.right[...] = _count_within(outline_map, outline_truth, counted, distance, counts.outline_map)
    counts.found[...] = _count_within(outline_truth, outline_map, counted, distance, counts.outline_truth)
    rim_truth, rim_map = (_only(labels, _near_others(labels, distance))[counted] for labels in (truth, predicted))
    counts.rim_truth[...] = _count(rim_truth, classes)
    counts.rim_map[...] = _count(rim_map, classes)
    counts.rim_both[...] = _count(_only(rim_map, rim_truth == rim_map), classes)
    return counts


def _near_others(labels: Indices, distance: int) -> NDArray[np.bool_]:
    """Where a labelled pixel of another class lies within the distance; of ignored pixels the answer means nothing."""
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    # ignored pixels are neither the largest (0, as 255 + 1 wraps) nor the smallest (255); what lies outside does not count
    shifted = labels + np.uint8(1)
    found: NDArray[np.bool_] = (_dilated(shifted, window) > shifted) | (cv2.erode(labels, window) < labels)
    return found


def _only(labels: Indices, kept: NDArray[np.bool_]) -> Indices:
    """The labels where they are kept, 255 elsewhere."""
    rest: Indices = kept.view(np.uint8) - np.uint8(1)  # 0 or, wrapped, 255
    return labels | rest


def _count_within(
    outline: Indices, other: Indices, counted: tuple[slice, slice], distance: int, present: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pixels of one outline that have a pixel of the same class of the other within the distance, by class.

    present: how many pixels of each class the outline has.
    """
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    within = np.zeros(len(present), np.int64)
    for index in np.flatnonzero(present).tolist():
        near = _dilated(_equal(other, index), window)[counted]
        within[index] = np.count_nonzero(near & _equal(outline[counted], index))
    return within


def _dilated(labels: Indices, window: Flags) -> Indices:
    """The largest value within the window; what lies outside of the array does not count."""
    largest: Indices = cv2.dilate(labels, window)  # type: ignore[assignment]
    return largest


def _equal(labels: Indices, index: int) -> Flags:
    flags: Flags = (labels == index).view(np.uint8)
    return flags


def _uniform(labels: Indices) -> bool:
    return bool(labels.min() == labels.max())


def _count(labels: Indices, classes: int) -> NDArray[np.int64]:
    """How often each class occurs; 255 does not count."""
    # few pixels are outline or rim: to pick them is cheaper than to count all
    return np.bincount(labels.ravel()[np.flatnonzero(labels != IGNORE)], minlength=classes)


def _mean(scores: NDArray[Any]) -> Score:
    return None if np.isnan(scores).all() else float(np.nanmean(scores))


def _number(value: float) -> Score:
    return None if np.isnan(value) else float(value)
