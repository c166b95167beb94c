"""Scores of single samples, gathered while the rows of their scene pass by."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from terrazzo.evaluation.confusion import Confusion
from terrazzo.evaluation.scores import pixel_scores
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.where.certainty import CONFIDENCE, ONE, SCALES, SURE, pixel_figures
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.rasters.window import Window

SCORES = ("accuracy", "mean_iou", "mean_dice")
CERTAINTIES = ("loss", "entropy", "margin", "confidence", "suspicious")
"""Means over the judged pixels; suspicious is the share of them of which the model is sure and the label says otherwise."""

ScoreRow = dict[str, float | None]


class SampleTally:
    """Counts, losses and certainties of the samples of one scene; overlapping samples count their common pixels each.

    The result does not depend on how the rows were cut.
    """

    def __init__(self, windows: Mapping[int, Window], classes: int, *, overlapping: bool = False) -> None:
        """windows: by the sample's id. classes: their number. overlapping: truth and map are bit sets of them."""
        self.windows = windows
        self.confusions = {number: Confusion(2**classes if overlapping else classes) for number in windows}
        self._overlapping = overlapping
        self._sums = {number: np.zeros(len(CERTAINTIES), np.int64) for number in windows}
        self._judged = dict.fromkeys(windows, 0)

    def add(
        self,
        row_off: int,
        truth: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        probabilities: NDArray[np.uint16] | None = None,
    ) -> None:
        """Add rows of the scene; each row once.

        truth, predicted: (rows, width) class indices, 255 left out. probabilities: (classes, rows, width), 65535 = 1.
        """
        band = Window(col_off=0, row_off=row_off, width=truth.shape[1], height=truth.shape[0])
        inner = {number: found for number, window in self.windows.items() if (found := window.intersection(band)) is not None}
        if not inner:
            return
        figures = self._figures(truth, predicted, probabilities) if probabilities is not None else None
        for number, window in inner.items():
            at = window.inside(band)
            self.confusions[number].add(truth[at], predicted[at])
            if figures is not None:
                self._sums[number] += figures[:, *at].sum(axis=(1, 2), dtype=np.int64)
                self._judged[number] += int(np.count_nonzero((truth[at] != IGNORE) & (predicted[at] != IGNORE)))

    def means(self) -> dict[int, ScoreRow]:
        """loss (nats), entropy, margin, confidence and suspicious (0 to 1) by sample; empty for one without probabilities."""
        scales = np.append(SCALES, 1.0)
        return {
            number: dict(zip(CERTAINTIES, (self._sums[number] / (judged * scales)).tolist(), strict=True)) if judged else {}
            for number, judged in self._judged.items()
        }

    def _figures(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> NDArray[np.int32]:
        """(5, rows, width) what is summed; of classes that overlap the mean over them, and suspicious where any of them is."""
        if not self._overlapping:
            return _figures(truth, predicted, probabilities)
        rows = Rows(row_off=0, truth=truth, predicted=predicted, probabilities=probabilities)
        each = [
            _figures(one.truth, one.predicted, one.probabilities)
            for one in map(rows.alone, range(len(probabilities)))
            if one.probabilities is not None
        ]
        stack = np.stack(each)
        mean: NDArray[np.int32] = (stack.sum(axis=0, dtype=np.int64) // len(each)).astype(np.int32)
        mean[-1] = stack[:, -1].max(axis=0)
        return mean


def tally_rows(tallies: Iterable[SampleTally], legend: Legend) -> dict[int, ScoreRow]:
    """The scores of all samples of some scenes, by the sample's id."""
    rows: dict[int, ScoreRow] = {}
    for tally in tallies:
        certainties = tally.means()
        rows |= {number: score_row(confusion, legend) | certainties[number] for number, confusion in tally.confusions.items()}
    return rows


def score_row(confusion: Confusion, legend: Legend) -> ScoreRow:
    """accuracy, mean_iou, mean_dice, iou_<value> and dice_<value> of each class; None where there is nothing to score."""
    found = pixel_scores(confusion, legend.values, legend.names)
    each = {f"iou_{row['value']}": row["iou"] for row in found["classes"]}
    each |= {f"dice_{row['value']}": row["f1"] for row in found["classes"]}
    return {"accuracy": found["accuracy"], "mean_iou": found["mean_iou"], "mean_dice": found["mean_dice"], **each}


def score_table(rows: Mapping[int, Mapping[str, float | None]], legend: Legend) -> pd.DataFrame:
    """The scores of samples as a table, a row each: those of `score_row`, then loss, entropy, margin, confidence, suspicious.

    0 to 1, the loss in nats; missing where a sample has no judged pixel, or neither labels nor map hold the class there.
    """
    columns = {name: [row.get(name) for row in rows.values()] for name in score_columns(legend)}
    return pd.DataFrame(columns, index=pd.Index(list(rows), dtype="int64"), dtype="float64").sort_index()


def score_columns(legend: Legend) -> list[str]:
    """The columns of a score table."""
    each = [f"{score}_{value}" for score in ("iou", "dice") for value in legend.values]
    return [*SCORES, *each, *CERTAINTIES]


def _figures(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], probabilities: NDArray[np.uint16]) -> NDArray[np.int32]:
    """(5, rows, width) what is summed; 0 where nothing is judged."""
    judged = (truth != IGNORE) & (predicted != IGNORE)
    figures = pixel_figures(probabilities, truth)
    suspicious = (figures[CONFIDENCE] > SURE * ONE) & (truth != predicted)
    found: NDArray[np.int32] = np.concatenate([figures, suspicious[None].astype(np.int32)]) * judged
    return found
