"""What tables and files of objects have in common: which of their images is meant, and how their objects become a class mask."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError, PairingError
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.rle import Value
from terrazzo.labels.sentences import listed
from terrazzo.labels.source import LabelledImage
from terrazzo.rasters.files import IMAGE_SUFFIXES
from terrazzo.rasters.window import Shape, Window, whole

_SUFFIXES = IMAGE_SUFFIXES | {".bmp", ".gif", ".jp2", ".npz", ".webp"}
"""Endings that a name may have or lack: 'scene.1' keeps its own."""


class ImageNames:
    """The images that a file of labels names, by '/'-joined names of any depth."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._names = names
        self._exact = {name: [place] for place, name in enumerate(names)}
        plain = [name.replace("\\", "/") for name in names]
        self._full: defaultdict[str, list[int]] = defaultdict(list)
        self._bare: defaultdict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(plain):
            self._full[name].append(place)
            self._bare[name].append(place)
            if PurePosixPath(name).suffix.lower() in _SUFFIXES:
                self._bare[name.rpartition(".")[0]].append(place)
        self._depth = 1 + max((name.count("/") for name in plain), default=0)

    def find(self, image: LabelledImage) -> int | None:
        """The place of the name that means an image; None if there is none.

        Names with more of the image's folders win; then the name with its extension before the name without.
        Raises PairingError if several names mean it equally.
        """
        for index, ending in ((self._exact, image.path.suffix), (self._full, image.path.suffix), (self._bare, "")):
            for name in self._candidates(image, ending):
                places = index.get(name, [])
                if len(places) > 1:
                    meant = listed(self._names[place] for place in places)
                    raise PairingError(f"{self._path} names several images that {image.path} could be: {meant}. Rename all but one.")
                if places:
                    return places[0]
        return None

    def _candidates(self, image: LabelledImage, ending: str) -> Iterator[str]:
        """The names that an image may go by, with the given ending: its path's last parts, the most first."""
        folders = [part for part in image.path.parts[:-1] if part != image.path.anchor]
        stem = image.path.name.removesuffix(image.path.suffix)
        for depth in range(min(self._depth - 1, len(folders)), 0, -1):
            yield "/".join([*folders[-depth:], stem + ending])
        yield image.name + ending
        yield stem + ending


class ObjectLabels(ABC):
    """The class mask and the objects of one image, painted window by window, from several threads if need be."""

    has_instances = True

    def __init__(self, shape: Shape, indices: Sequence[int], legend: Legend) -> None:
        """indices: the class index of each object, in the order of their numbers, the first of which is 1."""
        self._shape = shape
        self._indices = np.array(indices, np.uint8)
        self._background = legend.background
        # what is left out, or of the background's class, is no object
        known = (self._indices != IGNORE) & (self._indices != self._background)
        self._numbers = np.where(known, np.arange(1, len(indices) + 1), 0).astype(np.uint32)

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        return self._shape

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, or outside the image."""
        return self._framed(window, self._indices, (self._background, IGNORE))

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width), the same in all windows of the image; 0 where there is none."""
        return self._framed(window, self._numbers, (0, 0))

    def close(self) -> None:  # noqa: B027 - nothing is held open, here or in any kind of objects
        """Nothing is held open."""

    @abstractmethod
    def _paint(self, window: Window, values: NDArray[Value], fill: int) -> NDArray[Value]:
        """The value of the object that holds each pixel (height, width) of a window inside the image, else `fill`."""

    def _framed(self, window: Window, values: NDArray[Value], fills: tuple[int, int]) -> NDArray[Value]:
        """Paint a window that may reach beyond the image. fills: of pixels without object, and outside."""
        inner = window.intersection(whole(self._shape))
        if inner == window:
            return self._paint(window, values, fills[0])
        pixels = np.full(window.shape, fills[1], values.dtype)
        if inner is not None:
            pixels[inner.inside(window)] = self._paint(inner, values, fills[0])
        return pixels


def class_index(key: str | float | None, legend: Legend, path: Path) -> int:
    """The class index of an object whose file calls its class `key`; None: the file knows one class only, whose value is 1.

    Raises LabelError if the legend has no such class, or more than two where the file knows one.
    """
    index = legend.index_of(1.0 if key is None else key)
    if key is None and (index is None or len(legend.classes) > 2):
        raise LabelError(
            f"{path} tells no classes apart, but the legend has {len(legend.classes)}: {listed(legend.names, 12)}. "
            "Give its objects a class, or the legend two classes of which one has the value 1."
        )
    if index is None:
        raise LabelError(
            f"{path} holds the class {key!r}, which the legend lacks; it has {listed(legend.names, 12)}. "
            "Name it in [legend] classes, in the place of its value."
        )
    return index
