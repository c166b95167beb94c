"""Which form mask files have: what each could be by its own bands, and what all of a set are."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.classes import given_colors
from terrazzo.labels.coding import Palette, band_set, raw_values
from terrazzo.labels.options import LegendOptions
from terrazzo.labels.raw import NO_BAND, Encoding, distinct, nearest_color, raw_of_color
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.raster import Pixels, Raster

MOST_VALUES = 2**16
"""Beyond this many different values a file holds measurements or a photo, not classes: they are counted no further."""
COLOR_BANDS = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FileValues:
    """What one mask file holds."""

    path: Path
    counts: Mapping[float, int]
    """Raw value to pixels, without pixels that the file declares as nodata."""
    lossy: bool
    """Whether the format may have changed the values (JPEG)."""
    nodata: float | None = None
    """The raw value of what the file declares as nodata."""
    nodata_pixels: int = 0
    bands: int = 1


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """What the masks of a set hold, file by file."""

    files: tuple[FileValues, ...]
    encoding: Encoding = "values"

    @property
    def total(self) -> dict[float, int]:
        """Raw value to pixels over all files, by value; without nodata."""
        total: Counter[float] = Counter()
        for file in self.files:
            total.update(file.counts)
        return dict(sorted(total.items()))

    @property
    def nodata(self) -> dict[float, int]:
        """Raw values that files declare as nodata and hold, to pixels."""
        total: Counter[float] = Counter()
        for file in self.files:
            if file.nodata is not None and file.nodata_pixels:
                total[file.nodata] += file.nodata_pixels
        return dict(sorted(total.items()))


class Form:
    """One way to read a mask file, as long as its pixels bear it out."""

    def __init__(self, encoding: Encoding, options: LegendOptions, palette: Palette | None, nodata: float | None) -> None:
        self.encoding = encoding
        self.nodata = nodata
        self.counts: Counter[float] = Counter()
        self.nodata_pixels = 0
        self.high = 0
        """One-hot: the value of bands that are set."""
        self.fault: str | None = None
        """Why the file cannot be read this way."""
        self._options = options
        self._known = sorted(raw_of_color(color) for color in given_colors(options) or ())
        self._palette = palette

    @property
    def done(self) -> bool:
        """Whether there is no need to look further."""
        return self.fault is not None or len(self.counts) > MOST_VALUES

    def add(self, pixels: Pixels) -> None:
        """Count the raw values of a block."""
        try:
            raw = self._raw(pixels)
        except LabelError as error:
            self.fault = str(error)
            return
        if not pixels.valid.all():
            if self.nodata is not None:
                self.nodata_pixels += int(np.count_nonzero(~pixels.valid & (raw == self.nodata)))
            raw = raw[pixels.valid]
        for value, count in self._count(raw):
            self.counts[value] += count

    def _raw(self, pixels: Pixels) -> NDArray[Any]:
        if self.encoding != "onehot":
            return raw_values(pixels, self.encoding, self._palette)
        raw, high = band_set(pixels)
        if self.high and high and high != self.high:
            raise LabelError("some of its bands hold 0 and 1, others 0 and 255; one-hot masks hold either")
        self.high = max(self.high, high)
        return raw

    def _count(self, raw: NDArray[Any]) -> list[tuple[float, int]]:
        if raw.dtype == np.uint8 and self.encoding == "values":
            counts = np.bincount(raw.ravel(), minlength=1)
            return [(int(value), int(counts[value])) for value in np.flatnonzero(counts)]
        found, _, counts = distinct(self._merged(raw))
        if self.encoding == "colors" and self._options.snap and self._known:
            found = np.array(self._known)[nearest_color(found, self._known)]
        return list(zip(found.tolist(), counts.tolist(), strict=True))

    def _merged(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Raw values that the options put into one class as one value, where there may be too many different ones to count."""
        options = self._options
        ignored = np.False_ if options.ignore is None else raw == options.ignore
        if self.encoding == "instances":
            return np.where((raw > 0) & (raw % 1 == 0) & ~ignored, raw.dtype.type(1), raw)
        if options.threshold is not None and raw.dtype.itemsize > 2:
            above = np.nextafter(options.threshold, np.inf)
            return np.where(np.isnan(raw) | ignored, raw, np.where(raw > options.threshold, above, options.threshold))
        return np.rint(raw) if options.snap and raw.dtype.kind == "f" else raw


@dataclass(frozen=True, kw_only=True)
class FileForms:
    """The ways in which one mask file can be read."""

    path: Path
    lossy: bool
    bands: int
    """Without alpha."""
    alpha: bool
    forms: Mapping[Encoding, Form]

    def values(self, encoding: Encoding) -> FileValues:
        form = self.forms[encoding]
        return FileValues(
            path=self.path,
            counts=form.counts,
            lossy=self.lossy,
            nodata=form.nodata,
            nodata_pixels=form.nodata_pixels,
            bands=self.hot_bands if encoding == "onehot" else self.bands,
        )

    @property
    def hot_bands(self) -> int:
        """Bands of a one-hot mask: a fourth class may look like alpha."""
        return self.bands + self.alpha


def possible(raster: Raster, options: LegendOptions) -> tuple[Encoding, ...]:
    """What a mask file may hold by its number of bands and type."""
    if options.encoding != "auto":
        return (options.encoding,)
    if raster.bands == 1:
        return ("values",)
    colors = raster.bands == COLOR_BANDS and raster.dtype == np.uint8
    return ("values", "onehot", "colors") if colors else ("values", "onehot")


def agree(files: Sequence[FileForms], options: LegendOptions) -> ValueCounts:
    """What the files of a set hold, by the one encoding that goes for all of them.

    Raises LabelError if there is none.
    """
    encoding = _common(files, options) if options.encoding == "auto" else options.encoding
    found = tuple(file.values(encoding) for file in files)
    bands = {file.bands for file in found}
    if encoding == "onehot" and len(bands) > 1:
        raise LabelError(f"One-hot masks must have one number of bands, these have {listed(map(str, sorted(bands)))}: {_groups(files)}.")
    return ValueCounts(files=found, encoding=encoding)


def _common(files: Sequence[FileForms], options: LegendOptions) -> Encoding:
    shared = set[Encoding](["values", "onehot", "colors"]).intersection(*(file.forms for file in files))
    if all(file.bands == 1 for file in files):
        return "values"
    if not shared:
        raise LabelError(
            f"The masks are of different forms: {_groups(files)}. Give masks of one form, or say what they hold with [legend] encoding."
        )
    if "colors" in shared and _colors_known(files, options):
        return "colors"
    if "values" in shared:
        log.info("The bands of the masks are equal; the first is read.")
        return "values"
    if "onehot" in shared and ("colors" not in shared or _is_onehot(files, options)):
        log.info("Masks have %d bands, of which one is set for each pixel: each is taken as a class (one-hot).", files[0].hot_bands)
        return "onehot"
    return "colors"


def _colors_known(files: Sequence[FileForms], options: LegendOptions) -> bool:
    """Whether all colours of the masks are those of the legend."""
    known = {raw_of_color(color) for color in given_colors(options) or ()}
    return all(file.forms["colors"].counts.keys() <= known for file in files)


def _is_onehot(files: Sequence[FileForms], options: LegendOptions) -> bool:
    """Whether bands of which one is set are classes, and not red, green and blue."""
    if all(file.forms["onehot"].high <= 1 for file in files):
        return True
    complete = not any(NO_BAND in file.forms["onehot"].counts for file in files)
    return complete and options.colors is None and {file.hot_bands for file in files} == {len(options.classes or ())}


def _groups(files: Sequence[FileForms]) -> str:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        groups[_kind(file)].append(str(file.path))
    return "; ".join(f"{kind}: {counted(len(paths), 'file')} ({listed(paths, 3)})" for kind, paths in groups.items())


def _kind(file: FileForms) -> str:
    if file.bands == 1:
        return "one band of values"
    if "values" in file.forms:
        return f"{file.bands} equal bands"
    onehot = file.forms.get("onehot")
    if onehot is not None and (onehot.high <= 1 or "colors" not in file.forms):
        return f"{file.hot_bands} bands, one-hot"
    return "three bands of colours"
