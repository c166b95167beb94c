"""Models whose probabilities are averaged: they speak of the same classes, and read images alike."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from terrazzo.errors import ModelError, RecipeError
from terrazzo.labels.legend import Legend
from terrazzo.models.bundle import Bundle, load_bundle
from terrazzo.prediction.options import PredictionOptions
from terrazzo.prediction.refine.thresholds import BEST
from terrazzo.prediction.resolution import models_differ
from terrazzo.rasters.options import DataOptions

EACH_ITS_OWN = {"scaling", "cache_mb", "picture_mpx"}
"""Options of [data] in which models may differ: each scales for itself what was read, and the others change no pixel."""

Difference = tuple[str, Sequence[object]]
"""What is not alike, and what it is of each of two models."""


def load_models(paths: Sequence[Path]) -> list[Bundle]:
    """The models in folders or runs, one at least. What prediction obeys besides their networks and scalings is of the first.

    Raises RecipeError if there is none at a path, ModelError if one is broken, or cannot be averaged with the first.
    """
    bundles = [load_bundle(path) for path in paths]
    for path, bundle in zip(paths[1:], bundles[1:], strict=True):
        found = next(_differences(bundle, bundles[0]), None)
        if found is not None:
            what, each = found
            raise ModelError(
                f"{path} and {paths[0]} cannot be averaged: their {what} differ, {each[0]} and {each[1]}. "
                "Average models of the same classes that read images alike."
            )
    return bundles


def check_thresholds(options: PredictionOptions, bundles: Sequence[Bundle]) -> None:
    """Raise RecipeError if the best thresholds are asked for and the models know different ones: their mean has none of its own."""
    asked = options.threshold.values() if isinstance(options.threshold, dict) else [options.threshold]
    best = next((each for each in asked if each in BEST), None)
    if best is not None and any(bundle.card.thresholds != bundles[0].card.thresholds for bundle in bundles):
        raise RecipeError(f"prediction.threshold = '{best}' is what each model found alone; the mean of several has none. Give a number.")


def _differences(one: Bundle, other: Bundle) -> Iterator[Difference]:
    """What keeps two models from being averaged."""
    yield from _of_classes(one.legend, other.legend)
    if one.card.bands != other.card.bands:
        yield "numbers of bands", (one.card.bands, other.card.bands)
    for name in DataOptions.model_fields:
        # as text: there, what is no number equals itself
        values = [str(getattr(bundle.card.reading, name)) for bundle in (one, other)]
        if name not in EACH_ITS_OWN and values[0] != values[1]:
            yield f"[data] {name}", values
    if one.card.reading.resize is None and models_differ(one.card, other.card):
        yield "cell sizes", [" x ".join(f"{side:g}" for side in each.card.cell_size or ()) for each in (one, other)]


def _of_classes(one: Legend, other: Legend) -> Iterator[Difference]:
    """What is not alike of their classes: of several that are not, the first."""
    if len(one.classes) != len(other.classes):
        yield "numbers of classes", (len(one.classes), len(other.classes))
    for own, its in zip(one.classes, other.classes, strict=False):
        if (own.value, own.name) != (its.value, its.name):
            yield "classes", [f"'{each.name}' of value {each.value}" for each in (own, its)]
    if one.overlapping != other.overlapping:
        yield "classes", ["overlapping" if legend.overlapping else "exclusive" for legend in (one, other)]
