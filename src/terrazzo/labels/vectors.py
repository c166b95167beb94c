"""Labels from polygons, lines and points of a vector file."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from terrazzo.errors import LabelError
from terrazzo.labels.features import POLYGON, Features, clean
from terrazzo.labels.geojson import read_geojson
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.ogr import read_ogr, read_parquet
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.placing import Placing
from terrazzo.labels.sentences import counted, listed, number
from terrazzo.labels.source import LabelledImage
from terrazzo.labels.vector_crs import PIXELS, Bounds, check_degrees, file_crs
from terrazzo.labels.vector_formats import VECTOR_SUFFIXES, sniff_vector
from terrazzo.labels.vector_table import Geometries, Value, VectorTable
from terrazzo.rasters.place import Place
from terrazzo.rasters.window import Shape, Window, whole

__all__ = ["VECTOR_SUFFIXES", "Key", "VectorFile", "VectorLabels", "class_keys"]

log = logging.getLogger(__name__)

Key = str | float
"""What an attribute says of a feature's class."""


@dataclass(frozen=True, kw_only=True)
class VectorFile:
    """A layer of polygons, lines and points, loaded once and shared by all images and threads."""

    path: Path
    crs: CRS | None
    """CRS of the coordinates; None where nobody says it, and where they are pixels."""
    in_pixels: bool
    """Whether x is the column and y the row of an image, from its upper left corner."""
    parts: Geometries
    """Single 2-D geometries in the order of the features."""
    rows: NDArray[np.int64]
    """Which feature each part is of, from 0."""
    keys: tuple[Key, ...] | None
    """The different values of the attribute; None where all features are of one class."""
    codes: NDArray[np.int64]
    """(features) position in `keys`, -1 for features that are not drawn; all 0 where there are no keys."""

    @classmethod
    def load(cls, path: Path, options: LabelOptions) -> "VectorFile":
        """Read a layer; what is repaired or left out is told once, as a warning.

        Raises LabelError if the file cannot be read or used as labels, UsageError if an option cannot be.
        """
        table = read_vector(path, options)
        features = clean(table.parts, table.rows, table.count)
        _tell(path, features, table.count)
        _check_width(path, features, options)
        keys, codes = _coded(path, table, np.unique(features.rows), options)
        in_pixels = options.crs is not None and options.crs.casefold() == PIXELS
        crs = None if in_pixels else file_crs(path, table, options.crs)
        if crs is not None and len(features.parts):
            check_degrees(path, crs, _bounds(features.parts))
        if crs is None and not in_pixels:
            log.warning("%s names no CRS: its coordinates are taken for those of the images. To name one: [labels] crs.", path)
        return cls(path=path, crs=crs, in_pixels=in_pixels, parts=features.parts, rows=features.rows, keys=keys, codes=codes)

    @property
    def object_count(self) -> int:
        """Number of features that are drawn."""
        return int(np.count_nonzero(self.codes >= 0))

    def class_keys(self) -> Mapping[Key, int]:
        """The values of the attribute with how many features have each; empty where there is no attribute."""
        if self.keys is None:
            return {}
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.keys))
        return dict(zip(self.keys, counts.tolist(), strict=True))

    def touches(self, image: LabelledImage, options: LabelOptions) -> bool:
        """Whether a feature may lie on an image, going by bounds.

        Raises LabelError as VectorLabels does.
        """
        return bool(self.near(_placing(self, image, options)).size)

    def near(self, placing: Placing) -> NDArray[np.intp]:
        """Positions of the parts that may lie on an image, in their order."""
        found: NDArray[np.intp] = np.sort(self._tree.query(shapely.box(*placing.seen)))
        return found

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.parts)


class VectorLabels:
    """The features of a vector file on one image, read window by window, from several threads if need be.

    Pixels whose centre lies in a polygon have its class; later features of the file cover earlier ones.
    Raises LabelError if the image has no place on the ground, if the file's coordinates have none on it, or if an attribute's
    value is outside the legend.
    """

    has_instances = True

    def __init__(self, image: LabelledImage, file: VectorFile, legend: Legend, options: LabelOptions, *, alone: bool = False) -> None:
        """alone: features of the legend's background are left out, so that they cover nothing."""
        self.image = image
        self._all_touched = options.all_touched
        self._background = legend.background
        classes = _classes(file, legend)
        placing = _placing(file, image, options)
        near = file.near(placing)
        if alone:
            near = near[classes[file.codes[file.rows[near]]] != legend.background]
        self._polygons, origin = placing.polygons(file.parts[near], str(file.path))
        features = file.rows[near[origin]]
        self._classes = classes[file.codes[features]]
        self._objects = (features + 1).astype(np.uint32)

    @property
    def shape(self) -> Shape:
        """(height, width) in pixels."""
        return self.image.grid.shape

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Class indices (height, width) of a window, 255 where left out, or outside the image."""
        out = np.full(window.shape, IGNORE, np.uint8)
        inside = window.intersection(whole(self.shape))
        if inside is not None:
            drawn = np.full(inside.shape, self._background, np.uint8)
            self._polygons.draw(drawn, inside, self._classes, all_touched=self._all_touched)
            out[inside.inside(window)] = drawn
        return out

    def instances(self, window: Window) -> NDArray[np.uint32]:
        """Object numbers (height, width): the feature's number in the file, from 1; 0 where there is none."""
        out = np.zeros(window.shape, np.uint32)
        inside = window.intersection(whole(self.shape))
        if inside is not None:
            drawn = np.zeros(inside.shape, np.uint32)
            self._polygons.draw(drawn, inside, self._objects, all_touched=self._all_touched)
            out[inside.inside(window)] = drawn
        return out

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def class_keys(files: Iterable[VectorFile]) -> Mapping[Key, int]:
    """The values of the attribute over files, and how many features have each; empty where there is no attribute."""
    total: Counter[Key] = Counter()
    for file in files:
        total.update(file.class_keys())
    return dict(total)


def read_vector(path: Path, options: LabelOptions) -> VectorTable:
    """Read a layer of any vector format. Raises LabelError if it cannot be read, or the layer or attribute is not in it."""
    kind = sniff_vector(path)
    if kind == "GeoJSON":
        return read_geojson(path, options.attribute, options.layer)
    if kind == "Parquet":
        return read_parquet(path, options.attribute, options.layer)
    return read_ogr(path, kind, options.attribute, options.layer)


def _tell(path: Path, features: Features, count: int) -> None:
    if features.dropped:
        left_out = f"{features.dropped} of {counted(count, 'feature')}"
        log.warning("%s: %s without a geometry, or with coordinates that are not finite: left out.", path, left_out)
    if features.crossing:
        crossing = counted(features.crossing, "polygon")
        log.warning("%s: %s with an outline that crosses itself: filled by the even-odd rule.", path, crossing)


def _check_width(path: Path, features: Features, options: LabelOptions) -> None:
    thin = int(np.count_nonzero(shapely.get_type_id(features.parts) != POLYGON))
    if thin and options.width is None:
        raise LabelError(f"{path} has lines or points, which cover no pixels. Set [labels] width, in units of the images' CRS.")


def _coded(
    path: Path, table: VectorTable, drawn: NDArray[np.int64], options: LabelOptions
) -> tuple[tuple[Key, ...] | None, NDArray[np.int64]]:
    """The different values of the attribute, and which each feature has."""
    codes = np.full(table.count, -1, np.int64)
    if table.values is None:
        codes[drawn] = 0
        return None, codes
    values: list[Value] = [table.values[row] for row in drawn]
    missing = [str(row + 1) for row, value in zip(drawn, values, strict=True) if value is None]
    if missing:
        where = f"{len(missing)} of {counted(table.count, 'feature')} (number {listed(missing)})"
        raise LabelError(f"{path}: {where} have no value of {options.attribute!r}. Give them a class, or remove them.")
    positions: dict[Key, int] = {}
    codes[drawn] = [positions.setdefault(value, len(positions)) for value in values if value is not None]
    return tuple(positions), codes


def _classes(file: VectorFile, legend: Legend) -> NDArray[np.uint8]:
    """Class index of each key."""
    if file.keys is None:
        return np.array([_one_class(file, legend)], np.uint8)
    found = [legend.index_of(key) for key in file.keys]
    unknown = [key for key, index in zip(file.keys, found, strict=True) if index is None]
    if unknown:
        counts = file.class_keys()
        shown = listed(f"{_shown(key)} ({counted(counts[key], 'feature')})" for key in unknown)
        classes = listed((f"{entry.value} ({entry.name})" for entry in legend.classes), 12)
        raise LabelError(f"{file.path}: classes outside the legend: {shown}; the legend has {classes}.")
    return np.array([IGNORE if index is None else index for index in found], np.uint8)


def _one_class(file: VectorFile, legend: Legend) -> int:
    """The class of features that have no attribute for it: 1, or the one of two that is not background."""
    others = [index for index in range(len(legend.classes)) if index != legend.background]
    if len(others) == 1:
        return others[0]
    index = legend.index(1)
    if index is None or index == legend.background:
        raise LabelError(f"{file.path}: the legend has {len(legend.classes)} classes, none of the value 1. Set [labels] attribute.")
    return index


def _shown(key: Key) -> str:
    return repr(key) if isinstance(key, str) else number(key)


def _placing(file: VectorFile, image: LabelledImage, options: LabelOptions) -> Placing:
    grid = image.grid
    if file.in_pixels:
        if image.place is not None and grid.crs is not None and image.place != Place.of(grid, None):
            raise LabelError(f"{file.path} is in pixels, and those of {image.path} are resampled. Give labels in the image's CRS.")
        return Placing(image=image, transform=Affine.identity(), file_crs=None, image_crs=None, width=options.width)
    if grid.crs is None or grid.transform is None:
        raise LabelError(
            f"{image.path} has no place on the ground, so that {file.path} cannot be laid on it. Georeference the image, or give "
            "labels in columns and rows, with [labels] crs = 'pixels'."
        )
    try:
        image_crs = CRS.from_wkt(grid.crs.to_wkt())
    except CRSError as error:
        raise LabelError(f"{image.path} has a CRS that PROJ does not know, so that {file.path} cannot be laid on it.") from error
    placing = Placing(
        image=image,
        transform=grid.transform,
        file_crs=file.crs or image_crs,
        image_crs=image_crs,
        width=options.width,
    )
    if file.crs is None and len(file.parts):
        _check_overlap(file, image, placing.ground)
    return placing


def _check_overlap(file: VectorFile, image: LabelledImage, ground: Bounds) -> None:
    """Raise LabelError if coordinates of an unknown CRS cannot be in the image's."""
    left, bottom, right, top = _bounds(file.parts)
    if left > ground[2] or right < ground[0] or bottom > ground[3] or top < ground[1]:
        raise LabelError(
            f"{file.path} names no CRS, and its coordinates, from ({left:.8g}, {bottom:.8g}) to ({right:.8g}, {top:.8g}), are not on "
            f"{image.path}, from ({ground[0]:.8g}, {ground[1]:.8g}) to ({ground[2]:.8g}, {ground[3]:.8g}). Set [labels] crs."
        )


def _bounds(parts: Geometries) -> Bounds:
    left, bottom, right, top = shapely.total_bounds(parts).tolist()
    return left, bottom, right, top
