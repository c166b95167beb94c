"""What is found in one image: its true and predicted objects, and which belong together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.match import MILLION, Pairs, best_iou, match, pair
from terrazzo.evaluation.objects.table import Numbers, Objects, Overlaps

HALF = MILLION // 2


@dataclass(frozen=True, kw_only=True)
class FoundObjects:
    """The objects of one image.

    Every true object counts that has at least the least area on ground that counts. A predicted object that matches none counts as
    false if it has that area too, and does not lie mostly on ground that is left out. A pair whose true object is too small is in
    no score, nor is its predicted object.
    """

    truth: Objects
    predicted: Objects
    matches: Pairs
    """At the lowest threshold, and at 0.5 if that is lower."""
    true_best: NDArray[np.float64]
    """(true objects,) largest IoU with a predicted object."""
    predicted_best: NDArray[np.float64]
    """(predicted objects,) largest IoU with a true object."""
    true_counts: NDArray[np.bool_]
    """(true objects,) whether it counts."""
    predicted_counts: NDArray[np.bool_]
    """(predicted objects,) whether it counts as false where it matches none."""
    merged: int
    """Predicted objects that hold more than half of each of several true ones."""
    split: int
    """True objects that hold more than half of each of several predicted ones."""
    empty: bool
    """Whether the image has no ground that counts."""

    def counts(self, thresholds: Numbers) -> Numbers:
        """(3, thresholds): matched true objects, false predicted ones, missed true ones. thresholds: in millionths."""
        above = self.matches.above(thresholds)
        hits = (above & self.true_counts[self.matches.truth]).sum(axis=1)
        used = (above & self.predicted_counts[self.matches.predicted]).sum(axis=1)
        return np.stack([hits, np.count_nonzero(self.predicted_counts) - used, np.count_nonzero(self.true_counts) - hits])


def find_objects(truth: Objects, predicted: Objects, overlaps: Overlaps, *, lowest: int, least_px: int, empty: bool) -> FoundObjects:
    """Match the objects of an image. lowest: threshold in millionths. least_px: least area of an object that counts."""
    truth, true_places = _in_order(truth)
    predicted, predicted_places = _in_order(predicted)
    pairs = pair(
        truth,
        predicted,
        Overlaps(
            truth=_places_of(overlaps.truth, *true_places),
            predicted=_places_of(overlaps.predicted, *predicted_places),
            shared=overlaps.shared,
        ),
    )
    most_of_true, most_of_predicted = 2 * pairs.shared > truth.area[pairs.truth], 2 * pairs.shared > predicted.area[pairs.predicted]
    return FoundObjects(
        truth=truth,
        predicted=predicted,
        matches=match(pairs, min(lowest, HALF)),
        true_best=best_iou(pairs.truth, pairs.iou, len(truth)),
        predicted_best=best_iou(pairs.predicted, pairs.iou, len(predicted)),
        true_counts=truth.area >= least_px,
        predicted_counts=(predicted.area >= least_px) & (predicted.left_out <= predicted.area),
        merged=_several(pairs.predicted[most_of_true], len(predicted)),
        split=_several(pairs.truth[most_of_predicted], len(truth)),
        empty=empty,
    )


def _in_order(objects: Objects) -> tuple[Objects, tuple[Numbers, NDArray[np.intp]]]:
    """Objects in reading order; and their numbers, ascending, with the position of each."""
    order = objects.reading_order()
    ordered = objects.take(order)
    ascending = np.argsort(ordered.numbers)
    return ordered, (ordered.numbers[ascending], ascending)


def _places_of(numbers: Numbers, ascending: Numbers, positions: NDArray[np.intp]) -> NDArray[np.intp]:
    return positions[np.searchsorted(ascending, numbers)]


def _several(places: NDArray[np.intp], count: int) -> int:
    return int(np.count_nonzero(np.bincount(places, minlength=count) > 1))
