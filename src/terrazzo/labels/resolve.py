"""From the options of [legend] and a survey of the masks to the legend of a data set."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.advice import MOST_CLASSES, colors_wanted, smeared_values, unknown_colors
from terrazzo.labels.classes import (
    against_target,
    check_targets,
    checked_remap,
    full_remap,
    given_colors,
    named_classes,
    without_unreached,
)
from terrazzo.labels.colors import parse_color
from terrazzo.labels.forms import FileValues, ValueCounts
from terrazzo.labels.keys import resolve_keys
from terrazzo.labels.legend import IGNORE, LARGEST_VALUE, NOWHERE, Legend, LegendClass
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import NO_BAND, Encoding, raw_of_color, shown
from terrazzo.labels.sentences import counted, listed, number

__all__ = ["nodata_is_class", "resolve_keys", "resolve_legend"]

log = logging.getLogger(__name__)


def resolve_legend(options: LegendOptions, surveys: ValueCounts, *, to_learn: bool = True) -> Legend:
    """Find the legend of a set of masks.

    The classes are those of the options, else the values of the masks. A set of masks with the values 0 and 255 only, for two
    classes, has 255 as class 1; else 255 is left out, unless the options say otherwise. What the masks declare as nodata is left
    out, unless the options name it as a class, or there are no two classes without it. Of colours and of bands, each is one class;
    remap and ignore then take the classes' values.

    to_learn: masks without anything but the first class are refused; to judge a map they will do.

    Raises RecipeError if the options contradict each other. LabelError if masks hold values outside the legend, grey values
    (compression, anti-aliasing), colours without a legend, or nothing but background.
    """
    legend = against_target(options, _legend(options, surveys))
    _check_outside(legend, surveys)
    _check_presence(legend, surveys, to_learn=to_learn)
    _tell_nodata(legend, surveys.nodata)
    if options.ignore is None and legend.ignore is not None and (ignored := surveys.total.get(legend.ignore)):
        log.info("Masks hold %d: %s left out. Make it a class with [legend] remap.", legend.ignore, counted(ignored, "pixel"))
    return legend


def nodata_is_class(legend: Legend, nodata: float | None) -> bool:
    """Whether the raw value that a mask declares as nodata is a class of the legend, and so is used in spite of it."""
    return nodata is not None and legend.knows(nodata)


def _legend(options: LegendOptions, surveys: ValueCounts) -> Legend:
    _check_encoding(options, surveys.encoding)
    if surveys.encoding == "colors":
        return _color_legend(options, surveys)
    if surveys.encoding == "onehot":
        return _band_legend(options, surveys)
    if surveys.encoding == "instances":
        return _object_legend(options)
    return _threshold_legend(options) if options.threshold is not None else _value_legend(options, surveys)


def _check_encoding(options: LegendOptions, encoding: Encoding) -> None:
    """Refuse options that mean nothing for what the masks hold."""
    hold = {"colors": "colours", "onehot": "a band a class", "instances": "object numbers"}.get(encoding)
    if options.threshold is not None and (hold or options.snap):
        against = f"these hold {hold}" if hold else "with snap all values are known"
        raise RecipeError(f"[legend] threshold is for masks of grey values; {against}. Remove one of them.")
    if options.snap and encoding in ("onehot", "instances"):
        raise RecipeError(f"[legend] snap is for values and colours; these masks hold {hold}. Remove it.")
    if encoding == "instances" and options.remap:
        raise RecipeError(
            "[legend] remap is for class values; these masks hold object numbers. Leave one out with ignore, or remove remap."
        )


def _value_legend(options: LegendOptions, surveys: ValueCounts) -> Legend:
    counts: Mapping[float, int] = surveys.total
    if options.classes is None and options.values is None:
        if options.snap and not options.remap:
            raise smeared_values(counts, lossy=any(file.lossy for file in surveys.files), snap=True)
        counts = _with_nodata(counts, surveys.nodata)
    remap, ignore = full_remap(options, counts)
    values = _class_values(options, remap, ignore, counts, surveys)
    legend = Legend(classes=named_classes(options, values), remap=remap, ignore=ignore, snap=options.snap)
    check_targets(remap, values)
    return without_unreached(legend, values)


def _threshold_legend(options: LegendOptions) -> Legend:
    if options.remap:
        raise RecipeError("[legend] has both threshold and remap; a threshold leaves only two classes. Remove one of them.")
    return Legend(classes=_two_classes(options, "threshold makes"), threshold=options.threshold, ignore=options.ignore)


def _object_legend(options: LegendOptions) -> Legend:
    named = options if options.classes else options.model_copy(update={"classes": ["background", "object"]})
    classes = _two_classes(named, "encoding = 'instances' makes")
    remap = {code: entry.value for code, entry in enumerate(classes)}
    return Legend(classes=classes, remap=remap, ignore=options.ignore, encoding="instances")


def _two_classes(options: LegendOptions, what: str) -> tuple[LegendClass, ...]:
    values = options.values or [0, 1]
    if len(values) != 2 or len(options.classes or values) != 2:
        given = counted(len(options.classes or values), "class", "classes")
        raise RecipeError(f"[legend] {what} two classes, but there are {given} given. Name two, or none.")
    return named_classes(options, values)


def _color_legend(options: LegendOptions, surveys: ValueCounts) -> Legend:
    colors = given_colors(options)
    if colors is None:
        raise colors_wanted(surveys.total, options)
    classes = named_classes(options, options.values or range(len(options.classes or colors)))
    twice = [color for color in options.colors or () if colors.count(parse_color(color)) > 1]
    if twice:
        raise RecipeError(f"[legend] has the colour {twice[0]!r} more than once; masks of colours need one for each class.")
    return _coded_legend(options, classes, [raw_of_color(color) for color in colors], "colors")


def _band_legend(options: LegendOptions, surveys: ValueCounts) -> Legend:
    bands = surveys.files[0].bands
    if len(options.classes or options.values or range(bands)) != bands:
        given = counted(len(options.classes or options.values or ()), "class", "classes")
        raise LabelError(
            f"The masks have {bands} bands, one for each class, the legend has {given}. "
            "Name a class for each band; those that are not wanted can go to others by remap, such as {2 = 0}."
        )
    return _coded_legend(options, named_classes(options, options.values or range(bands)), range(bands), "onehot")


def _coded_legend(options: LegendOptions, classes: tuple[LegendClass, ...], raws: Sequence[int], encoding: Encoding) -> Legend:
    """The legend of masks whose raw values are no class values: each class has one, and remap and ignore take class values."""
    values = [entry.value for entry in classes]
    remap = checked_remap(options)
    check_targets(remap, values)
    if options.ignore is not None:
        remap[options.ignore] = IGNORE
    codes = {raw: remap.get(value, value) for raw, value in zip(raws, values, strict=True)}
    if encoding == "onehot" and NO_BAND in remap:
        codes[NO_BAND] = remap[NO_BAND]
    return without_unreached(Legend(classes=classes, remap=codes, ignore=None, snap=options.snap, encoding=encoding), raws)


def _with_nodata(counts: Mapping[float, int], nodata: Mapping[float, int]) -> Mapping[float, int]:
    """Without a legend, nodata stands for a class where no two classes are left without it."""
    if len(set(counts) - {IGNORE}) >= 2:
        return counts
    return {**counts, **nodata}


def _class_values(
    options: LegendOptions, remap: Mapping[int, int], ignore: int | None, counts: Mapping[float, int], surveys: ValueCounts
) -> list[int]:
    """The values of the classes: those given, else those that the masks hold after the remap."""
    if options.values is not None:
        return options.values
    if options.classes is not None:
        return list(range(len(options.classes)))
    if options.snap:
        return sorted(({*remap.values()} - {IGNORE}) | ({0} - {*remap}))
    held = {remap.get(int(raw), raw) if float(raw).is_integer() else raw for raw in counts if raw != ignore and np.isfinite(raw)}
    held -= {IGNORE} if IGNORE in remap.values() else set()
    fractions = any(not float(value).is_integer() for value in held)
    lossy = any(file.lossy for file in surveys.files)
    # 255 counts here: next to values such as 254 it is no ignore value, but white that was compressed
    if fractions or len(held) > MOST_CLASSES or (lossy and len(set(counts) - {options.ignore}) > 2):
        raise smeared_values(counts, lossy=lossy)
    outside = sorted(value for value in held if not 0 <= value <= LARGEST_VALUE)
    if outside:
        shown_values = listed(f"{number(value)} ({counted(counts.get(value, 0), 'pixel')})" for value in outside)
        raise LabelError(
            f"Masks hold {shown_values}; class values are 0 to {LARGEST_VALUE}. "
            f"Leave one out with [legend] ignore = {number(outside[0])}, or map them with remap, such as {{{number(outside[0])} = 1}}."
        )
    return sorted(int(value) for value in held)


def _check_outside(legend: Legend, surveys: ValueCounts) -> None:
    """Refuse masks with values that the legend does not know."""
    outside: dict[float, int] = {}
    files: list[FileValues] = []
    for file in surveys.files:
        indices = legend.indices(np.array(list(file.counts)))
        unknown = {raw: count for (raw, count), index in zip(file.counts.items(), indices, strict=True) if index == NOWHERE}
        files += [file] if unknown else []
        for raw, count in unknown.items():
            outside[raw] = outside.get(raw, 0) + count
    if outside:
        raise _outside(legend, outside, files, surveys)


def _outside(legend: Legend, outside: Mapping[float, int], files: Sequence[FileValues], surveys: ValueCounts) -> LabelError:
    lossy, paths = any(file.lossy for file in files), [file.path for file in files]
    if legend.encoding == "colors":
        return unknown_colors(outside, paths, lossy=lossy)
    fractions = any(not float(raw).is_integer() for raw in outside)
    if legend.encoding == "values" and (fractions or len(outside) > MOST_CLASSES or lossy):
        return smeared_values(surveys.total, lossy=lossy)
    values = listed(f"{shown(raw, legend.encoding)} ({counted(count, 'pixel')})" for raw, count in sorted(outside.items()))
    first = number(min(outside))
    advice = {
        "values": f"add classes, or set [legend] remap, such as {{{first} = {legend.values[-1]}}}, or ignore = {first}",
        "onehot": f"give pixels without a band a class by [legend] remap = {{-1 = {legend.values[0]}}}, or leave them out by ignore = -1",
        "instances": f"objects have whole numbers above 0; leave others out with [legend] ignore = {first}",
    }[legend.encoding]
    return LabelError(
        f"Mask values outside the legend: {values}, in {listed([str(path) for path in paths], 3)}. "
        f"The legend has {listed(map(str, legend.values), 12)}; {advice}."
    )


def _check_presence(legend: Legend, surveys: ValueCounts, *, to_learn: bool) -> None:
    """Refuse masks that hold nothing, or, to learn from, nothing but the first class."""
    present: dict[int, int] = {}
    held = surveys.total
    used = {**held, **{raw: held.get(raw, 0) + count for raw, count in surveys.nodata.items() if nodata_is_class(legend, raw)}}
    for count, index in zip(used.values(), legend.indices(np.array(list(used))).tolist(), strict=True):
        if index not in (NOWHERE, IGNORE):
            present[index] = present.get(index, 0) + count
    many = len(surveys.files) > 1
    masks = counted(len(surveys.files), "mask")
    if not present:
        values = listed((shown(raw, legend.encoding) for raw in held), 6) or "none"
        raise LabelError(f"All pixels of the {masks} are left out (values: {values}). Check [legend] ignore and the masks' nodata.")
    if len(legend.classes) < 2 or (to_learn and set(present) == {0}):
        only = legend.classes[min(present)]
        threshold = f" above {number(legend.threshold)}" if legend.threshold is not None else ""
        raise LabelError(
            f"All masks are empty: the {masks if many else 'mask'} {'hold' if many else 'holds'} only class {only.value} ({only.name}) "
            f"and no value{threshold} of another class"
            f"{' (255 is left out)' if IGNORE in held and legend.ignore == IGNORE else ''}. Check the labels, or [legend]."
        )
    absent = [entry.name for index, entry in enumerate(legend.classes) if index not in present]
    if absent:
        log.warning("No mask holds the class %s.", listed(absent))


def _tell_nodata(legend: Legend, nodata: Mapping[float, int]) -> None:
    for value, pixels in nodata.items():
        if nodata_is_class(legend, value):
            log.info(
                "Masks declare %s as nodata, but it is a class of the legend and is used. To leave it out: [legend] ignore.",
                shown(value, legend.encoding),
            )
        else:
            log.info("Masks declare %s as nodata: %s left out.", shown(value, legend.encoding), counted(pixels, "pixel"))
