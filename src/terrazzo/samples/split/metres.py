"""Distances on the ground of a samples table, in metres."""

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.errors import SplitError
from terrazzo.samples.table import Samples

DEGREE_M = 111_320.0
"""Metres in a degree of latitude, roughly."""

Pair = tuple[float, float]
"""(x, y)."""


def metres(samples: Samples, option: str) -> Pair:
    """Metres in a unit of the table's CRS along x and y; in degrees about where its windows lie.

    option: what asks for metres. Raises SplitError if the table has no CRS.
    """
    crs = samples.frame.crs
    if crs is None:
        raise SplitError(f"[split] {option} is in metres, but the images have no place on the ground. Give it in pixels.")
    if crs.is_geographic:
        bounds = samples.frame.total_bounds
        return DEGREE_M * float(np.cos(np.deg2rad((bounds[1] + bounds[3]) / 2))), DEGREE_M
    factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
    return factor, factor


def cell_m(samples: Samples, option: str) -> Pair:
    """Width and height of a pixel in metres, the median of all windows that have a place on the ground.

    Raises SplitError if there is none.
    """
    scale = np.array(metres(samples, option))
    placed = samples.frame.geometry.notna().to_numpy(bool)
    corners = shapely.get_coordinates(samples.frame.geometry.to_numpy()[placed]).reshape(-1, 5, 2) * scale
    sides: NDArray[np.float64] = np.hypot(*np.moveaxis(np.diff(corners, axis=1), -1, 0))
    pixels = samples.frame[["width", "height"]].to_numpy(np.float64)[placed]
    return float(np.median(sides[:, 0] / pixels[:, 0])), float(np.median(sides[:, 1] / pixels[:, 1]))
