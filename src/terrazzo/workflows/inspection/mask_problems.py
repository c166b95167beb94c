"""What is wrong with masks as labels, each by itself."""

import math
from collections.abc import Iterator, Mapping

from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import IGNORE, LARGEST_VALUE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.sentences import counted, listed, number
from terrazzo.workflows.inspection.problem import Problem
from terrazzo.workflows.inspection.raster_facts import RasterFacts
from terrazzo.workflows.inspection.sentences import percent

MASK_FORMS = ("grey-mask", "colour-mask", "object-numbers", "class-values")
"""Kinds of problems that those who read labels say better of all masks together."""


def mask_problems(facts: RasterFacts) -> Iterator[Problem]:
    """What is wrong with a raster that looks like a mask."""
    if facts.kind == "grey mask" or (facts.kind == "classes" and _is_lossy(facts) and len(facts.values or ()) > 2):
        yield _grey(facts)
    elif facts.kind == "colour mask":
        yield _colors(facts)
    elif facts.kind == "objects":
        yield object_numbers()
    elif facts.kind == "classes":
        yield from _values(facts)


def object_numbers() -> Problem:
    """That masks hold a number for each object."""
    return Problem(
        kind="object-numbers",
        what="A number for each object, it seems, not class values",
        advice='As labels, set [legend] encoding = "instances".',
    )


def left_out(counts: Mapping[float, int], legend: Legend | None, options: LegendOptions) -> Problem | None:
    """That 255 is left out of masks though nobody said so: it may be a class.

    counts: of the masks, raw value to pixels.
    """
    pixels = counts.get(IGNORE, 0)
    if legend is None or legend.ignore != IGNORE or options.ignore is not None or not pixels:
        return None
    return Problem(
        kind="left-out",
        what="Pixels of 255 count as not labelled",
        advice="If that is right, say so with [legend] ignore = 255; "
        f"if they are a class, map them, such as remap = {{255 = {_free(legend)}}}.",
        figure=f"{percent(pixels / sum(counts.values()))} of the pixels",
    )


def _free(legend: Legend) -> int:
    """The lowest value that is no class yet."""
    return next(value for value in range(LARGEST_VALUE + 1) if value not in legend.values)


def _grey(facts: RasterFacts) -> Problem:
    low, high = facts.bands[0].low or 0.0, facts.bands[0].high or 0.0
    middle = 127 if high >= 128 else math.floor((low + high) / 2)
    return Problem(
        kind="grey-mask",
        what=f"A black and white mask with greys between, {'smeared by JPEG' if _is_lossy(facts) else 'resampled or anti-aliased'}",
        advice=f"As labels, set [legend] threshold = {middle}: values above it are class 1.",
    )


def _colors(facts: RasterFacts) -> Problem:
    colors = [hex_color(color) for color in facts.content.colors or ()]
    names = ", ".join(f'"class {place}"' for place in range(len(colors)))
    quoted = ", ".join(f'"{color}"' for color in colors)
    return Problem(
        kind="colour-mask",
        what=f"{counted(len(colors), 'colour')} only: this looks like a mask in colours",
        advice=f"As labels, name the classes of the colours: [legend] classes = [{names}], colors = [{quoted}].",
    )


def _values(facts: RasterFacts) -> Iterator[Problem]:
    outside = [value for value in facts.values or () if not 0 <= value <= IGNORE]
    if outside and not any(suspect.value in outside for suspect in facts.bands[0].suspects):
        first = number(outside[0])
        yield Problem(
            kind="class-values",
            what=f"As a mask, it holds {listed(map(number, outside))}; class values are 0 to {LARGEST_VALUE}",
            advice=f"Leave one out with [legend] ignore = {first}, or map it with remap = {{{first} = 1}}.",
        )


def _is_lossy(facts: RasterFacts) -> bool:
    return facts.format == "JPEG" or (facts.storage is not None and "jpeg" in (facts.storage.compression or ""))
