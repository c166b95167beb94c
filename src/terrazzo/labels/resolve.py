"""From the options of [legend] and a survey of the masks to the legend of a data set."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.colors import default_colors, parse_color
from terrazzo.labels.legend import IGNORE, LARGEST_VALUE, Legend, LegendClass
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.sentences import counted, listed, number
from terrazzo.labels.survey import FileValues, ValueCounts

HISTOGRAM_BINS = 8
MOST_CLASSES = 32
"""More different values than this are taken for grey masks, unless a legend names them."""

log = logging.getLogger(__name__)


def resolve_legend(options: LegendOptions, surveys: ValueCounts) -> Legend:
    """Find the legend of a set of masks.

    The classes are those of the options, else the values of the masks. A set of masks with the values 0 and 255 only, for two
    classes, has 255 as class 1; else 255 is left out, unless the options say otherwise. What the masks declare as nodata is left
    out, unless the options name it as a class, or there are no two classes without it.

    Raises RecipeError if the options contradict each other. LabelError if masks hold values outside the legend, grey values
    (compression, anti-aliasing), or nothing but background.
    """
    if options.threshold is not None:
        legend = _threshold_legend(options)
    else:
        counts: Mapping[float, int] = surveys.total
        if options.classes is None and options.values is None:
            counts = _with_nodata(counts, surveys.nodata)
        remap, ignore = _remap(options, counts)
        values = _class_values(options, remap, ignore, counts, surveys)
        legend = Legend(classes=_classes(options, values), remap=remap, ignore=ignore)
        _check_remap(legend)
        _check_outside(legend, surveys)
    _check_presence(legend, surveys)
    _tell_nodata(legend, surveys.nodata)
    return legend


def nodata_is_class(legend: Legend, nodata: float | None) -> bool:
    """Whether the value that a mask declares as nodata is a class of the legend, and so is used in spite of it."""
    return nodata is not None and legend.threshold is None and legend.index(nodata) not in (None, IGNORE)


def _threshold_legend(options: LegendOptions) -> Legend:
    if options.remap:
        raise RecipeError("[legend] has both threshold and remap; a threshold leaves only two classes. Remove one of them.")
    values = options.values or [0, 1]
    if len(values) != 2 or len(options.classes or values) != 2:
        given = counted(len(options.classes or values), "class", "classes")
        raise RecipeError(f"[legend] threshold makes two classes, but there are {given} given. Name two, or none.")
    return Legend(classes=_classes(options, values), threshold=options.threshold, ignore=options.ignore)


def _classes(options: LegendOptions, values: Sequence[int]) -> tuple[LegendClass, ...]:
    """The classes of the options; names and colours fall back to the values and to the default palette."""
    names = options.classes or [str(value) for value in values]
    for what, given in (("values", len(values)), ("colors", len(options.colors or names))):
        if given != len(names):
            raise RecipeError(f"[legend] has {counted(len(names), 'class', 'classes')} and {given} {what}. Give one for each class.")
    for what, entries in (("value", [str(value) for value in values]), ("class", list(names))):
        twice = [entry for entry in dict.fromkeys(entries) if entries.count(entry) > 1]
        if twice:
            raise RecipeError(f"[legend] has the {what} {twice[0]!r} more than once. Every class needs its own name and value.")
    wrong_values = [str(value) for value in values if not 0 <= value <= LARGEST_VALUE]
    if wrong_values:
        raise RecipeError(
            f"[legend] has the class value {listed(wrong_values)}; class values are 0 to {LARGEST_VALUE}. "
            "Map others with remap, such as {255 = 1}."
        )
    if any(not name.strip() for name in names):
        raise RecipeError("[legend] has a class without a name. Give every class a name.")
    try:
        colors = default_colors(len(names)) if options.colors is None else [parse_color(text) for text in options.colors]
    except ValueError as error:
        raise RecipeError(f"[legend] colors: {error}.") from error
    return tuple(LegendClass(value=value, name=name, color=color) for value, name, color in zip(values, names, colors, strict=True))


def _with_nodata(counts: Mapping[float, int], nodata: Mapping[float, int]) -> Mapping[float, int]:
    """Without a legend, nodata stands for a class where no two classes are left without it."""
    if len(set(counts) - {IGNORE}) >= 2:
        return counts
    return {**counts, **nodata}


def _remap(options: LegendOptions, counts: Mapping[float, int]) -> tuple[dict[int, int], int | None]:
    """The remap and the ignore value; 255 becomes class 1 where masks are 0 and 255 and two classes are wanted."""
    if options.ignore is not None and options.ignore in options.remap:
        raise RecipeError(f"[legend] both ignores and remaps the mask value {options.ignore}. Remove it from one of them.")
    left_out = {IGNORE, options.ignore} - {None}
    remap = {raw: IGNORE if value in left_out else value for raw, value in options.remap.items()}
    if options.ignore is not None:
        return remap, options.ignore
    if IGNORE in remap:
        return remap, None
    held = {remap.get(int(raw), raw) for raw in counts}
    two = (
        set(options.values or range(len(options.classes))) == {0, 1}
        if options.classes
        else (options.values is None and held <= {0, IGNORE})
    )
    if two and IGNORE in counts and 1 not in held:
        log.info("Masks hold 0 and 255: 255 is taken as class 1. Set [legend] ignore = 255 to leave these pixels out instead.")
        return {**remap, IGNORE: 1}, None
    return remap, IGNORE


def _class_values(
    options: LegendOptions, remap: Mapping[int, int], ignore: int | None, counts: Mapping[float, int], surveys: ValueCounts
) -> list[int]:
    """The values of the classes: those given, else those that the masks hold after the remap."""
    if options.values is not None:
        return options.values
    if options.classes is not None:
        return list(range(len(options.classes)))
    held = {remap.get(int(raw), raw) if float(raw).is_integer() else raw for raw in counts if raw != ignore and np.isfinite(raw)}
    held -= {IGNORE} if IGNORE in remap.values() else set()
    fractions = any(not float(value).is_integer() for value in held)
    lossy = any(file.lossy for file in surveys.files)
    # 255 counts here: next to values such as 254 it is no ignore value, but white that was compressed
    if fractions or len(held) > MOST_CLASSES or (lossy and len(set(counts) - {options.ignore}) > 2):
        raise _smeared(counts, lossy=lossy)
    outside = sorted(value for value in held if not 0 <= value <= LARGEST_VALUE)
    if outside:
        shown = listed(f"{number(value)} ({counted(counts.get(value, 0), 'pixel')})" for value in outside)
        raise LabelError(
            f"Masks hold {shown}; class values are 0 to {LARGEST_VALUE}. "
            f"Leave one out with [legend] ignore = {number(outside[0])}, or map them with remap, such as {{{number(outside[0])} = 1}}."
        )
    return sorted(int(value) for value in held)


def _check_remap(legend: Legend) -> None:
    unknown = sorted({value for value in legend.remap.values() if value != IGNORE} - set(legend.values))
    if unknown:
        values = listed(map(str, legend.values), 12)
        raise RecipeError(
            f"[legend] remap leads to {listed(map(str, unknown))}; allowed are the class values ({values}) and 255 (left out)."
        )


def _check_outside(legend: Legend, surveys: ValueCounts) -> None:
    """Refuse masks with values that the legend does not know."""
    outside: dict[float, int] = {}
    files: list[FileValues] = []
    for file in surveys.files:
        unknown = {raw: count for raw, count in file.counts.items() if legend.index(raw) is None}
        files += [file] if unknown else []
        for raw, count in unknown.items():
            outside[raw] = outside.get(raw, 0) + count
    if not outside:
        return
    fractions = any(not float(raw).is_integer() for raw in outside)
    if fractions or len(outside) > MOST_CLASSES or any(file.lossy for file in files):
        raise _smeared(surveys.total, lossy=any(file.lossy for file in files))
    shown = listed(f"{number(raw)} ({counted(count, 'pixel')})" for raw, count in sorted(outside.items()))
    first = number(min(outside))
    advice = f"add classes, or set [legend] remap, such as {{{first} = {legend.values[-1]}}}, or ignore = {first}"
    raise LabelError(
        f"Mask values outside the legend: {shown}, in {listed([str(file.path) for file in files], 3)}. "
        f"The legend has {listed(map(str, legend.values), 12)}; {advice}."
    )


def _smeared(counts: Mapping[float, int], *, lossy: bool) -> LabelError:
    """The error for grey masks: a histogram of their values, and the threshold that would make two classes of them."""
    values, pixels = np.array(list(counts), np.float64), np.array(list(counts.values()), np.float64)
    values, pixels = values[np.isfinite(values)], pixels[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    # half of 8 bits where the values are such, for the brightest is often not quite white
    middle = 127.0 if low >= 0 and 128 <= high <= 255 else (low + high) / 2
    why = "smeared by JPEG compression" if lossy else "grey, not class values: resampled, anti-aliased or compressed"
    return LabelError(
        f"The masks look {why}: {len(counts)} different values ({_histogram(values, pixels)}).\n"
        f"For two classes set [legend] threshold = {number(float(np.floor(middle)) if high - low > 4 else round(middle, 3))} "
        "(values above it are class 1); for more classes give masks of class values."
    )


def _histogram(values: NDArray[np.float64], pixels: NDArray[np.float64]) -> str:
    """The share of each value, or of eight ranges where there are more values."""
    if len(values) <= HISTOGRAM_BINS:
        return ", ".join(f"{number(value)}: {share:.1%}" for value, share in zip(values, pixels / pixels.sum(), strict=True))
    edges = np.linspace(values.min(), values.max(), HISTOGRAM_BINS + 1)
    shares = np.histogram(values, edges, weights=pixels)[0] / pixels.sum()
    return ", ".join(f"{edges[step]:.4g} to {edges[step + 1]:.4g}: {share:.1%}" for step, share in enumerate(shares))


def _check_presence(legend: Legend, surveys: ValueCounts) -> None:
    """Refuse masks that hold nothing, or nothing but the first class."""
    present: dict[int, int] = {}
    held = surveys.total
    for raw, count in [*held.items(), *((raw, count) for raw, count in surveys.nodata.items() if nodata_is_class(legend, raw))]:
        index = legend.index(raw)
        if index is not None and index != IGNORE:
            present[index] = present.get(index, 0) + count
    masks = counted(len(surveys.files), "mask")
    if not present:
        shown = listed(map(number, held), 6) or "none"
        raise LabelError(f"All pixels of the {masks} are left out (values: {shown}). Check [legend] ignore and the masks' nodata.")
    if len(legend.classes) < 2 or set(present) == {0}:
        only = legend.classes[min(present)]
        threshold = f" above {number(legend.threshold)}" if legend.threshold is not None else ""
        raise LabelError(
            f"All masks are empty: the {masks} hold only class {only.value} ({only.name}) and no value{threshold} of another class"
            f"{' (255 is left out)' if IGNORE in held and legend.ignore == IGNORE else ''}. Check the labels, or [legend]."
        )
    absent = [entry.name for index, entry in enumerate(legend.classes) if index not in present]
    if absent:
        log.warning("No mask holds the class %s.", listed(absent))


def _tell_nodata(legend: Legend, nodata: Mapping[float, int]) -> None:
    for value, pixels in nodata.items():
        if nodata_is_class(legend, value):
            log.info(
                "Masks declare %s as nodata, but it is a class of the legend and is used. To leave it out: [legend] ignore.", number(value)
            )
        else:
            log.info("Masks declare %s as nodata: %s left out.", number(value), counted(pixels, "pixel"))
