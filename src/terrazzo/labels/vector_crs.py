"""Where the coordinates of a vector file lie: which CRS they are in, and the way to that of an image."""

import logging
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import TransformerGroup

from terrazzo.errors import LabelError, UsageError
from terrazzo.labels.vector_table import VectorTable

log = logging.getLogger(__name__)

Bounds = tuple[float, float, float, float]
"""x and y of the lower left and of the upper right corner."""
Place = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(n, 2) coordinates to (n, 2) others."""

PIXELS = "pixels"
"""What [labels] crs says of coordinates that are columns and rows."""

_LON, _LAT = 180.001, 90.001
_LATTICE = 9
_GROUP = threading.Lock()


def file_crs(path: Path, table: VectorTable, declared: str | None) -> CRS | None:
    """The CRS of a file: the one that it names, else the declared one, else that of its format; None if there is none of these.

    Raises LabelError if the file's is unreadable, UsageError if the declared one is.
    """
    given = None if declared is None else _declared(declared)
    named = _named(path, table.crs)
    if named is None or (table.crs_by_rule and given is not None):
        return given
    if given is not None and not named.equals(given, ignore_axis_order=True):
        log.warning("%s says that its CRS is %s; [labels] crs (%s) is for files that name none.", path, _title(named), declared)
    return named


def in_degrees(bounds: Bounds) -> bool:
    """Whether coordinates can be longitudes and latitudes."""
    left, bottom, right, top = bounds
    return left >= -_LON and right <= _LON and bottom >= -_LAT and top <= _LAT


def check_degrees(path: Path, crs: CRS, bounds: Bounds) -> None:
    """Raise LabelError if coordinates that are said to be longitudes and latitudes cannot be."""
    left, bottom, right, top = bounds
    if crs.is_geographic and not in_degrees(bounds):
        raise LabelError(
            f"{path} has coordinates from ({left:.8g}, {bottom:.8g}) to ({right:.8g}, {top:.8g}), which are no degrees of {_title(crs)}. "
            "Set [labels] crs to the CRS that they are in, such as 'EPSG:32633' (or 'pixels')."
        )


def way(source: CRS, target: CRS) -> Transformer | None:
    """From one CRS to another, x before y; None if they are the same.

    Raises LabelError if there is no way.
    """
    # several threads would set up the same
    with _GROUP:
        return _way(source, target)


def largest_step(place: Place, bounds: Bounds, error: float) -> float:
    """How long a straight line may be within bounds, so that its image bends away from a straight one by at most `error`.

    place: where coordinates go. Infinity where it bends nothing.
    """
    left, bottom, right, top = bounds
    shares = np.linspace(0, 1, _LATTICE)
    x, y = np.meshgrid(left + shares * (right - left), bottom + shares * (top - bottom))
    source = np.stack([x, y], axis=-1)
    image = place(source.reshape(-1, 2)).reshape(source.shape)
    steps = [np.inf]
    for rows, columns in ((0, 1), (1, 0), (1, 1)):
        start, _, stop = _lines(source, rows, columns)
        first, middle, last = _lines(image, rows, columns)
        length = np.hypot(*np.moveaxis(stop - start, -1, 0))
        # far from where a projection is for, coordinates may be infinite
        with np.errstate(invalid="ignore"):
            bend = np.hypot(*np.moveaxis(middle - (first + last) / 2, -1, 0))
        seen = np.isfinite(bend) & (bend > 0)
        # the bend grows with the square of the length
        steps.append(np.min(length[seen] * np.sqrt(error / bend[seen]), initial=np.inf))
    diagonal = np.hypot(right - left, top - bottom)
    return float(max(min(steps), diagonal / 4096))


def _lines(points: NDArray[np.float64], rows: int, columns: int) -> list[NDArray[np.float64]]:
    """First, middle and last points of all lines of two steps over a lattice."""
    height, width = points.shape[0] - 2 * rows, points.shape[1] - 2 * columns
    return [points[step * rows : step * rows + height, step * columns : step * columns + width] for step in range(3)]


@lru_cache(maxsize=64)
def _way(source: CRS, target: CRS) -> Transformer | None:
    if source.equals(target, ignore_axis_order=True):
        return None
    try:
        with warnings.catch_warnings():
            # said below, in words for people
            warnings.simplefilter("ignore", UserWarning)
            group = TransformerGroup(source, target, always_xy=True)
        found = Transformer.from_crs(source, target, always_xy=True)
    except ProjError as error:
        raise LabelError(f"There is no way from {_title(source)} to {_title(target)}: {error}.") from error
    accuracy = group.transformers[0].accuracy if group.transformers else -1
    if not group.best_available and not 0 <= accuracy <= 5:
        how = f"good to {accuracy:g} m" if accuracy > 0 else "of unknown accuracy"
        log.warning("PROJ lacks the grid file from %s to %s; the way that is taken is %s.", _title(source), _title(target), how)
    return found


def _declared(text: str) -> CRS:
    try:
        return _flat(CRS.from_user_input(text))
    except CRSError as error:
        raise UsageError(f"labels.crs is {text!r}, which is no CRS; write it as 'EPSG:32633', or 'pixels'.") from error


def _named(path: Path, text: str | None) -> CRS | None:
    if text is None:
        return None
    try:
        found = _flat(CRS.from_user_input(text))
    except CRSError as error:
        raise LabelError(f"{path} names a CRS that PROJ does not know: {text!r:.80}. Set it right in the file.") from error
    # how GeoPackage and MapInfo say that nothing is known
    return None if found.is_engineering or found.name.startswith("Undefined") else found


def _flat(crs: CRS) -> CRS:
    """Without heights."""
    return crs.sub_crs_list[0] if crs.is_compound else crs.to_2d()


def _title(crs: CRS) -> str:
    return str(crs.to_string()) if len(crs.to_string()) < 30 else str(crs.name)
