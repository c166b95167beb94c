"""Evaluations with every part, made from pixels as the workflows make them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from terrazzo.evaluation.objects.rule import rule_of
from terrazzo.evaluation.options import EvaluationOptions
from terrazzo.evaluation.tally.collection import SetTally
from terrazzo.evaluation.tally.rows import Rows
from terrazzo.evaluation.tally.scene import SceneTally
from terrazzo.labels.legend import Legend, LegendClass
from terrazzo.workflows.all_scores import all_scores

SHAPE = (24, 32)


def legend(*names: str) -> Legend:
    return Legend(classes=tuple(LegendClass(value=value, name=name, color=(value * 40, 90, 0)) for value, name in enumerate(names)))


def evaluation(names: Sequence[str] = ("sea", "land", "ice"), scenes: int = 6, errors: float = 0.2, **more: Any) -> dict[str, Any]:
    """What evaluation.json of some scenes holds: squares of classes with errors in their pixels, and objects of the second class."""
    options = EvaluationOptions(resamples=100, objects=names[1])
    classes, tally = legend(*names), SetTally(len(names), rule_of(options, legend(*names)))
    rng = np.random.default_rng(3)
    for scene in range(scenes):
        truth = np.zeros(SHAPE, np.uint8)
        for number in range(1, len(names)):
            top, left = int(rng.integers(0, 12)), int(rng.integers(0, 20))
            truth[top : top + 9, left : left + 9] = number
        wrong = rng.random(SHAPE) < errors
        predicted = np.where(wrong, rng.integers(0, len(names), SHAPE), truth).astype(np.uint8)
        sure = np.full((len(names), *SHAPE), 0.2 / (len(names) - 1))
        np.put_along_axis(sure, predicted[None].astype(np.intp), 0.8, axis=0)
        counted = SceneTally(len(names), options, SHAPE, tally.objects.rule if tally.objects else None)
        counted.add(Rows(row_off=0, truth=truth, predicted=predicted, probabilities=(sure * 65535).astype(np.uint16)))
        tally.add(f"scene {scene}", counted.finish())
    found = all_scores(tally, classes, options, [])
    return {**found, "images": scenes, "valid_pixels": tally.total.confusion.pixels, "part": "test", **more}
