"""A survey of mask files: which values they hold, and how often."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.failures import Failures
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Shape, Window

BLOCK_PIXELS = 2**23
"""Masks are read in blocks of whole rows of about this many pixels."""
MOST_VALUES = 2**16
"""Beyond this many different values a file holds measurements, not classes: it is surveyed no further."""


@dataclass(frozen=True, kw_only=True)
class FileValues:
    """What one mask file holds."""

    path: Path
    counts: Mapping[float, int]
    """Raw value to pixels, without pixels that the file declares as nodata."""
    lossy: bool
    """Whether the format may have changed the values (JPEG)."""
    nodata: float | None = None
    """The value that the file declares as nodata."""
    nodata_pixels: int = 0


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """What the masks of a set hold, file by file."""

    files: tuple[FileValues, ...]

    @property
    def total(self) -> dict[float, int]:
        """Raw value to pixels over all files, by value; without nodata."""
        total: Counter[float] = Counter()
        for file in self.files:
            total.update(file.counts)
        return dict(sorted(total.items()))

    @property
    def nodata(self) -> dict[float, int]:
        """Values that files declare as nodata and hold, to pixels."""
        total: Counter[float] = Counter()
        for file in self.files:
            if file.nodata is not None and file.nodata_pixels:
                total[file.nodata] += file.nodata_pixels
        return dict(sorted(total.items()))


def survey(files: Sequence[Path], progress: Progress) -> ValueCounts:
    """Count the values of mask files, in constant memory whatever their size.

    Raises LabelError or RasterError naming all files that cannot be read as masks.
    """
    failures = Failures()
    found = []
    with progress.task("read masks", len(files), "masks") as advance:
        for path in files:
            with failures.collect():
                found.append(survey_file(path))
            advance(1)
    failures.check(len(files), "masks")
    return ValueCounts(files=tuple(found))


def survey_file(path: Path) -> FileValues:
    """Count the values of one mask file.

    Raises LabelError if it has several bands, RasterError if it cannot be read.
    """
    with open_raster(path, DataOptions()) as raster:
        check_single_band(raster)
        nodata = raster.nodata[0]
        counts: Counter[float] = Counter()
        nodata_pixels = 0
        for window in row_blocks(raster.shape):
            pixels = raster.read(window)
            values = pixels.values[0]
            if not pixels.valid.all():
                nodata_pixels += int(np.count_nonzero(~pixels.valid & (values == nodata))) if nodata is not None else 0
                values = values[pixels.valid]
            counts.update(_count(values))
            if len(counts) > MOST_VALUES:
                break
        return FileValues(path=path, counts=counts, lossy=raster.format == "JPEG", nodata=nodata, nodata_pixels=nodata_pixels)


def check_single_band(raster: Raster) -> None:
    """Raise LabelError if a mask has several bands."""
    if raster.bands != 1:
        raise LabelError(
            f"{raster.path}: a mask needs one band of class values, this has {raster.bands} bands"
            f"{' (colours?)' if raster.bands == 3 else ''}. Save the class values as one band or as a palette image."
        )


def row_blocks(shape: Shape) -> Iterator[Window]:
    """Windows of whole rows that hold each pixel of an image once, each of about BLOCK_PIXELS pixels."""
    height, width = shape
    rows = max(1, BLOCK_PIXELS // width)
    for row_off in range(0, height, rows):
        yield Window(col_off=0, row_off=row_off, width=width, height=min(rows, height - row_off))


def _count(values: NDArray[Any]) -> dict[float, int]:
    if values.dtype in (np.bool_, np.uint8):
        counts = np.bincount(values.ravel(), minlength=1)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
