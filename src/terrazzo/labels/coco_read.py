"""Reading the objects of a COCO file."""

from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.coco_counts import unpack
from terrazzo.labels.failures import SHOWN
from terrazzo.labels.json_stream import entries
from terrazzo.labels.rle import Runs
from terrazzo.rasters.window import Shape

FARTHEST = 2**30
"""Of a polygon's corner from the image's, in pixels."""
MOST_PIXELS = 2**36
"""Of an image; more would not add up in 64 bits."""

Ring = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation: polygons, or runs."""

    key: str
    """Name of its category."""
    crowd: bool
    """Whether it stands for many objects that nobody told apart."""
    rings: tuple[Ring, ...]
    """Polygons of (corners, 2) x and y in pixels, x = 0 and y = 0 being the image's upper left corner."""
    runs: Runs | None


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image of a COCO file."""

    name: str
    """'/'-joined file name, maybe with folders."""
    shape: Shape | None
    """(height, width) in pixels, where the file says it."""
    objects: tuple[CocoObject, ...]
    """In the order of the file."""


@dataclass(frozen=True, slots=True)
class _Annotation:
    """An annotation whose image and category are not looked up yet."""

    place: int
    image: int | str
    category: int | str
    crowd: bool
    rings: tuple[Ring, ...]
    runs: Runs | None
    shape: Shape | None
    """That of the runs."""


class _Entries:
    """What was read so far, and what is wrong with it."""

    def __init__(self) -> None:
        self.images: dict[int | str, tuple[str, Shape | None]] = {}
        self.categories: dict[int | str, str] = {}
        self.annotations: list[_Annotation] = []
        self.empty = 0
        self.wrong: list[str] = []
        self.wrong_count = 0
        self._places: defaultdict[str, int] = defaultdict(int)

    def add(self, kind: str, entry: Any) -> None:
        """Take one entry of the file."""
        place = self._places[kind]
        self._places[kind] += 1
        if not isinstance(entry, dict):
            self.refuse(f"{kind}[{place}] is no object with names and values")
            return
        try:
            if kind == "images":
                self._add_image(entry)
            elif kind == "categories":
                self._add_category(entry)
            else:
                self._add_annotation(place, entry)
        except _Wrong as error:
            self.refuse(f"{kind}[{place}] {error}")

    def refuse(self, what: str) -> None:
        self.wrong_count += 1
        if self.wrong_count <= SHOWN:
            self.wrong.append(f"{what}.")

    def misfit(self, annotation: _Annotation) -> str | None:
        """Why an annotation does not go with the images and categories of its file; None if it does."""
        if annotation.category not in self.categories:
            return f"has the category_id {annotation.category!a}, which no category has"
        if annotation.image not in self.images:
            return f"has the image_id {annotation.image!a}, which no image has"
        name, shape = self.images[annotation.image]
        if shape is None:
            # a file that does not say how large an image is may say it with its runs
            self.images[annotation.image] = name, annotation.shape
        elif annotation.shape not in (None, shape):
            return f"has run lengths of {annotation.shape} pixels (height, width), but its image {name!a} has {shape}"
        return None

    def _add_image(self, entry: Mapping[str, Any]) -> None:
        name, key = entry.get("file_name"), _identity(entry, "id")
        if not isinstance(name, str) or not name.strip():
            raise _Wrong("has no file_name")
        if key in self.images:
            raise _Wrong(f"has the id {key!a} of an image before it")
        shape = _shape([entry.get("height"), entry.get("width")]) if {"height", "width"} & entry.keys() else None
        self.images[key] = name, shape

    def _add_category(self, entry: Mapping[str, Any]) -> None:
        name, key = entry.get("name"), _identity(entry, "id")
        if not isinstance(name, str) or not name.strip():
            raise _Wrong("has no name")
        if self.categories.setdefault(key, name) != name:
            raise _Wrong(f"has the id {key!a} of another category")

    def _add_annotation(self, place: int, entry: Mapping[str, Any]) -> None:
        segmentation = entry.get("segmentation")
        image, category, crowd = _identity(entry, "image_id"), _identity(entry, "category_id"), entry.get("iscrowd") or 0
        if crowd not in (0, 1):
            raise _Wrong("has an iscrowd that is neither 0 nor 1")
        rings: tuple[Ring, ...] = ()
        runs = shape = None
        if isinstance(segmentation, dict):
            runs, shape = _runs(segmentation)
        elif isinstance(segmentation, list):
            rings = tuple(ring for part in segmentation if len(ring := _ring(part)) > 2)
        elif segmentation is not None:
            raise _Wrong("has a segmentation that is neither polygons nor run lengths")
        self.empty += runs is None and not rings
        if runs is not None or rings:
            self.annotations.append(_Annotation(place, image, category, bool(crowd), rings, runs, shape))


class _Wrong(Exception):
    """An entry that cannot be used; the text goes on after its name."""


def read_coco(path: Path) -> tuple[list[CocoImage], list[str], int]:
    """The images of a COCO file with their objects, the names of its categories, and how many annotations are empty.

    Annotations without polygon, and polygons of less than three corners, hold nothing; they are left out and counted.
    Raises LabelError if the file is no COCO file, or listing the entries that cannot be used.
    """
    found = _Entries()
    for kind, entry in entries(path, ("images", "annotations", "categories")):
        found.add(kind, entry)
    objects: defaultdict[int | str, list[CocoObject]] = defaultdict(list)
    for annotation in found.annotations:
        what = found.misfit(annotation)
        if what:
            found.refuse(f"annotations[{annotation.place}] {what}")
        else:
            key = found.categories[annotation.category]
            objects[annotation.image].append(CocoObject(key, annotation.crowd, annotation.rings, annotation.runs))
    _check_names(found)
    if found.wrong:
        rest = [f"and {found.wrong_count - SHOWN} more."] if found.wrong_count > SHOWN else []
        raise LabelError("\n  ".join([f"{path}: {found.wrong_count} entries cannot be used:", *found.wrong, *rest]))
    images = [CocoImage(name, shape, tuple(objects[key])) for key, (name, shape) in found.images.items()]
    return images, list(dict.fromkeys(found.categories.values())), found.empty


def _check_names(found: _Entries) -> None:
    seen: set[str] = set()
    for name, _ in found.images.values():
        if name in seen:
            found.refuse(f"several images have the file_name {name!a}")
        seen.add(name)


def _identity(entry: Mapping[str, Any], name: str) -> int | str:
    key = entry.get(name)
    if not isinstance(key, int | str) or isinstance(key, bool):
        raise _Wrong(f"has no {name} that is a whole number or a text")
    return key


def _shape(size: Any) -> Shape:
    """(height, width), checked."""
    whole = isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in size)
    if not whole or min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise _Wrong(f"has the height and width {_short(size)}; both must be whole numbers of at least 1")
    return size[0], size[1]


def _ring(part: Any) -> Ring:
    """(corners, 2) of one polygon."""
    if not isinstance(part, list):
        raise _Wrong("has a polygon that is no list; polygons are lists of x, y, x, y, ... in a list")
    try:
        numbers = np.array(array("d", part))
    except (TypeError, OverflowError) as error:
        raise _Wrong("has a polygon with something else than numbers") from error
    if len(numbers) % 2:
        raise _Wrong(f"has a polygon of {len(numbers)} numbers; x and y are wanted in turn")
    # NaN is not within either
    if not (np.abs(numbers) <= FARTHEST).all():
        raise _Wrong("has a polygon with numbers that are no pixels (infinite, or far too large)")
    return numbers.reshape(-1, 2)


def _runs(segmentation: Mapping[str, Any]) -> tuple[Runs, Shape]:
    shape, given = _shape(segmentation.get("size")), segmentation.get("counts")
    if not isinstance(given, str | list):
        raise _Wrong("has no counts, which must be a list of whole numbers or a packed text")
    try:
        counts = unpack(given) if isinstance(given, str) else np.array(array("q", given), np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise _Wrong(f"has counts that cannot be read: {error}") from error
    pixels = shape[0] * shape[1]
    if (counts < 0).any() or (counts > pixels).any() or int(counts.sum()) != pixels:
        raise _Wrong(f"has counts that do not add up to its size of {shape[0]} x {shape[1]} pixels")
    return Runs.of_counts(counts), shape


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
