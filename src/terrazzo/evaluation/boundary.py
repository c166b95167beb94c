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
    outlines = _near_others(truth, 1), _near_others(predicted, 1)
    rims = _near_others(truth, distance), _near_others(predicted, distance)
    counts = BoundaryCounts.none(classes)
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    outline_truth, outline_map = (np.where(edge, each, np.uint8(IGNORE)) for edge, each in zip(outlines, (truth, predicted), strict=True))
    _add(counts.outline_truth, outline_truth[counted])
    _add(counts.outline_map, outline_map[counted])
    for index in np.flatnonzero(counts.outline_map).tolist():
        near = _dilated(_equal(outline_truth, index), window)[counted]
        counts.right[index] = np.count_nonzero(near & _equal(outline_map[counted], index))
    for index in np.flatnonzero(counts.outline_truth).tolist():
        near = _dilated(_equal(outline_map, index), window)[counted]
        counts.found[index] = np.count_nonzero(near & _equal(outline_truth[counted], index))
    rim_truth, rim_map = (np.where(rim, each, np.uint8(IGNORE))[counted] for rim, each in zip(rims, (truth, predicted), strict=True))
    _add(counts.rim_truth, rim_truth)
    _add(counts.rim_map, rim_map)
    _add(counts.rim_both, np.where(rim_truth == rim_map, rim_map, np.uint8(IGNORE)))
    return counts


def _near_others(labels: Indices, distance: int) -> NDArray[np.bool_]:
    """Where a labelled pixel of another class lies within the distance; nowhere on ignored ground."""
    window = np.ones((2 * distance + 1,) * 2, np.uint8)
    # ignored pixels are neither the largest nor the smallest, nor is what lies outside
    highest = _dilated(np.where(labels == IGNORE, np.uint8(0), labels), window)
    lowest = cv2.erode(labels, window)
    found: NDArray[np.bool_] = ((highest > labels) | (lowest < labels)) & (labels != IGNORE)
    return found


def _dilated(labels: Indices, window: Flags) -> Indices:
    """The largest value within the window; what lies outside of the array does not count."""
    largest: Indices = cv2.dilate(labels, window)  # type: ignore[assignment]
    return largest


def _equal(labels: Indices, index: int) -> Flags:
    flags: Flags = (labels == index).view(np.uint8)
    return flags


def _uniform(labels: Indices) -> bool:
    return bool(labels.min() == labels.max())


def _add(into: NDArray[np.int64], labels: Indices) -> None:
    """Count the labels that are not 255."""
    chosen = labels[labels != IGNORE]
    into += np.bincount(chosen, minlength=len(into))


def _mean(scores: NDArray[Any]) -> Score:
    return None if np.isnan(scores).all() else float(np.nanmean(scores))


def _number(value: float) -> Score:
    return None if np.isnan(value) else float(value)
