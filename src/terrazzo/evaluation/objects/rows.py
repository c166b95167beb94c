"""A row an object: what became of it, how large it is and where it lies."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.found import FoundObjects
from terrazzo.evaluation.objects.table import Objects

MATCHED, POOR, MISSED, FALSE = range(4)
STATUSES = ("matched", "poor", "missed", "false")
"""True objects are matched; poor if they are not, but overlap a predicted one (IoU above POOR_IOU); else missed. Predicted objects that
match none are false."""

POOR_IOU = 0.1

ROW = np.dtype(
    [
        ("status", np.uint8),
        ("pixels", np.int64),
        ("iou", np.float64),
        ("column", np.float64),
        ("row", np.float64),
        *((name, np.int64) for name in ("col_off", "row_off", "width", "height")),
    ]
)
"""pixels: on ground that counts. iou: of the match, else the largest with any object of the other side. column, row: of the centroid,
0.5 in the middle of the first pixel. col_off, row_off, width, height: of the bounding box."""


def rows_of(found: FoundObjects, lowest: int) -> NDArray[np.void]:
    """The objects that count: all true ones in reading order, then the predicted ones that match none.

    lowest: IoU threshold in millionths. The result is (n,) of type ROW.
    """
    matches = found.matches.take(np.flatnonzero(found.matches.above(np.array([lowest]))[0]))
    status = np.where(found.true_best > POOR_IOU, POOR, MISSED)
    status[matches.truth] = MATCHED
    iou = found.true_best.copy()
    iou[matches.truth] = matches.iou
    false = found.predicted_counts.copy()
    false[matches.predicted] = False
    true = np.flatnonzero(found.true_counts)
    alone = np.flatnonzero(false)
    return np.concatenate(
        [
            _rows(found.truth.take(true), status[true], iou[true]),
            _rows(found.predicted.take(alone), np.full(len(alone), FALSE), found.predicted_best[alone]),
        ]
    )


def _rows(objects: Objects, status: NDArray[np.int64], iou: NDArray[np.float64]) -> NDArray[np.void]:
    rows = np.zeros(len(objects), ROW)
    rows["status"], rows["pixels"], rows["iou"] = status, objects.area, iou
    rows["column"], rows["row"] = objects.centers.T
    rows["col_off"], rows["row_off"] = objects.lows[:2]
    rows["width"], rows["height"] = objects.sides.T
    return rows
