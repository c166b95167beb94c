"""Ground that training must not see, as rectangles in the pixels of each scene."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Window
from terrazzo.samples.table import Samples

HELD_OUT = ("validation", "test")


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out rectangles a scene: (n, 4) of left, top, right, bottom in pixels, right and bottom exclusive."""

    rectangles: Mapping[str, NDArray[np.float64]]
    everywhere: frozenset[str] = frozenset()
    """Scenes in which nothing can be told, so that no window may be moved."""

    @classmethod
    def of(cls, samples: Samples) -> "HeldOut":
        """Held-out windows of each training scene itself, and those of other scenes on the same ground."""
        frame = samples.frame
        held = frame[frame["split"].isin(HELD_OUT)]
        rectangles: dict[str, NDArray[np.float64]] = {}
        for scene, rows in held.groupby("scene", sort=False):
            left, top = rows["col_off"].to_numpy(np.float64), rows["row_off"].to_numpy(np.float64)
            rectangles[str(scene)] = np.stack([left, top, left + rows["width"].to_numpy(), top + rows["height"].to_numpy()], axis=1)
        return cls(rectangles=rectangles, everywhere=_shared_ground(samples))

    def touches(self, scene: str, window: Window) -> bool:
        """Whether a window of a scene shares a pixel with held-out ground."""
        if scene in self.everywhere:
            return True
        rectangles = self.rectangles.get(scene)
        if rectangles is None:
            return False
        left, top, right, bottom = rectangles.T
        return bool(np.any((left < window.col_end) & (right > window.col_off) & (top < window.row_end) & (bottom > window.row_off)))


def _shared_ground(samples: Samples) -> frozenset[str]:
    """Training scenes whose ground touches held-out windows of another scene: their windows stay where the split put them."""
    frame = samples.frame
    if frame.crs is None:
        return frozenset()
    held = frame[frame["split"].isin(HELD_OUT)]
    learned = frame["scene"].isin(frame.loc[frame["split"] == "train", "scene"])
    held_scenes, held_boxes = held["scene"].to_numpy(), held.geometry.to_numpy()
    shared = set()
    for scene, rows in frame[learned].groupby("scene", sort=False):
        ground = rows.geometry.union_all().envelope
        near = held.geometry.sindex.query(ground, predicate="intersects")
        if any(held_scenes[index] != scene and held_boxes[index].intersects(ground) for index in near):
            shared.add(str(scene))
    return frozenset(shared)
