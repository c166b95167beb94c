"""A strip of ground between the parts: windows too near to held-out ground are in no other part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.samples.overlaps import Positions
from terrazzo.samples.split.deal import DROPPED, TEST, TRAIN, VALIDATION, Sides
from terrazzo.samples.split.metres import cell_m, metres
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

EDGE = 1e-3
"""Pixels: windows that are this much nearer than the buffer are still far enough."""
Boxes = NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """How far windows of a table must be from ground that is held out from them."""

    grounds: Sequence[tuple[Boxes, float]]
    """Where all windows lie, and the buffer in the same unit: in pixels, and on the ground. Empty where no buffer is asked for."""

    @classmethod
    def of(cls, samples: Samples, options: SplitOptions) -> "Buffer":
        """Within an image and its copies distances are in pixels, between images on the ground, where they have a place there.

        Raises SplitError if the buffer is in metres and the images have no place.
        """
        return cls(grounds=_grounds(samples, options) if options.buffer_px or options.buffer_m is not None else ())

    def kept_apart(self, sides: Sides) -> Sides:
        """The sides, but DROPPED for windows nearer than the buffer to ground that is held out from them.

        The test keeps its windows; validation keeps clear of the test, and training of both.
        """
        kept = sides.copy()
        for held, others in ((TEST, (VALIDATION, TRAIN)), (VALIDATION, (TRAIN,))):
            for boxes, reach in self.grounds:
                mine, theirs = np.flatnonzero(np.isin(kept, others)), np.flatnonzero(kept == held)
                kept[_near(boxes, reach, mine, theirs)] = DROPPED
        return kept


def _near(boxes: Boxes, reach: float, mine: Positions, theirs: Positions) -> Positions:
    """Those of `mine` that lie nearer than the reach to one of `theirs`."""
    if not len(mine) or not len(theirs):
        return np.empty(0, np.int64)
    tree = shapely.STRtree(boxes[theirs])
    near = tree.query_nearest(boxes[mine], max_distance=reach, all_matches=False)[0]
    return np.asarray(mine[near])


def _grounds(samples: Samples, options: SplitOptions) -> list[tuple[Boxes, float]]:
    """The windows as rectangles in pixels, different images far apart, and on the ground; each with the buffer in its unit."""
    frame = samples.frame
    cell = cell_m(samples, "buffer_m") if options.buffer_m is not None or frame.crs is not None else (1.0, 1.0)
    pixels = options.buffer_px if options.buffer_m is None else options.buffer_m / min(cell)
    reach = pixels - EDGE
    found = [(_pixel_boxes(samples, pixels), reach)]
    if frame.crs is not None and frame["image_digest"].nunique() > 1:
        scale = np.array(metres(samples, "buffer_m"))
        ground = shapely.transform(frame.geometry.to_numpy(), lambda points: points * scale)
        found.append((ground, (options.buffer_m if options.buffer_m is not None else pixels * max(cell)) - EDGE * min(cell)))
    return found


def _pixel_boxes(samples: Samples, reach: float) -> Boxes:
    frame = samples.frame
    images = np.unique(frame["image_digest"].to_numpy(str), return_inverse=True)[1].reshape(-1)
    left, top = frame["col_off"].to_numpy(np.float64), frame["row_off"].to_numpy(np.float64)
    right, bottom = left + frame["width"].to_numpy(), top + frame["height"].to_numpy()
    shift = images * (np.max(right, initial=0.0) + 2 * reach + 1.0)
    boxes: Boxes = shapely.box(left + shift, top, right + shift, bottom)
    return boxes
