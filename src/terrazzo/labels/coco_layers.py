"""Painting the objects of a COCO file, layer upon layer."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.burn import PixelPolygons
from terrazzo.labels.coco_forms import Form, Polygons, Segment
from terrazzo.labels.rle import Runs, Value, burn
from terrazzo.labels.sentences import counted, listed
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import Raster, open_raster
from terrazzo.rasters.window import Shape, Window


class Layer(Protocol):
    """Objects that are painted together."""

    def paint(self, pixels: NDArray[Value], window: Window, values: NDArray[Value]) -> None:
        """Set the pixels (height, width) of a window inside the image that objects hold to their values, one for each object."""
        ...

    def close(self) -> None: ...


class PolygonLayer:
    """Polygons, of which later ones cover earlier ones."""

    def __init__(self, polygons: Sequence[tuple[int, Polygons]]) -> None:
        """polygons: each with the place of its object."""
        rings = [ring for _, form in polygons for ring in form.rings]
        self._owner = np.array([place for place, form in polygons for _ in form.rings])
        # each ring is a polygon of its own: COCO has no holes
        of_ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
        closed = shapely.polygons(shapely.linearrings(np.concatenate(rings), indices=of_ring))
        self._polygons = PixelPolygons.of(closed, lambda corners: corners)

    def paint(self, pixels: NDArray[Value], window: Window, values: NDArray[Value]) -> None:
        self._polygons.draw(pixels, window, values[self._owner], all_touched=False)

    def close(self) -> None:
        """Nothing is held open."""


class RunLayer:
    """One object of runs."""

    def __init__(self, place: int, runs: Runs, shape: Shape) -> None:
        """shape: (height, width) of the image."""
        self._place = place
        self._runs = runs
        self._shape = shape
        self._box = _box(runs, shape[0])

    def paint(self, pixels: NDArray[Value], window: Window, values: NDArray[Value]) -> None:
        part = None if self._box is None else self._box.intersection(window)
        if part is not None:
            held = burn(self._runs, np.ones(len(self._runs.starts), np.uint8), self._shape, part).view(np.bool_)
            pixels[part.inside(window)][held] = values[self._place]

    def close(self) -> None:
        """Nothing is held open."""


class SegmentLayer:
    """All objects of one image, as numbers R + 256 G + 65536 B of a PNG; 0 is no object."""

    def __init__(self, path: Path, numbers: Sequence[int], shape: Shape) -> None:
        """numbers: of each object in its order; in the values to paint, that of no object follows. shape: (height, width) of the image.

        Raises RasterError if the file cannot be opened, LabelError if it has another size or no three bands.
        """
        self._raster = open_raster(path, DataOptions())
        if self._raster.bands != 3 or self._raster.dtype != np.uint8:
            raise LabelError(
                f"{path} has {counted(self._raster.bands, 'band')} of {self._raster.dtype}; a panoptic PNG has three of uint8."
            )
        if self._raster.shape != shape:
            raise LabelError(f"{path} has {self._raster.shape} pixels (height, width), but its image has {shape}.")
        self._known = np.array([*numbers, 0], np.int64)
        self._order = np.argsort(self._known)

    def paint(self, pixels: NDArray[Value], window: Window, values: NDArray[Value]) -> None:
        """Raises LabelError if the file holds numbers that no object has."""
        red, green, blue = self._raster.read(window).values.astype(np.int64)
        numbers = red + 256 * green + 65536 * blue
        places = self._order[np.minimum(np.searchsorted(self._known, numbers, sorter=self._order), len(self._order) - 1)]
        strange = self._known[places] != numbers
        if strange.any():
            shown = listed(map(str, np.unique(numbers[strange]).tolist()))
            raise LabelError(f"{self._raster.path} holds numbers that are no segment of its annotation: {shown}.")
        pixels[...] = values[places]

    def close(self) -> None:
        self._raster.close()


def layers(order: Sequence[int], forms: Sequence[Form], shape: Shape, segments: Path | None) -> Iterator[Layer]:
    """The layers of an image, the lowest first.

    order: the places of the objects, the lowest first. forms: of each object, by place. segments: the panoptic PNG, if there is one.
    """
    if segments is not None:
        yield SegmentLayer(segments, [form.number for form in forms if isinstance(form, Segment)], shape)
    for kind, places in groupby(order, lambda place: type(forms[place])):
        if kind is Polygons:
            yield PolygonLayer([(place, form) for place in places if isinstance(form := forms[place], Polygons)])
        else:
            yield from (RunLayer(place, form, shape) for place in places if isinstance(form := forms[place], Runs))


def _fault(raster: Raster, shape: Shape) -> str | None:
    """Why a file is no panoptic PNG of an image; None if it may be."""
    if raster.bands != 3 or raster.dtype != np.uint8:
        return f"{counted(raster.bands, 'band')} of {raster.dtype}; a panoptic PNG has three of uint8."
    if raster.shape != shape:
        return f"{raster.shape} pixels (height, width), but its image has {shape}."
    return None


def _box(runs: Runs, height: int) -> Window | None:
    """The pixels around runs in an image of a height; None if there are none."""
    if not len(runs.starts):
        return None
    firsts, lasts = np.divmod(runs.starts, height), np.divmod(runs.ends - 1, height)
    left, right = int(firsts[0][0]), int(lasts[0][-1])
    # a run that goes on in the next column holds both ends of the height
    across = (firsts[0] != lasts[0]).any()
    top, bottom = (0, height - 1) if across else (int(firsts[1].min()), int(lasts[1].max()))
    return Window(col_off=left, row_off=top, width=right - left + 1, height=bottom - top + 1)
