"""Areas of interest: polygons of a vector file whose ground is on one side."""

from pathlib import Path

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from terrazzo.errors import SplitError
from terrazzo.labels.options import LabelOptions
from terrazzo.labels.vector_crs import way
from terrazzo.labels.vectors import VectorFile
from terrazzo.samples.split.deal import DROPPED, TEST, TRAIN, VALIDATION, Sides
from terrazzo.samples.split.lists import OPEN
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import PARTS, Samples

PIECES = 256
"""The outline of an area is brought to another CRS in so many steps across its extent, for straight lines may bend there."""


def area_sides(samples: Samples, options: SplitOptions) -> Sides:
    """The side of each sample that lies wholly in the area of a part, DROPPED across the border of one, OPEN for the others.

    Half a pixel of ground counts as none.
    Raises SplitError if the samples or an area have no place on the ground, if an area holds no polygon or no window, and if areas of
    two parts share windows; LabelError if its file cannot be read.
    """
    sides = np.full(len(samples), OPEN, np.int8)
    areas = {TRAIN: options.train_area, VALIDATION: options.validation_area, TEST: options.test_area}
    for side, path in areas.items():
        if path is None:
            continue
        inside, touched = _told(samples, path)
        name = f"[split] {PARTS[side]}_area"
        if not inside.any():
            raise SplitError(f"{name}: no window lies wholly in the polygons of {path}. Check its CRS and place, or lower [samples] size.")
        if (inside & (sides != OPEN) & (sides != DROPPED)).any():
            raise SplitError(f"{name}: {path} shares ground with the area of another part. Draw areas that do not overlap.")
        sides[touched & (sides == OPEN)] = DROPPED
        sides[inside] = side
        # a window in one area and across the border of another is on no side
        sides[touched & ~inside & (sides != side)] = DROPPED
    return sides


def _told(samples: Samples, path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(windows,) whether each lies wholly in an area, and whether it shares ground with it."""
    geometry = samples.frame.geometry.to_numpy()
    area = _area(samples, path)
    shapely.prepare(area)
    touched = np.flatnonzero(shapely.intersects(area, geometry))
    ground = shapely.area(geometry[touched])
    pixel = ground / (samples.frame["width"] * samples.frame["height"]).to_numpy(np.float64)[touched]
    # most windows lie inside: only those at the border are cut
    shared = np.where(shapely.contains(area, geometry[touched]), ground, -1.0)
    border = shared < 0
    shared[border] = shapely.area(shapely.intersection(area, geometry[touched[border]]))
    inside, sharing = np.zeros(len(samples), np.bool_), np.zeros(len(samples), np.bool_)
    inside[touched] = ground - shared <= 0.5 * pixel
    sharing[touched] = shared > 0.5 * pixel
    return inside, sharing


def _area(samples: Samples, path: Path) -> shapely.Geometry:
    """All polygons of a file as one, in the CRS of the samples."""
    crs = samples.frame.crs
    if crs is None:
        raise SplitError(f"{path}: areas need images with a place on the ground; these have none. Split by scene or block.")
    # a width lets lines and points pass, which are left out in words of this place
    file = VectorFile.load(path, LabelOptions(width=1))
    polygons = file.parts[shapely.get_type_id(file.parts) == shapely.GeometryType.POLYGON]
    if not len(polygons):
        raise SplitError(f"{path} holds no polygon. Give areas as polygons.")
    area = shapely.union_all(polygons)
    transformer = way(file.crs, pyproj.CRS(crs)) if file.crs is not None else None
    if transformer is None:
        return area
    left, bottom, right, top = shapely.bounds(area)
    fine = shapely.segmentize(area, max(right - left, top - bottom) / PIECES)
    return shapely.make_valid(shapely.transform(fine, lambda points: np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)))
