"""Ground that training must not see, as rectangles in the pixels of each scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

from terrazzo.rasters.grid import Grid
from terrazzo.rasters.window import Window, whole
from terrazzo.samples.footprints import SceneWindows, footprints
from terrazzo.samples.table import PARTS, Samples

HELD_OUT = PARTS[1:]


@dataclass(frozen=True, kw_only=True)
class Rectangles:
    """Many windows of one scene, asked together."""

    edges: NDArray[np.int64]
    """(4, n) left, top, right, bottom in pixels, right and bottom exclusive."""

    @classmethod
    def of(cls, windows: Sequence[Window]) -> "Rectangles":
        edges = [(window.col_off, window.row_off, window.col_end, window.row_end) for window in windows]
        return cls(edges=np.array(edges, np.int64).reshape(-1, 4).T)

    def touch(self, window: Window) -> bool:
        """Whether a window shares a pixel with any of them."""
        left, top, right, bottom = self.edges
        return bool(np.any((left < window.col_end) & (right > window.col_off) & (top < window.row_end) & (bottom > window.row_off)))

    def covered(self, band: Window) -> NDArray[np.bool_]:
        """(height, width) of a window: which of its pixels lie in any of them."""
        left, top, right, bottom = self.edges
        near = (left < band.col_end) & (right > band.col_off) & (top < band.row_end) & (bottom > band.row_off)
        covered = np.zeros(band.shape, np.bool_)
        for window in self.edges[:, near].T - np.array([band.col_off, band.row_off] * 2):
            first_col, first_row, last_col, last_row = np.maximum(window, 0).tolist()
            covered[first_row:last_row, first_col:last_col] = True
        return covered


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Held-out windows, by scene."""

    rectangles: Mapping[str, Rectangles]
    everywhere: frozenset[str] = frozenset()
    """Scenes in which nothing can be told, so that no window may be moved."""

    @classmethod
    def of(cls, samples: Samples, grids: Mapping[str, Grid]) -> "HeldOut":
        """The held-out windows of a scene, of its copies and of images alike; scenes that share ground with held-out windows of others.

        grids: of all scenes that have training windows, by name.
        """
        frame = samples.frame
        held: dict[str, NDArray[np.int64]] = {}
        for image, rows in frame[frame["split"].isin(HELD_OUT)].groupby("image_digest", sort=False):
            held[str(image)] = Rectangles.of(replace(samples, frame=rows).windows()).edges
        shown = {**held}
        for pair in samples.alike or ():
            moved = np.array([*pair.shift, *pair.shift])[:, None]
            for image, other, edges in ((pair.a, pair.b, moved), (pair.b, pair.a, -moved)):
                if other in held:
                    shown[image] = np.concatenate([shown.get(image, np.empty((4, 0), np.int64)), held[other] + edges], axis=1)
        scenes = frame.drop_duplicates("scene")
        rectangles = {
            str(scene): Rectangles(edges=shown[image])
            for scene, image in zip(scenes["scene"], scenes["image_digest"], strict=True)
            if image in shown
        }
        return cls(rectangles=rectangles, everywhere=_shared_ground(frame, grids))

    def touches(self, scene: str, window: Window) -> bool:
        """Whether a window of a scene shares a pixel with held-out ground."""
        return scene in self.everywhere or (scene in self.rectangles and self.rectangles[scene].touch(window))


def _shared_ground(frame: geopandas.GeoDataFrame, grids: Mapping[str, Grid]) -> frozenset[str]:
    """Training scenes of which at least half a pixel lies in held-out windows of another scene; scenes that only meet share nothing."""
    if frame.crs is None:
        return frozenset()
    names = np.array(sorted(grids), object)
    outlines, crs, _ = footprints([SceneWindows(grid=grids[name], windows=[whole(grids[name].shape)]) for name in names])
    if crs is None:
        return frozenset()
    grounds = geopandas.GeoSeries(outlines, crs=crs).to_crs(frame.crs).to_numpy()
    pixels = np.array([shapely.area(ground) / np.prod(grids[name].shape) for name, ground in zip(names, grounds, strict=True)])
    held = frame[frame["split"].isin(HELD_OUT)]
    held_scenes, held_grounds = held["scene"].to_numpy(), held.geometry.to_numpy()
    mine, theirs = shapely.STRtree(held_grounds).query(grounds, predicate="intersects")
    apart = names[mine] != held_scenes[theirs]
    mine, theirs = mine[apart], theirs[apart]
    shared = shapely.area(shapely.intersection(grounds[mine], held_grounds[theirs])) > 0.5 * pixels[mine]
    return frozenset(names[mine[shared]].tolist())
