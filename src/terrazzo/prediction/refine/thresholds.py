"""[prediction] threshold: from which probability on a class is taken, by the name of each class that has one."""

from collections.abc import Collection, Mapping
from typing import Literal

from terrazzo.errors import RecipeError
from terrazzo.evaluation.thresholds import BestThresholds
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed
from terrazzo.prediction.options import FoundThreshold, PredictionOptions

BEST: Mapping[FoundThreshold, Literal["f1", "f2"]] = {"best": "f1", "best_f2": "f2"}


def thresholds_of(options: PredictionOptions, legend: Legend, best: Mapping[str, BestThresholds]) -> dict[str, float | Literal["otsu"]]:
    """The threshold of each class that has one, by its name; Otsu's are found in the probabilities of an image.

    best: as the model knows them. Raises RecipeError if the options do not suit the legend or the model.
    """
    found: dict[str, float | Literal["otsu"]] = {}
    for name, asked in asked_thresholds(options, legend, best).items():
        if asked == "otsu" or not isinstance(asked, str):
            found[name] = asked
        else:
            found[name] = best[name][BEST[asked]]
    return found


def asked_thresholds(options: PredictionOptions, legend: Legend, known: Collection[str]) -> Mapping[str, float | FoundThreshold]:
    """What is asked of each class that is to have a threshold, by its name.

    A single one is that of the second of two classes, or of each of classes that overlap; the best ones are those of every class that is
    known but the background.

    known: the classes that the validation part of the training holds.
    Raises RecipeError if it does not suit the legend, or the best one is asked of a class that is not known.
    """
    asked, names = options.threshold, legend.names
    if asked is None:
        return {}
    if not isinstance(asked, dict):
        asked = _of_classes(asked, legend, known)
    if strange := [name for name in asked if name not in names]:
        raise RecipeError(f"prediction.threshold names {listed(strange)}; the classes are {listed(names, 12)}.")
    for name, each in asked.items():
        if each in BEST and name not in known:
            raise RecipeError(
                f"prediction.threshold asks for the best one of '{name}', which no pixel of the validation part was. "
                f"Give a number, such as {{{name} = 0.5}}, or train with a validation part that holds the class."
            )
    return asked


def _of_classes(asked: float | FoundThreshold, legend: Legend, known: Collection[str]) -> dict[str, float | FoundThreshold]:
    """By class what is asked of all."""
    names = legend.names
    if legend.overlapping:
        return {name: asked for name in names if asked not in BEST or name in known} or {names[-1]: asked}
    if len(names) == 2:
        return {names[1]: asked}
    if asked in BEST:
        return {name: asked for index, name in enumerate(names) if index != legend.background and name in known} or {names[-1]: asked}
    shown = f"'{asked}'" if isinstance(asked, str) else asked
    raise RecipeError(
        f"prediction.threshold = {shown} is for two classes; the legend has {len(names)}. "
        f"Name the class that it is of: {{{names[-1]} = {shown}}}."
    )
