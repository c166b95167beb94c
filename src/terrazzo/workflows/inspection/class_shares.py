"""The shares of the classes in masks, by the legend that the options and the masks make; without one, by value."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import DataError
from terrazzo.labels.colors import Color, default_colors, hex_color
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.resolve import nodata_is_class, resolve_legend
from terrazzo.labels.sentences import number
from terrazzo.labels.survey import FileValues, ValueCounts, survey
from terrazzo.progress import Silent
from terrazzo.workflows.inspection.raster_facts import RasterFacts

LEFT_OUT: Color = (128, 128, 128)


@dataclass(frozen=True, kw_only=True)
class ClassShare:
    """A class and how many pixels it has."""

    name: str
    value: int | None
    """Of the legend; None for what is left out, or outside the legend."""
    color: Color
    pixels: int
    share: float
    """Of all pixels that were read and are there, 0 to 1."""

    def plain(self) -> dict[str, object]:
        """As values that JSON can hold."""
        return {"name": self.name, "value": self.value, "color": hex_color(self.color), "pixels": self.pixels, "share": self.share}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the masks of a set are understood."""

    legend: Legend | None = None
    counts: Mapping[Path, Mapping[float, int]] = field(default_factory=dict)
    """Of each file: raw value, as the legend takes it, to pixels."""
    fault: DataError | None = None
    """Why they make no legend."""

    @property
    def total(self) -> dict[float, int]:
        """Over all files: raw value to pixels."""
        total: Counter[float] = Counter()
        for counts in self.counts.values():
            total.update(counts)
        return dict(sorted(total.items()))

    def shares(self, path: Path | None = None) -> tuple[ClassShare, ...]:
        """The classes in one file, or in all."""
        counts = self.total if path is None else self.counts.get(path, {})
        return class_shares(counts, self.legend) if counts else ()


def read_masks(files: Sequence[RasterFacts], options: LegendOptions) -> Reading:
    """Understand masks as labels of the options; those of object numbers as such. Of large masks the values of the sample count.

    Raises RecipeError if the options contradict each other.
    """
    if any(facts.read_share < 1 for facts in files):
        known = all(facts.values is not None for facts in files)
        return _resolved(files, ValueCounts(files=tuple(_sampled(facts) for facts in files)), options) if known else Reading()
    numbered = any(facts.kind == "objects" for facts in files) and options.encoding == "auto"
    wanted = options.model_copy(update={"encoding": "instances"}) if numbered else options
    try:
        with quiet("terrazzo.labels"):
            found = survey([facts.path for facts in files], Silent(), wanted)
    except DataError as error:
        return Reading(fault=error)
    return _resolved(files, found, wanted)


def _resolved(files: Sequence[RasterFacts], found: ValueCounts, options: LegendOptions) -> Reading:
    try:
        with quiet("terrazzo.labels"):
            legend = resolve_legend(options, found)
    except DataError as error:
        plain = all(facts.values is not None for facts in files)
        return Reading(fault=error, counts={file.path: file.counts for file in found.files} if plain else {})
    return Reading(legend=legend, counts={file.path: used_values(file, legend) for file in found.files})


def _sampled(facts: RasterFacts) -> FileValues:
    """The values of a mask as they were measured."""
    band = facts.bands[0]
    missing = round(band.missing_share / (1 - band.missing_share) * band.count) if band.missing_share < 1 else 0
    counts = facts.values or {}
    return FileValues(path=facts.path, counts=counts, lossy=facts.format == "JPEG", nodata=band.nodata, nodata_pixels=missing)


def used_values(file: FileValues, legend: Legend) -> dict[float, int]:
    """Raw value to pixels, with those of the declared nodata where the legend uses it as a class."""
    counts = dict(file.counts)
    if file.nodata is not None and nodata_is_class(legend, file.nodata):
        counts[file.nodata] = counts.get(file.nodata, 0) + file.nodata_pixels
    return dict(sorted(counts.items()))


def class_shares(values: Mapping[float, int], legend: Legend | None) -> tuple[ClassShare, ...]:
    """The classes of a legend in its order, then what it leaves out and does not know; without a legend, each value."""
    if legend is None:
        total = max(sum(values.values()), 1)
        colors = default_colors(len(values))
        return tuple(
            ClassShare(name=number(value), value=None, color=color, pixels=count, share=count / total)
            for (value, count), color in zip(values.items(), colors, strict=True)
        )
    pixels = np.zeros(IGNORE + 1, np.int64)
    unknown = 0
    for value, count in values.items():
        index = legend.index(value)
        if index is None:
            unknown += count
        else:
            pixels[index] += count
    return index_shares(pixels, legend, unknown)


def index_shares(pixels: NDArray[np.int64], legend: Legend, unknown: int = 0) -> tuple[ClassShare, ...]:
    """The classes of a legend in its order, then what is left out and what it does not know.

    pixels: (256,) by class index, the last one left out. unknown: pixels outside the legend.
    """
    total = max(int(pixels.sum()) + unknown, 1)
    found = [
        ClassShare(name=entry.name, value=entry.value, color=entry.color, pixels=count, share=count / total)
        for entry, count in zip(legend.classes, pixels.tolist(), strict=False)
    ]
    rest = {"left out": int(pixels[IGNORE]), "outside the legend": unknown}
    found += [ClassShare(name=name, value=None, color=LEFT_OUT, pixels=count, share=count / total) for name, count in rest.items() if count]
    return tuple(found)


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Without the notices of those who read data to use them: the findings say it all. name: of their logger."""
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
