"""The forms in which COCO gives the pixels of an object: polygons, run lengths, or a number in a PNG file."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.coco_counts import unpack
from terrazzo.labels.rle import Runs
from terrazzo.rasters.window import Shape

FARTHEST = 2**30
"""Of a polygon's corner from the image's, in pixels."""
MOST_PIXELS = 2**36
"""Of an image; more would not add up in 64 bits."""
LARGEST_NUMBER = 2**24 - 1
"""Of an object in a panoptic PNG: R + 256 G + 65536 B."""

Ring = NDArray[np.float64]
"""(corners, 2) x and y in pixels, x = 0 and y = 0 being the image's upper left corner."""


@dataclass(frozen=True, slots=True)
class Polygons:
    """The pixels whose centres lie in one of the rings."""

    rings: tuple[Ring, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """The pixels of one number in the image's panoptic PNG."""

    number: int


Form = Polygons | Runs | Segment


class WrongEntryError(Exception):
    """An entry of a COCO file that cannot be used; the text goes on after the entry's name, as in 'has no id'."""


def read_polygons(parts: list[Any]) -> Polygons | None:
    """Read a list of lists of x, y, x, y, ...; rings of less than three corners are left out. None if no ring is left.

    Raises WrongEntryError.
    """
    rings = tuple(ring for part in parts if len(ring := _ring(part)) > 2)
    return Polygons(rings) if rings else None


def read_runs(entry: Mapping[str, Any]) -> tuple[Runs, Shape]:
    """Read counts, packed or not, with the (height, width) that they are for.

    Raises WrongEntryError.
    """
    shape, given = read_shape(entry.get("size")), entry.get("counts")
    if not isinstance(given, str | list):
        raise WrongEntryError("has no counts, which must be a list of whole numbers or a packed text")
    try:
        counts = unpack(given) if isinstance(given, str) else np.array(array("q", given), np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise WrongEntryError(f"has counts that cannot be read: {error}") from error
    pixels = shape[0] * shape[1]
    if (counts < 0).any() or (counts > pixels).any() or int(counts.sum()) != pixels:
        raise WrongEntryError(f"has counts that do not add up to its size of {shape[0]} x {shape[1]} pixels")
    return Runs.of_counts(counts), shape


def read_number(entry: Mapping[str, Any]) -> Segment:
    """Read the number of a segment. Raises WrongEntryError."""
    number = entry.get("id")
    if not _is_whole(number) or not 1 <= number <= LARGEST_NUMBER:
        raise WrongEntryError(f"has a segment with the id {shown(number)}; it must be a whole number from 1 to {LARGEST_NUMBER}")
    return Segment(number)


def read_identity(entry: Mapping[str, Any], name: str) -> int | str:
    """Read what tells an entry from others. Raises WrongEntryError."""
    key = entry.get(name)
    if not isinstance(key, int | str) or isinstance(key, bool):
        raise WrongEntryError(f"has no {name} that is a whole number or a text")
    return key


def read_flag(entry: Mapping[str, Any], name: str) -> bool:
    """Read 0 or 1; what is missing is 0. Raises WrongEntryError."""
    flag = entry.get(name) or 0
    if flag not in (0, 1):
        raise WrongEntryError(f"has an {name} that is neither 0 nor 1")
    return bool(flag)


def read_shape(size: Any) -> Shape:
    """Read (height, width). Raises WrongEntryError."""
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(map(_is_whole, sides)) or min(sides) < 1 or sides[0] * sides[1] > MOST_PIXELS:
        raise WrongEntryError(f"has the height and width {shown(size)}; both must be whole numbers of at least 1")
    return sides[0], sides[1]


def read_relative(entry: Mapping[str, Any], name: str) -> PurePosixPath:
    """Read the name of a file that must lie beside the COCO file, or below. Raises WrongEntryError."""
    text = entry.get(name)
    path = PurePosixPath(text if isinstance(text, str) else "")
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise WrongEntryError(f"has the {name} {shown(text)}, which is no file below the folder of the COCO file")
    return path


def shown(value: Any) -> str:
    """A value in a message, short and on one line."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _ring(part: Any) -> Ring:
    if not isinstance(part, list):
        raise WrongEntryError("has a polygon that is no list; polygons are lists of x, y, x, y, ... in a list")
    try:
        numbers = np.array(array("d", part))
    except (TypeError, OverflowError) as error:
        raise WrongEntryError("has a polygon with something else than numbers") from error
    if len(numbers) % 2:
        raise WrongEntryError(f"has a polygon of {len(numbers)} numbers; x and y are wanted in turn")
    # NaN is not within either
    if not (np.abs(numbers) <= FARTHEST).all():
        raise WrongEntryError("has a polygon with numbers that are no pixels (infinite, or far too large)")
    return numbers.reshape(-1, 2)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
