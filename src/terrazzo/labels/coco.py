"""Labels from a COCO file: polygons and run lengths, each object with a category."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from terrazzo.errors import LabelError
from terrazzo.labels.coco_read import CocoImage, CocoObject, Ring, read_coco
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.objects import ImageNames, ObjectLabels, class_index
from terrazzo.labels.rle import Value, burn
from terrazzo.labels.sentences import counted
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.window import Window

log = logging.getLogger(__name__)

Span = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class CocoFile:
    """The objects of a COCO file, loaded once and shared by its images."""

    path: Path
    images: tuple[CocoImage, ...]
    categories: tuple[str, ...]
    """Names, each once, in the order of the file."""
    empty: int
    """Annotations without a polygon, which hold nothing."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file entry by entry, in little more memory than its numbers take.

        Raises LabelError if it is no COCO file, if nothing in it has a shape, or listing the entries that cannot be used.
        """
        images, categories, empty = read_coco(path)
        if empty and not any(image.objects for image in images):
            raise LabelError(f"{path} holds no polygons or run lengths, only {counted(empty, 'annotation')} without segmentation (boxes?).")
        if empty:
            log.warning("%s: %s without a polygon left out.", path, counted(empty, "annotation"))
        return cls(path, tuple(images), tuple(categories), empty)

    @property
    def names(self) -> tuple[str, ...]:
        """The images, as the file calls them."""
        return tuple(image.name for image in self.images)

    @property
    def object_count(self) -> int:
        """How many annotations have a shape, without crowds."""
        return sum(self.class_keys().values())

    def class_keys(self) -> Mapping[str | float, int]:
        """The categories with how many objects each has, without crowds."""
        counts = Counter(entry.key for image in self.images for entry in image.objects if not entry.crowd)
        return {name: counts[name] for name in self.categories}

    def find(self, image: LabelledImage) -> str | None:
        """The name that the file has for an image: by file name, else without its extension; None if it has none.

        Raises PairingError if several names could be meant.
        """
        place = self._index.find(image)
        return None if place is None else self.images[place].name

    def image(self, name: str) -> CocoImage:
        """The image of one of `names`."""
        return self.images[self._places[name]]

    @cached_property
    def _index(self) -> ImageNames:
        return ImageNames(self.path, self.names)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}


class CocoLabels(ObjectLabels):
    """The class mask of one image of a COCO file; its objects are numbered from 1 in the order of the file, though they touch.

    Run lengths are exact. Polygons hold the pixels whose centres they cover, like all polygons here; the COCO API holds some more along
    the edges. Where objects overlap, the later is on top. A crowd (iscrowd) lies below all objects and is left out, for nobody told
    its members apart. Pixels of no object are of the legend's background.
    Raises LabelError if the file does not know the image, or with another size, or the legend lacks a class.
    """

    def __init__(self, image: LabelledImage, coco: CocoFile, legend: Legend) -> None:
        name = coco.find(image)
        if name is None:
            raise LabelError(f"{coco.path} has no image {image.path.name}.")
        known = coco.image(name)
        if known.shape not in (None, image.grid.shape):
            raise LabelError(
                f"{coco.path} says {known.shape} pixels (height, width) for {name!a}, but {image.path} has {image.grid.shape}. "
                "Labels must be of the image's size."
            )
        indices = [IGNORE if entry.crowd else class_index(entry.key, legend, coco.path) for entry in known.objects]
        super().__init__(image.grid.shape, indices, legend)
        self._objects = known.objects
        self._spans = [_span(entry, image.grid.shape[0]) for entry in known.objects]
        # crowds first: what lies on top of them was told apart
        self._order = sorted(range(len(indices)), key=lambda place: not known.objects[place].crowd)

    def _paint(self, window: Window, values: NDArray[Value], fill: int) -> NDArray[Value]:
        pixels = np.full(window.shape, fill, values.dtype)
        met = [place for place in self._order if _meets(self._spans[place], window)]
        for as_runs, places in groupby(met, lambda place: self._objects[place].runs is not None):
            if as_runs:
                for place in places:
                    self._paint_runs(pixels, window, place, values[place])
            else:
                _paint_polygons(pixels, window, [(ring, int(values[place])) for place in places for ring in self._objects[place].rings])
        return pixels

    def _paint_runs(self, pixels: NDArray[Value], window: Window, place: int, value: Value) -> None:
        runs = self._objects[place].runs
        left, top, right, bottom = map(int, self._spans[place])
        part = Window(col_off=left, row_off=top, width=right - left, height=bottom - top).intersection(window)
        if runs is not None and part is not None:
            held = burn(runs, np.ones(len(runs.starts), np.uint8), self.shape, part).view(np.bool_)
            pixels[part.inside(window)][held] = value


def _paint_polygons(pixels: NDArray[Value], window: Window, rings: Sequence[tuple[Ring, int]]) -> None:
    """Burn polygons one after the other."""
    # rasterio warns of transforms that are the identity, and doubling is exact
    transform = Affine(2.0, 0.0, 2.0 * window.col_off, 0.0, 2.0, 2.0 * window.row_off)
    shapes = [({"type": "Polygon", "coordinates": [(2 * np.concatenate([ring, ring[:1]])).tolist()]}, value) for ring, value in rings]
    rasterize(shapes, out=pixels, transform=transform)


def _span(entry: CocoObject, height: int) -> Span:
    """The box of an object in an image of a height."""
    if entry.runs is None:
        corners = np.concatenate(entry.rings)
        return float(corners[:, 0].min()), float(corners[:, 1].min()), float(corners[:, 0].max()), float(corners[:, 1].max())
    if not len(entry.runs.starts):
        return 0, 0, 0, 0
    starts, lasts = entry.runs.starts, entry.runs.ends - 1
    left, right = int(starts[0] // height), int(lasts[-1] // height) + 1
    # a run that goes on in the next column holds both ends of the height
    if (starts // height != lasts // height).any():
        return left, 0, right, height
    return left, int((starts % height).min()), right, int((lasts % height).max()) + 1


def _meets(span: Span, window: Window) -> bool:
    left, top, right, bottom = span
    return left < window.col_end and right > window.col_off and top < window.row_end and bottom > window.row_off
