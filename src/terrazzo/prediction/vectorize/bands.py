"""A class map as bands of rows: the components of each, their outlines, sizes and mean probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.vectorize.outlines import OUTSIDE, Corners, Labels, outlines, vertices_of
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Window

BAND_PX = 2**23
"""Pixels of a band, about; its arrays take some forty bytes each."""
ROWS_STEP = 128
PROBABILITY_ONE = 65535

Classes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What is looked at."""

    classes: Raster
    """A band of class values; what is not valid counts as IGNORE."""
    probabilities: Raster | None
    """A band a class, in the order of `values`; uint16, 65535 = 1."""
    values: tuple[int, ...]
    """All class values of the map."""
    wanted: frozenset[int]
    """The class values whose components are outlined."""
    pixel_areas: NDArray[np.float64] | None
    """(height,): square metres of a pixel of each row, where that is known."""


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What adds up over the parts of a component, each (components,)."""

    pixels: NDArray[np.int64]
    area_m2: NDArray[np.float64]
    probability: NDArray[np.float64]
    """Sum over the pixels of the probability of their class."""

    def at(self, places: NDArray[np.integer] | slice) -> "Sums":
        return Sums(pixels=self.pixels[places], area_m2=self.area_m2[places], probability=self.probability[places])


@dataclass(frozen=True, kw_only=True)
class Band:
    """The wanted components of some rows, cut at the top and the bottom of the band."""

    polygons: NDArray[np.object_]
    """(components,), in pixels of the whole raster."""
    values: Classes
    """(components,), their class."""
    sums: Sums
    top: NDArray[np.int32]
    """(width,): which component the pixels of the first row belong to, OUTSIDE where to none that is wanted."""
    bottom: NDArray[np.int32]
    seam: Corners
    """(width + 1,): where the corners above the first row are vertices of the whole raster's outlines."""


def band_rows(width: int) -> int:
    """Rows of the bands of a raster, a multiple of ROWS_STEP, so that results are the same whatever the machine."""
    return max(1, BAND_PX // width // ROWS_STEP) * ROWS_STEP


def bands_of(sources: Sources, simplify_px: float) -> Iterator[Band]:
    """The bands of a map from top to bottom. Raises RasterError if the map is broken there."""
    height, width = sources.classes.shape
    rows = band_rows(width)
    # unless neighbours are to be simplified too, all that is not wanted is alike
    seen = np.array([value if simplify_px or value in sources.wanted else IGNORE for value in range(256)], np.uint8)
    above: Classes | None = None
    current = seen[_read(sources.classes, 0, min(rows, height))]
    for top in range(0, height, rows):
        end = top + len(current)
        following = seen[_read(sources.classes, end, min(end + rows, height))] if end < height else None
        yield _band(sources, top, (above, current, following), simplify_px)
        above = current[-1]
        if following is not None:
            current = following


def _read(raster: Raster, top: int, end: int) -> Classes:
    pixels = raster.read(Window(col_off=0, row_off=top, width=raster.shape[1], height=end - top))
    values: Classes = np.where(pixels.valid, pixels.values[0], IGNORE).astype(np.uint8)
    return values


def _band(sources: Sources, top: int, rows: tuple[Classes | None, Classes, Classes | None], simplify_px: float) -> Band:
    above, classes, following = rows
    seams, below = _no_seam(classes), _no_seam(classes)
    if above is not None:
        seams = vertices_of(above, classes[0])
    if following is not None:
        below = vertices_of(classes[-1], following[0])
    everything = simplify_px > 0
    labels, values = components(classes, sorted({*np.unique(classes).tolist()} if everything else sources.wanted))
    chosen = np.isin(values, sorted(sources.wanted))
    if not chosen.any():
        return _empty(classes.shape[1], seams[0])
    polygons = outlines(labels, chosen | everything, (seams[1], below[1]))
    if everything:
        # with all that lies between, so that neighbours stay neighbours, and the rim of the band stays as it is
        polygons = shapely.coverage_simplify(polygons, simplify_px, simplify_boundary=False)
    number = np.append(np.where(chosen, np.cumsum(chosen) - 1, OUTSIDE), OUTSIDE).astype(np.int32)
    labels = number[labels]
    values = values[chosen]
    return Band(
        polygons=shapely.transform(polygons[chosen], lambda places: places + np.array([0.0, top])),
        values=values,
        sums=_sums(sources, top, labels, values),
        top=labels[0],
        bottom=labels[-1],
        seam=seams[0],
    )


def components(classes: Classes, values: list[int]) -> tuple[Labels, Classes]:
    """Number the 4-connected components of each of the values from 0 on; the rest is OUTSIDE. Also the class of each component."""
    labels = np.full(classes.shape, OUTSIDE, np.int32)
    owners: list[Classes] = [np.zeros(0, np.uint8)]
    total = 0
    for value in values:
        count, found = cv2.connectedComponents((classes == value).view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
        np.copyto(labels, found + (total - 1), where=found > 0)
        owners.append(np.full(count - 1, value, np.uint8))
        total += count - 1
    return labels, np.concatenate(owners)


def _sums(sources: Sources, top: int, labels: Labels, values: Classes) -> Sums:
    inside = labels != OUTSIDE
    owners = labels[inside]
    count = len(values)
    pixels = np.bincount(owners, minlength=count)
    area = np.full(count, np.nan)
    if sources.pixel_areas is not None:
        each = np.repeat(sources.pixel_areas[top : top + len(labels)], np.count_nonzero(inside, axis=1))
        area = np.bincount(owners, weights=each, minlength=count)
    probability = np.full(count, np.nan)
    if sources.probabilities is not None:
        window = Window(col_off=0, row_off=top, width=labels.shape[1], height=len(labels))
        shares = sources.probabilities.read(window).values
        band = np.zeros(256, np.int64)
        band[list(sources.values)] = np.arange(len(sources.values))
        rows, columns = np.nonzero(inside)
        own = shares[band[values[owners]], rows, columns] / float(PROBABILITY_ONE)
        probability = np.bincount(owners, weights=own, minlength=count)
    return Sums(pixels=pixels, area_m2=area, probability=probability)


def _no_seam(classes: Classes) -> tuple[Corners, Corners]:
    none = np.zeros(classes.shape[1] + 1, np.bool_)
    return none, none


def _empty(width: int, seam: Corners) -> Band:
    nothing = np.full(width, OUTSIDE, np.int32)
    none = np.zeros(0)
    return Band(
        polygons=np.zeros(0, np.object_),
        values=np.zeros(0, np.uint8),
        sums=Sums(pixels=none.astype(np.int64), area_m2=none, probability=none),
        top=nothing,
        bottom=nothing,
        seam=seam,
    )
