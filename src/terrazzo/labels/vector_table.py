"""What the layer of a vector file holds, as it stands there: geometries, the values of one attribute, the name of the CRS."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.errors import LabelError
from terrazzo.labels.sentences import listed

Geometries = NDArray[np.object_]
"""shapely geometries; None where a feature has none."""
Value = str | float | None
"""Value of an attribute: text, number (true is 1), or nothing."""

_DEEPEST = 64
"""Collections inside each other that are taken apart."""


@dataclass(frozen=True, kw_only=True)
class VectorTable:
    """One layer: `parts` are single polygons, lines and points, in the order of the features."""

    parts: Geometries
    rows: NDArray[np.int64]
    """Which feature each part is of, from 0."""
    count: int
    """Number of features."""
    values: Sequence[Value] | None
    """The attribute of each feature; None where none was asked for."""
    crs: str | None
    """What the file says about its CRS, as pyproj reads it; None where it says nothing."""
    crs_by_rule: bool = False
    """Whether the CRS is not named in the file but follows from its format."""


def split_parts(geometries: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Single geometries and the position of the one that each comes from; those that are None or empty have none."""
    rows = np.flatnonzero(~(shapely.is_missing(geometries) | shapely.is_empty(geometries)))
    parts = geometries[rows]
    for _ in range(_DEEPEST):
        if not (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
            break
        parts, origins = shapely.get_parts(parts, return_index=True)
        rows = rows[origins]
    return parts, rows


def clean_values(path: Path, attribute: str, values: Iterable[Any]) -> list[Value]:
    """Values of an attribute as texts and numbers.

    Raises LabelError if a value is a list or an object.
    """
    return [_clean(path, attribute, number, value) for number, value in enumerate(values, start=1)]


def unknown_attribute(path: Path, attribute: str, known: Iterable[str]) -> LabelError:
    return LabelError(
        f"{path} has no attribute {attribute!r}; it has {listed(sorted(known), 20) or 'none'}. Set [labels] attribute to one of them."
    )


def _clean(path: Path, attribute: str, number: int, value: Any) -> Value:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return _number(value)
    if isinstance(value, (np.datetime64, np.str_)):
        return str(value)
    raise LabelError(f"{path}: the attribute {attribute!r} of feature {number} is {value!r:.60}; a class is a number or a text.")


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except OverflowError:
        return None
    return None if np.isnan(found) else found
