"""How far the models of several runs disagree on samples: no labels are needed for that."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from terrazzo.errors import LabelError
from terrazzo.evaluation.where.certainty import ONE
from terrazzo.prediction.stream import Predictor
from terrazzo.rasters.window import Window
from terrazzo.samples.rows import Sample, rows_by_scene
from terrazzo.samples.table import Samples
from terrazzo.workflows.context import Context
from terrazzo.workflows.where.finished import FinishedRun, Said, in_step, predictor_of, said_of


def disagreement(runs: Sequence[FinishedRun], samples: Samples, context: Context) -> "pd.Series[float]":
    """The mean difference of the probabilities of each two runs, 0 to 1, by sample: half the sum over classes, mean over pixels and pairs;
    of classes that overlap the mean over them.

    runs: at least two; the images are those of the first. samples: of the first run. A sample that not all of them predict has no value.
    Raises LabelError if their classes differ, DataError if one takes images of another number of bands.
    """
    predictors = [predictor_of(run, context) for run in runs]
    _check_classes(runs, predictors)
    sums = dict.fromkeys(samples.frame.index.to_list(), 0)
    pixels = dict.fromkeys(sums, 0)
    by_scene = rows_by_scene(samples)
    with context.progress.task("compare models", len(by_scene), "scenes") as advance:
        for scene, members in by_scene.items():
            streams = [said_of(runs[0], scene, predictor, members, lambda _: None) for predictor in predictors]
            for rows in in_step(streams):
                _add(rows, members, sums, pixels)
            advance(1)
    legend = samples.legend
    # probabilities of classes that exclude each other differ twice: what one has more, others have less
    pairs = len(runs) * (len(runs) - 1) // 2
    whole = (len(legend.classes) if legend.overlapping else 2) * ONE * pairs
    return pd.Series({number: total / (whole * pixels[number]) if pixels[number] else np.nan for number, total in sums.items()})


def _add(rows: Sequence[Said], members: Sequence[Sample], sums: dict[int, int], pixels: dict[int, int]) -> None:
    shape = rows[0].probabilities.shape
    band = Window(col_off=0, row_off=rows[0].row_off, width=shape[2], height=shape[1])
    inner = {sample.id: found for sample in members if (found := sample.window.intersection(band)) is not None}
    if not inner:
        return
    known = np.logical_and.reduce([each.probabilities.any(axis=0) for each in rows])
    apart = np.zeros(known.shape, np.int64)
    for one, other in combinations(rows, 2):
        apart += np.abs(one.probabilities.astype(np.int32) - other.probabilities).sum(axis=0)
    apart[~known] = 0
    for number, window in inner.items():
        at = window.inside(band)
        sums[number] += int(apart[at].sum())
        pixels[number] += int(np.count_nonzero(known[at]))


def _check_classes(runs: Sequence[FinishedRun], predictors: Sequence[Predictor]) -> None:
    first = predictors[0].bundle.legend.values
    overlapping = predictors[0].bundle.legend.overlapping
    for run, predictor in zip(runs, predictors, strict=True):
        if predictor.bundle.legend.values != first or predictor.bundle.legend.overlapping != overlapping:
            raise LabelError(
                f"{run.folder.path} knows the classes {list(predictor.bundle.legend.values)}, {runs[0].folder.path} {list(first)}. "
                "Give runs of the same classes."
            )
