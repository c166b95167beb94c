"""From the options of [legend] to classes: their names, values and colours, and what remap, ignore and target make of them."""

import difflib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from terrazzo.errors import RecipeError
from terrazzo.labels.colors import Color, default_colors, parse_color
from terrazzo.labels.legend import IGNORE, LARGEST_VALUE, Legend, LegendClass
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.sentences import counted, listed

log = logging.getLogger(__name__)


def given_colors(options: LegendOptions) -> list[Color] | None:
    """The colours of the options, None if there are none. Raises RecipeError if one cannot be read."""
    try:
        return None if options.colors is None else [parse_color(text) for text in options.colors]
    except ValueError as error:
        raise RecipeError(f"[legend] colors: {error}.") from error


def named_classes(options: LegendOptions, values: Sequence[int]) -> tuple[LegendClass, ...]:
    """Classes of some values; names and colours that the options do not give are the values and the default palette.

    Raises RecipeError if the options contradict each other.
    """
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
    colors = given_colors(options) or default_colors(len(names))
    return tuple(LegendClass(value=value, name=name, color=color) for value, name, color in zip(values, names, colors, strict=True))


def full_remap(options: LegendOptions, held: Collection[float]) -> tuple[dict[int, int], int | None]:
    """The remap and the ignore value; 255 becomes class 1 where labels are 0 and 255 and two classes are wanted.

    held: the raw values of the labels. Raises RecipeError if the options contradict each other.
    """
    remap = checked_remap(options)
    if options.ignore is not None:
        return remap, options.ignore
    if IGNORE in remap:
        return remap, None
    if _white_is_one(options, remap, held):
        log.info("Labels hold 0 and 255: 255 is taken as class 1. Set [legend] ignore = 255 to leave these pixels out instead.")
        return {**remap, IGNORE: 1}, None
    return remap, IGNORE


def checked_remap(options: LegendOptions) -> dict[int, int]:
    """The remap, 255 for everything that is left out. Raises RecipeError if a value is both ignored and remapped."""
    if options.ignore is not None and options.ignore in options.remap:
        raise RecipeError(f"[legend] both ignores and remaps the mask value {options.ignore}. Remove it from one of them.")
    left_out = {IGNORE, options.ignore} - {None}
    return {raw: IGNORE if value in left_out else value for raw, value in options.remap.items()}


def check_targets(remap: Mapping[int, int], values: Collection[int]) -> None:
    """Raise RecipeError if a remap leads to what is no class value."""
    unknown = sorted({value for value in remap.values() if value != IGNORE} - set(values))
    if unknown:
        known = listed(map(str, values), 12)
        raise RecipeError(
            f"[legend] remap leads to {listed(map(str, unknown))}; allowed are the class values ({known}) and 255 (left out)."
        )


def without_unreached(legend: Legend, raws: Sequence[int]) -> Legend:
    """Drop classes that remap or ignore leave nothing to; their names go where their pixels go.

    raws: the raw value of each class. Raises RecipeError if fewer than two classes are left.
    """
    reached = legend.reached
    dropped = [entry.name for index, entry in enumerate(legend.classes) if index not in reached]
    if not dropped:
        return legend
    left = tuple(entry for index, entry in enumerate(legend.classes) if index in reached)
    if len(left) < 2:
        kept = listed(entry.name for entry in left) or "none"
        raise RecipeError(f"[legend] remap and ignore leave fewer than two classes: {kept}. A map needs two.")
    log.info("[legend] remap and ignore leave nothing to the class %s: it is dropped.", listed(dropped))
    places = {name: legend.index(raw) for name, raw in zip(legend.names, raws, strict=True) if name in dropped}
    aliases = {name: IGNORE if index == IGNORE else legend.values[index] for name, index in places.items() if index is not None}
    return replace(legend, classes=left, aliases={**legend.aliases, **aliases})


def against_target(options: LegendOptions, legend: Legend) -> Legend:
    """The legend of one class against the rest if the options want one, else the legend itself.

    Raises RecipeError if no class has the name.
    """
    if options.target is None:
        return legend
    if options.target not in legend.names:
        known = listed(map(repr, legend.names), 12)
        raise RecipeError(f"[legend] target is {options.target!r}; classes are {known}.{did_you_mean(options.target, legend.names)}")
    return legend.against_rest(options.target)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question about the nearest known name, with a space before it; nothing if none is near."""
    folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""


def _white_is_one(options: LegendOptions, remap: Mapping[int, int], held: Collection[float]) -> bool:
    """Whether two classes are wanted, and labels hold 255 and no 1."""
    if options.snap:
        # smeared values may be 1; what counts is that they reach beyond half of 255
        two = len(options.classes or ()) == 2 and set(options.values or (0, 1)) == {0, 1}
        return two and not remap and IGNORE // 2 < max(held, default=0) <= IGNORE
    after = {remap.get(int(raw), raw) for raw in held}
    if options.classes is None:
        two = options.values is None and after <= {0, IGNORE}
    else:
        two = set(options.values or range(len(options.classes))) == {0, 1}
    return two and IGNORE in held and 1 not in after
