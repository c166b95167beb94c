"""Scores of objects, as `evaluation.json` keeps them."""

import math
from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.counts import ObjectCounts
from terrazzo.evaluation.objects.match import MILLION
from terrazzo.evaluation.objects.rows import FALSE, MATCHED
from terrazzo.evaluation.objects.table import Numbers
from terrazzo.evaluation.scores import Score, f_score

SIZE_NAMES = ("small", "medium", "large")


class AtThreshold(TypedDict):
    """All objects together at one IoU threshold; false: predicted objects that match none."""

    matched: int
    false: int
    missed: int
    precision: Score
    recall: Score
    f1: Score
    f2: Score


class SizeScores(AtThreshold):
    """Objects of from_px up to, but not with, to_px pixels at the lowest threshold; false ones go by their own size."""

    name: str
    from_px: int
    to_px: int | None


class CountError(TypedDict):
    """Predicted minus true objects of an image, at the lowest threshold: its mean, mean size and root mean square."""

    bias: Score
    mae: Score
    rmse: Score


ObjectScores = TypedDict(
    "ObjectScores",
    {
        "class": str,
        "images": int,
        "true": int,
        "predicted": int,
        "precision": Score,
        "recall": Score,
        "f1": Score,
        "f2": Score,
        "f2_by_iou": dict[str, Score],
        "ap": Score,
        "ap_by_iou": dict[str, Score],
        "by_iou": dict[str, AtThreshold],
        "mean_iou": Score,
        "pq": Score,
        "sq": Score,
        "rq": Score,
        "count_error": CountError,
        "sizes": list[SizeScores],
        "merged": int,
        "split": int,
    },
)
"""The object `objects` of `evaluation.json`.

f2, ap: means over images and thresholds, as the Airbus ship and the nuclei challenge take them; *_by_iou: means over images at each
threshold. by_iou: counts of all images together. true, predicted, precision, recall, f1, sizes, count_error and mean_iou (of matches) are
at the lowest threshold. pq = sq * rq: panoptic quality at 0.5 (Kirillov et al., Panoptic segmentation, 2019).
merged: predicted objects over several true ones; split: true objects under several predicted ones.
"""


def object_scores(counts: ObjectCounts) -> ObjectScores:
    """Score the objects of a class.

    The result holds plain numbers, lists and None only: ready for JSON.
    """
    by_image = counts.by_image()
    labels = [_label(threshold) for threshold in counts.rule.thresholds]
    together = by_image.sum(axis=0)
    lowest = _at(together[:, 0])
    f2, ap = image_f2(by_image), image_ap(by_image)
    rows = counts.rows()
    half, above_half = _at(counts.at_half()), rows["iou"][(rows["status"] != FALSE) & (rows["iou"] > 0.5)]
    quality = _mean(above_half.tolist())
    return {
        "class": counts.rule.name,
        "images": len(by_image),
        "true": lowest["matched"] + lowest["missed"],
        "predicted": lowest["matched"] + lowest["false"],
        "precision": lowest["precision"],
        "recall": lowest["recall"],
        "f1": lowest["f1"],
        "f2": _mean(f2.ravel().tolist()),
        "f2_by_iou": {label: _mean(column.tolist()) for label, column in zip(labels, f2.T, strict=True)},
        "ap": _mean(ap.ravel().tolist()),
        "ap_by_iou": {label: _mean(column.tolist()) for label, column in zip(labels, ap.T, strict=True)},
        "by_iou": {label: _at(column) for label, column in zip(labels, together.T, strict=True)},
        "mean_iou": _mean(rows["iou"][rows["status"] == MATCHED].tolist()),
        "pq": _panoptic(half, quality),
        "sq": quality,
        "rq": half["f1"],
        "count_error": _count_error(by_image[:, 1, 0] - by_image[:, 2, 0]),
        "sizes": size_scores(rows, counts.rule.sizes_px),
        "merged": sum(image.merged for image in counts.images),
        "split": sum(image.split for image in counts.images),
    }


def image_f2(by_image: Numbers) -> NDArray[np.float64]:
    """F2 of each image at each threshold: 5 TP / (5 TP + 4 FN + FP), 1 where there is no object at all.

    by_image: (images, 3, thresholds) matched, false, missed. The result is (images, thresholds); its mean is the score of the Airbus
    ship challenge.
    """
    matched, false, missed = np.moveaxis(by_image, 1, 0)
    return np.nan_to_num(f_score(matched, false, missed, beta=2.0), nan=1.0)


def image_ap(by_image: Numbers) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) of each image at each threshold, 1 where there is no object at all: as `image_f2`.

    Its mean is the score of the nuclei challenge (Data Science Bowl 2018).
    """
    matched, false, missed = np.moveaxis(by_image, 1, 0)
    either = matched + false + missed
    return np.where(either == 0, 1.0, matched / np.maximum(either, 1))


def size_scores(rows: NDArray[np.void], sizes_px: Sequence[int] | None) -> list[SizeScores]:
    """Scores of objects of each size; none without any true object, unless sizes are given."""
    status, areas = rows["status"], rows["pixels"]
    edges = sorted(set(_thirds(areas[status != FALSE]) if sizes_px is None else sizes_px))
    if not edges:
        return []
    place = np.searchsorted(np.array(edges, np.int64), areas, side="right")
    found: list[SizeScores] = []
    for position, (low, high) in enumerate(zip([0, *edges], [*edges, None], strict=True)):
        here = status[place == position]
        matched, false = np.count_nonzero(here == MATCHED), np.count_nonzero(here == FALSE)
        name = SIZE_NAMES[position] if len(edges) == 2 else f"{low} px and more" if high is None else f"{low} to {high} px"
        counts = np.array([matched, false, len(here) - matched - false], np.int64)
        found.append({"name": name, "from_px": low, "to_px": high, **_at(counts)})
    return found


def _thirds(areas: Numbers) -> list[int]:
    """The areas that part objects into thirds; none without any."""
    if not len(areas):
        return []
    return [int(edge) for edge in np.quantile(areas, (1 / 3, 2 / 3), method="inverted_cdf")]


def _at(counts: Numbers) -> AtThreshold:
    """counts: (3,) matched, false, missed."""
    matched, false, missed = counts.tolist()
    hits, wrong, lost = counts[:, None]
    return AtThreshold(
        matched=matched,
        false=false,
        missed=missed,
        precision=_share(matched, matched + false, counts),
        recall=_share(matched, matched + missed, counts),
        f1=_defined(f_score(hits, wrong, lost)),
        f2=_defined(f_score(hits, wrong, lost, beta=2.0)),
    )


def _count_error(differences: Numbers) -> CountError:
    errors = differences.tolist()
    square = _mean([error**2 for error in errors])
    return CountError(bias=_mean(errors), mae=_mean([abs(error) for error in errors]), rmse=None if square is None else math.sqrt(square))


def _panoptic(half: AtThreshold, quality: Score) -> Score:
    if half["f1"] is None:
        return None
    return 0.0 if quality is None else quality * half["f1"]


def _label(threshold: int) -> str:
    """A threshold as text: 500000 is 0.50."""
    text = f"{threshold / MILLION:.6f}".rstrip("0")
    return text.ljust(4, "0")


def _mean(values: Iterable[float]) -> Score:
    """The mean, the same whatever the order; None without any."""
    found = list(values)
    return math.fsum(found) / len(found) if found else None


def _share(part: int, whole: int, counts: Numbers) -> Score:
    """As for pixels: None without any object, 0 where only labels or only the map have one."""
    return part / whole if whole else 0.0 if counts.any() else None


def _defined(scores: NDArray[np.float64]) -> Score:
    return None if np.isnan(scores[0]) else float(scores[0])
