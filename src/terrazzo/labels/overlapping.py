"""[legend] overlapping: the legend of classes of which a pixel may have several, and labels of them, read class by class."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, RecipeError
from terrazzo.labels.bits import LEFT_OUT, MOST_CLASSES, to_bits
from terrazzo.labels.classes import did_you_mean, named_classes
from terrazzo.labels.coding import band_sets_valid, open_bands
from terrazzo.labels.colors import default_colors, hex_color
from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.sentences import counted, listed, number
from terrazzo.labels.source import Labels
from terrazzo.labels.survey import row_blocks
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.window import Shape, Window

log = logging.getLogger(__name__)
EXCLUSIVE = ("remap", "threshold", "snap", "target")
"""Options of [legend] that mean nothing where classes overlap."""


def overlapping_legend(options: LegendOptions) -> Legend:
    """The legend that the options describe; classes have the values 1, 2, ... unless others are given.

    Raises RecipeError if the classes are not named, are too many, or an option does not go with classes that overlap.
    """
    given = [
        name for name in EXCLUSIVE if getattr(options, name) != LegendOptions.model_fields[name].get_default(call_default_factory=True)
    ]
    if options.encoding != "auto":
        given.append("encoding")
    if given:
        raise RecipeError(
            f"[legend] {given[0]} is for classes that exclude each other; with overlapping = true it means nothing. Remove it."
        )
    if options.classes is None or len(options.classes) > MOST_CLASSES:
        there = "none" if options.classes is None else len(options.classes)
        raise RecipeError(
            f"[legend] overlapping = true needs 2 to {MOST_CLASSES} classes; there are {there}. Name them in classes, the background not."
        )
    values = options.values or range(1, len(options.classes) + 1)
    if 0 in values:
        raise RecipeError("[legend] values has 0, which stands for no class where classes overlap. Give the classes values from 1.")
    if options.colors is None:
        # the first of the usual colours is that of the background
        options = options.model_copy(update={"colors": [hex_color(color) for color in default_colors(len(options.classes) + 1)[1:]]})
    return Legend(classes=named_classes(options, values), ignore=IGNORE if options.ignore is None else options.ignore, encoding="multihot")


def check_keys(legend: Legend, keys: Mapping[str | float, int], what: str) -> None:
    """Refuse labels that name no class, or classes that the legend lacks. keys: how many labels name each. what: the labels, plural.

    Raises LabelError.
    """
    if not keys:
        raise LabelError(
            f"Nothing says which {what} are of which of the classes {listed(legend.names, 12)}. Name their attribute or column."
        )
    unknown = {key: count for key, count in keys.items() if legend.index_of(key) is None}
    if unknown:
        told = listed(f"{key!r} ({count})" if isinstance(key, str) else f"{number(key)} ({count})" for key, count in unknown.items())
        guess = next((text for key in unknown if isinstance(key, str) and (text := did_you_mean(key, legend.names))), "")
        raise LabelError(f"{what} have classes outside the legend: {told}. The legend has {listed(legend.names, 12)}.{guess}")
    _tell_absent(legend, [legend.index_of(key) for key in keys], what)


def survey_bands(files: Sequence[Path], legend: Legend, options: LegendOptions, progress: Progress) -> Legend:
    """See what masks of a band a class hold; the legend with 255 as the sign of a class where no mask holds 1.

    Raises LabelError or RasterError naming all files that are no such masks, LabelError if no mask holds any class.
    """
    counts = all_on_threads(lambda path: _count_bands(path, len(legend.classes)), files, progress, "read masks", "masks")
    total = [sum((file[band] for file in counts), Counter[float]()) for band in range(len(legend.classes))]
    held = sum(total, Counter[float]())
    if options.ignore is None and IGNORE in held and 1 not in held:
        log.info("Masks hold 0 and 255: 255 is taken as the sign of a class. Set [legend] ignore = 255 to leave these pixels out instead.")
        legend = Legend(classes=legend.classes, ignore=None, encoding="multihot")
    signs = {1.0, 255.0} - {legend.ignore}
    strange = {value: count for value, count in held.items() if value not in {0.0, *signs, legend.ignore}}
    if strange:
        told = listed(f"{number(value)} ({counted(count, 'pixel')})" for value, count in sorted(strange.items()))
        raise LabelError(
            f"Masks hold {told}; bands of classes that overlap hold 0 and 1, or 0 and 255. Leave one value out with [legend] ignore."
        )
    present = [index for index, band in enumerate(total) if any(band[sign] for sign in signs)]
    if not present:
        raise LabelError(f"All masks are empty: none of {counted(len(files), 'mask')} holds any of {listed(legend.names, 12)}.")
    _tell_absent(legend, present, "masks")
    return legend


class OverlappingLabels:
    """Labels of several classes on one image, each read by itself; together they are bit sets."""

    has_instances = False

    def __init__(self, parts: Sequence[Labels]) -> None:
        """parts: of each class, 1 where it is and 0 elsewhere."""
        self._parts = parts

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        return self._parts[0].shape

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Bit sets (height, width) of a window, 255 where a class is left out, or outside the image."""
        planes = np.stack([part.read(window) for part in self._parts])
        return to_bits(planes == 1, (planes == LEFT_OUT).any(axis=0))

    def instances(self, window: Window) -> NDArray[np.uint32]:
        raise LabelError(
            f"Objects of classes that overlap are not told apart by numbers (asked for rows {window.row_off} to {window.row_end})."
        )

    def close(self) -> None:
        for part in self._parts:
            part.close()


def _tell_absent(legend: Legend, present: Sequence[int | None], what: str) -> None:
    absent = [name for index, name in enumerate(legend.names) if index not in present]
    if absent:
        log.warning("No %s have the class %s.", what, listed(absent))


def _count_bands(path: Path, classes: int) -> list[Counter[float]]:
    """Values of each band and how many pixels have them, without what the file declares as nodata."""
    counts = [Counter[float]() for _ in range(classes)]
    with open_bands(path, DataOptions(), classes=classes) as raster:
        for window in row_blocks(raster.shape, raster.bands * raster.dtype.itemsize):
            pixels = raster.read(window)
            valid = band_sets_valid(pixels, raster)
            for band, values in zip(counts, pixels.values, strict=True):
                found, times = np.unique(values[valid], return_counts=True)
                band.update({float(value): int(count) for value, count in zip(found, times, strict=True) if not np.isnan(value)})
                if len(band) > LEFT_OUT:
                    raise LabelError(f"{path} holds more than {LEFT_OUT} different values. Is it an image, not a mask?")
    return counts
