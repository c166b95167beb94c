"""The legend of labels that name their classes by an attribute: polygons, lines, runs, annotations, rules."""

import logging
from collections.abc import Mapping

import numpy as np

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.classes import against_target, check_targets, did_you_mean, full_remap, named_classes, without_unreached
from terrazzo.labels.legend import IGNORE, LARGEST_VALUE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.sentences import counted, listed, number

BACKGROUND = "background"

log = logging.getLogger(__name__)


def resolve_keys(options: LegendOptions, keys: Mapping[str | float, int], what: str) -> Legend:
    """Find the legend of labels that name classes. `Legend.index_of` then gives the class of a key, `Legend.background` that of the rest.

    Without keys there are two classes, 0 background and 1 object, and index_of(1) is the object. Names without [legend] classes are
    1, 2, ... in their order, 0 is the background. Numbers are mask values. What no label covers has the value 0.

    keys: each class that labels name, by name or value, and how many labels name it. what: the labels, in the plural.
    Raises RecipeError if the options contradict each other or do not go with such labels; LabelError if keys are outside the legend,
    or mean nothing but background.
    """
    _check_options(options, what)
    names = {key: count for key, count in keys.items() if isinstance(key, str)}
    numbers = {float(key): count for key, count in keys.items() if not isinstance(key, str) and not np.isnan(key)}
    if names and numbers:
        raise LabelError(f"{what}: classes are given as numbers ({_shown(numbers)}) and as names ({_shown(names)}). Give either.")
    legend = _of_names(options, names, what) if names else _of_numbers(options, numbers, what) if keys else _of_one(options, what)
    if legend.index(0) is None:
        raise RecipeError(
            f"[legend] has no class of the value 0, which is that of pixels without {what}. Add one, or leave them out with ignore = 0."
        )
    legend = against_target(options, legend)
    _check_keys(legend, keys, what)
    return legend


def _check_options(options: LegendOptions, what: str) -> None:
    masks_only = {"threshold": options.threshold is not None, "snap": options.snap, "encoding": options.encoding not in ("auto", "values")}
    given = [name for name, is_given in masks_only.items() if is_given]
    if given:
        raise RecipeError(f"[legend] {given[0]} is for masks and means nothing for {what}. Remove it.")


def _of_one(options: LegendOptions, what: str) -> Legend:
    """Everything that is labelled is one class."""
    named = options if options.classes else options.model_copy(update={"classes": [BACKGROUND, "object"]})
    values = options.values or [0, 1]
    if len(named.classes or ()) != 2 or len(values) != 2:
        raise RecipeError(
            f"[legend] has {counted(len(options.classes or values), 'class', 'classes')}, but nothing says which {what} are of which. "
            "Name their attribute with [labels] attribute, or give two classes."
        )
    if options.remap:
        raise RecipeError(f"[legend] remap has no values to map: {what} are all of one class. Remove it.")
    remap = {code: value for code, value in enumerate(values) if code != value}
    return without_unreached(Legend(classes=named_classes(named, values), remap=remap, ignore=options.ignore), values)


def _of_names(options: LegendOptions, names: Mapping[str, int], what: str) -> Legend:
    if any(not name.strip() for name in names):
        raise LabelError(
            f"{what}: {sum(count for name, count in names.items() if not name.strip())} have an empty class. Give each a class."
        )
    if options.classes is None and all(name.isascii() and name.isdecimal() for name in names):
        return _of_numbers(options, {float(name): count for name, count in names.items()}, what)
    if options.classes is not None:
        return _given(options, {}, what)
    if options.values is not None:
        raise RecipeError("[legend] has values and no classes. Name the classes that the values are of, in their order.")
    zero = next((name for name in names if name.casefold() == BACKGROUND), BACKGROUND)
    classes = [zero, *sorted(set(names) - {zero})]
    if len(classes) > LARGEST_VALUE + 1:
        raise LabelError(
            f"{what} name {len(names)} different classes ({_shown(names)}); at most {LARGEST_VALUE} are possible. "
            "Is it the right attribute? Name the classes that are wanted in [legend] classes."
        )
    log.info("The classes of %s, by name: %s.", what, listed((f"{value} {name}" for value, name in enumerate(classes)), 12))
    return _given(options.model_copy(update={"classes": classes}), {}, what)


def _of_numbers(options: LegendOptions, numbers: Mapping[float, int], what: str) -> Legend:
    """Numbers are read as mask values are; 0 is always there."""
    if options.classes is None and options.values is None:
        ignore, remap = options.ignore, options.remap
        held = {float(remap.get(int(raw), raw)) if raw.is_integer() else raw for raw in numbers if raw != ignore}
        wrong = {raw: numbers.get(raw, 0) for raw in sorted(held) if raw != IGNORE and not (raw.is_integer() and 0 <= raw <= LARGEST_VALUE)}
        if wrong:
            raise LabelError(
                f"{what} have the class values {_shown(wrong)}; class values are whole numbers from 0 to {LARGEST_VALUE}. "
                "Map others with [legend] remap, or take another attribute."
            )
    return _given(options, numbers, what)


def _given(options: LegendOptions, numbers: Mapping[float, int], what: str) -> Legend:
    remap, ignore = full_remap(options, {0.0, *numbers})
    held = {remap.get(int(raw), int(raw)) for raw in (0.0, *numbers) if raw != ignore and float(raw).is_integer()} - {IGNORE}
    values = options.values or (range(len(options.classes)) if options.classes is not None else sorted(held))
    check_targets(remap, values)
    if options.classes is None and options.values is None and len(values) < 2:
        raise LabelError(
            f"All {what} have the value {_shown(numbers)}: with the pixels that none covers, this is one class, and a map needs two. "
            "Check the attribute, or [legend] remap and ignore."
        )
    return without_unreached(Legend(classes=named_classes(options, values), remap=remap, ignore=ignore), values)


def _check_keys(legend: Legend, keys: Mapping[str | float, int], what: str) -> None:
    """Refuse keys that are no class, and labels that are all background."""
    indices = {key: legend.index_of(key) for key in keys}
    unknown = {key: keys[key] for key, index in indices.items() if index is None}
    if unknown:
        guess = next((text for key in unknown if isinstance(key, str) and (text := did_you_mean(key, legend.names))), "")
        raise LabelError(
            f"{what} have classes outside the legend: {_shown(unknown)}. The legend has {listed(_classes(legend), 12)}.{guess} "
            "Name them in [legend] classes, or map numbers with remap."
        )
    present = set(indices.values()) - {IGNORE}
    if keys and present <= {legend.background}:
        raise LabelError(
            f"All {what} are of the background or left out ({_shown(keys)}), so no class is labelled. Check [legend] and the labels."
        )
    absent = [entry.name for index, entry in enumerate(legend.classes) if keys and index not in present | {legend.background}]
    if absent:
        log.warning("No %s have the class %s.", what, listed(absent))


def _classes(legend: Legend) -> list[str]:
    return [entry.name if entry.name == str(entry.value) else f"{entry.name} ({entry.value})" for entry in legend.classes]


def _shown(keys: Mapping[str, int] | Mapping[float, int] | Mapping[str | float, int]) -> str:
    """Keys and how often there are, the most frequent first."""
    frequent = sorted(keys.items(), key=lambda entry: -entry[1])
    return listed(f"{key!r} ({count})" if isinstance(key, str) else f"{number(key)} ({count})" for key, count in frequent)
