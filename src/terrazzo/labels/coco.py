"""Labels from a COCO file: polygons and run lengths, each object with a category."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.coco_forms import shown
from terrazzo.labels.coco_layers import layers
from terrazzo.labels.coco_read import CocoImage, read_coco
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.objects import ImageNames, ObjectLabels, class_index
from terrazzo.labels.rle import Value
from terrazzo.labels.sentences import counted
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.window import Window

log = logging.getLogger(__name__)


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

        A panoptic file (segments_info) has its PNG files in a folder that is named like it, or in its own.
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
        """The categories that have objects, with how many, without crowds."""
        counts = Counter(entry.key for image in self.images for entry in image.objects if not entry.crowd)
        return {name: counts[name] for name in self.categories if counts[name]}

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
    its members apart. Pixels of no object are of the legend's background, but left out where a panoptic PNG holds 0.
    Raises LabelError if the file does not know the image, or with another size, or the legend lacks a class; RasterError if its
    panoptic PNG cannot be opened.
    """

    def __init__(self, image: LabelledImage, coco: CocoFile, legend: Legend, *, alone: bool = False) -> None:
        """alone: objects of the legend's background, crowds of it too, are left out, so that they cover nothing."""
        name = coco.find(image)
        if name is None:
            raise LabelError(f"{coco.path} has no image {image.path.name}.")
        known, shape = coco.image(name), image.grid.shape
        if known.shape not in (None, shape):
            raise LabelError(
                f"{coco.path} says {known.shape} pixels (height, width) for {shown(name)}, but {image.path} has {shape}. "
                "Labels must be of the image's size."
            )
        if alone and known.segments is not None:
            raise LabelError(f"{known.segments} is a panoptic PNG, whose pixels have one class each. Remove [legend] overlapping.")
        objects, of_class = known.objects, [class_index(entry.key, legend, coco.path) for entry in known.objects]
        if alone:
            objects = tuple(entry for entry, index in zip(objects, of_class, strict=True) if index != legend.background)
            of_class = [index for index in of_class if index != legend.background]
        indices = [IGNORE if entry.crowd else index for entry, index in zip(objects, of_class, strict=True)]
        # crowds first: what lies on top of them was told apart
        order = sorted(range(len(indices)), key=lambda place: not objects[place].crowd)
        self._layers = list(layers(order, [entry.form for entry in objects], shape, known.segments))
        # one more, for what is no object of a panoptic PNG
        super().__init__(shape, [*indices, IGNORE], legend)

    def close(self) -> None:
        for layer in self._layers:
            layer.close()

    def _paint(self, window: Window, values: NDArray[Value], fill: int) -> NDArray[Value]:
        pixels = np.full(window.shape, fill, values.dtype)
        for layer in self._layers:
            layer.paint(pixels, window, values)
        return pixels
