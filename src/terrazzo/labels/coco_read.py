"""Reading the objects of a COCO file."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from terrazzo.errors import LabelError
from terrazzo.labels.coco_forms import (
    Form,
    Segment,
    WrongEntryError,
    read_flag,
    read_identity,
    read_number,
    read_polygons,
    read_relative,
    read_runs,
    read_shape,
    shown,
)
from terrazzo.labels.failures import SHOWN
from terrazzo.labels.json_stream import entries
from terrazzo.rasters.window import Shape

Identity = int | str


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation, or one segment of a panoptic annotation."""

    key: str
    """Name of its category."""
    crowd: bool
    """Whether it stands for many objects that nobody told apart."""
    form: Form


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image of a COCO file."""

    name: str
    """'/'-joined file name, maybe with folders."""
    shape: Shape | None
    """(height, width) in pixels, where the file says it."""
    objects: tuple[CocoObject, ...]
    """In the order of the file."""
    segments: Path | None
    """The panoptic PNG that holds the objects' numbers."""


@dataclass(frozen=True, slots=True)
class _Annotation:
    """An object whose image and category are not looked up yet."""

    place: int
    image: Identity
    category: Identity
    crowd: bool
    form: Form
    shape: Shape | None = None
    """That of its runs."""


class _Entries:
    """What was read so far, and what is wrong with it."""

    def __init__(self) -> None:
        self.images: dict[Identity, tuple[str, Shape | None]] = {}
        self.categories: dict[Identity, str] = {}
        self.annotations: list[_Annotation] = []
        self.segments: dict[Identity, PurePosixPath] = {}
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
            elif "segments_info" in entry:
                self._add_segments(place, entry)
            else:
                self._add_annotation(place, entry)
        except WrongEntryError as error:
            self.refuse(f"{kind}[{place}] {error}")

    def refuse(self, what: str) -> None:
        self.wrong_count += 1
        if self.wrong_count <= SHOWN:
            self.wrong.append(f"{what}.")

    def check(self, path: Path) -> None:
        """Raise LabelError listing the entries that are wrong; nothing if there are none."""
        if self.wrong:
            rest = [f"and {self.wrong_count - SHOWN} more."] if self.wrong_count > SHOWN else []
            head = f"{path}: {self.wrong_count} {'entry' if self.wrong_count == 1 else 'entries'} cannot be used:"
            raise LabelError("\n  ".join([head, *self.wrong, *rest]))

    def check_names(self) -> None:
        """Note images of one name, for an image is found by it."""
        seen: set[str] = set()
        for name, _ in self.images.values():
            if name in seen:
                self.refuse(f"several images have the file_name {shown(name)}")
            seen.add(name)

    def misfit(self, annotation: _Annotation) -> str | None:
        """Why an annotation does not go with the images and categories of its file; None if it does."""
        if annotation.category not in self.categories:
            return f"has the category_id {shown(annotation.category)}, which no category has"
        if annotation.image not in self.images:
            return f"has the image_id {shown(annotation.image)}, which no image has"
        if annotation.image in self.segments and not isinstance(annotation.form, Segment):
            return "has a shape of its own, but its image has a panoptic PNG"
        name, shape = self.images[annotation.image]
        if shape is None:
            # a file that does not say how large an image is may say it with its runs
            self.images[annotation.image] = name, annotation.shape
        elif annotation.shape not in (None, shape):
            return f"has run lengths of {annotation.shape} pixels (height, width), but its image {shown(name)} has {shape}"
        return None

    def _add_image(self, entry: Mapping[str, Any]) -> None:
        name, key = entry.get("file_name"), read_identity(entry, "id")
        if not isinstance(name, str) or not name.strip():
            raise WrongEntryError("has no file_name")
        if key in self.images:
            raise WrongEntryError(f"has the id {shown(key)} of an image before it")
        shape = read_shape([entry.get("height"), entry.get("width")]) if {"height", "width"} & entry.keys() else None
        self.images[key] = name, shape

    def _add_category(self, entry: Mapping[str, Any]) -> None:
        name, key = entry.get("name"), read_identity(entry, "id")
        if not isinstance(name, str) or not name.strip():
            raise WrongEntryError("has no name")
        if self.categories.setdefault(key, name) != name:
            raise WrongEntryError(f"has the id {shown(key)} of another category")

    def _add_annotation(self, place: int, entry: Mapping[str, Any]) -> None:
        form: Form | None = None
        shape, given = None, entry.get("segmentation")
        image, category, crowd = read_identity(entry, "image_id"), read_identity(entry, "category_id"), read_flag(entry, "iscrowd")
        if isinstance(given, dict):
            form, shape = read_runs(given)
        elif isinstance(given, list):
            form = read_polygons(given)
        elif given is not None:
            raise WrongEntryError("has a segmentation that is neither polygons nor run lengths")
        if form is None:
            self.empty += 1
        else:
            self.annotations.append(_Annotation(place, image, category, crowd, form, shape))

    def _add_segments(self, place: int, entry: Mapping[str, Any]) -> None:
        image, file, given = read_identity(entry, "image_id"), read_relative(entry, "file_name"), entry["segments_info"]
        if self.segments.setdefault(image, file) is not file:
            raise WrongEntryError(f"has the image_id {shown(image)} of an annotation before it")
        if not isinstance(given, list) or not all(isinstance(segment, dict) for segment in given):
            raise WrongEntryError("has a segments_info that is no list of segments")
        forms = [read_number(segment) for segment in given]
        if len(set(forms)) < len(forms):
            raise WrongEntryError("has several segments of the same id")
        for segment, form in zip(given, forms, strict=True):
            crowd = read_flag(segment, "iscrowd")
            self.annotations.append(_Annotation(place, image, read_identity(segment, "category_id"), crowd, form))


def read_coco(path: Path) -> tuple[list[CocoImage], list[str], int]:
    """The images of a COCO file with their objects, the names of its categories, and how many annotations are empty.

    Annotations without polygon, and polygons of less than three corners, hold nothing; they are left out and counted.
    Raises LabelError if the file is no COCO file, or listing the entries that cannot be used.
    """
    found = _Entries()
    for kind, entry in entries(path, ("images", "annotations", "categories")):
        found.add(kind, entry)
    objects: defaultdict[Identity, list[CocoObject]] = defaultdict(list)
    for annotation in found.annotations:
        what = found.misfit(annotation)
        if what:
            found.refuse(f"annotations[{annotation.place}] {what}")
        else:
            objects[annotation.image].append(CocoObject(found.categories[annotation.category], annotation.crowd, annotation.form))
    found.check_names()
    segments = {key: _beside(path, file, found) for key, file in found.segments.items()}
    found.check(path)
    images = [CocoImage(name, shape, tuple(objects[key]), segments.get(key)) for key, (name, shape) in found.images.items()]
    return images, list(dict.fromkeys(found.categories.values())), found.empty


def _beside(path: Path, file: PurePosixPath, found: _Entries) -> Path:
    """A panoptic PNG: in the folder that is named like the COCO file, else in the folder of that file."""
    places = [path.with_suffix("") / file, path.parent / file]
    try:
        exists = next((place for place in places if place.is_file()), None)
    except OSError:
        # a name that no file can have
        exists = None
    if exists is None:
        found.refuse(f"the panoptic file {shown(str(file))} is neither in {places[0].parent} nor in {places[1].parent}")
    return exists or places[0]
