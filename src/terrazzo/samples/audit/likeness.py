"""Images that show the same ground without saying so: near-identical pictures and overlapping crops of one scene."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from terrazzo.labels.failures import all_on_threads
from terrazzo.labels.sentences import counted
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import open_raster
from terrazzo.rasters.window import Shape, Window
from terrazzo.samples.audit.gray import GrayImage, GrayStore
from terrazzo.samples.audit.keypoints import Keypoints, find_keypoints
from terrazzo.samples.audit.verify import Likeness, compare, overlap
from terrazzo.samples.audit.votes import Candidate, candidates

MOST_POINTS = 3_000_000
"""Keypoints of all images together; in large sets each image has fewer."""
NEARLY_ALL = 0.9
"""Share of the larger image from which two pictures are near-identical rather than overlapping crops."""
COMPARED_PX = 2048
"""Side of the part that is compared of a large overlap, around the points that agree."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AlikePair:
    """Two images, by their number in the list that was asked about, that show the same ground."""

    a: int
    b: int
    shift: tuple[int, int]
    """The pixel (x, y) of b is the pixel (x, y) + shift of a, give or take a few pixels."""
    kind: Literal["near-identical", "overlapping crops"]


def alike_pairs(paths: Sequence[Path], options: DataOptions, progress: Progress) -> list[AlikePair]:
    """Find pairs of images that show the same ground at the same scale and the same way up, shifted by whole pixels or not at all.

    Compression and brightness may differ. Every pair is verified pixel by pixel. Ground without structure, such as open
    water, tells nothing, and overlaps of less than a tenth may be missed. The pairs are in the order of the images.

    Raises one error naming all images that cannot be read.
    """
    most = MOST_POINTS // max(len(paths), 1)
    points = all_on_threads(lambda path: _points(path, most, options), paths, progress, "look for alike", "images")
    store = GrayStore(options)
    found = list(candidates(points))
    shapes = [each.shape for each in points]
    pairs = []
    with progress.task("compare alike", len(found), "pairs") as advance:
        for candidate in found:
            pair = _verified(candidate, paths, shapes, store)
            if pair is not None:
                pairs.append(pair)
            advance(1)
    log.debug("%s alike of %s that were looked at closely.", counted(len(pairs), "pair"), counted(len(found), "pair"))
    return pairs


def _points(path: Path, most: int, options: DataOptions) -> Keypoints:
    with open_raster(path, options) as raster:
        return find_keypoints(GrayImage(raster), most)


def _verified(candidate: Candidate, paths: Sequence[Path], shapes: Sequence[Shape], store: GrayStore) -> AlikePair | None:
    """The pair, if a look at the pixels bears it out."""
    shape_a, shape_b = shapes[candidate.a], shapes[candidate.b]
    shared = overlap(shape_a, shape_b, candidate.shift)
    if shared is None:
        return None
    if not _look(candidate, paths, _around(shared, candidate.place), store).same:
        return None
    share = shared.width * shared.height / max(shape_a[0] * shape_a[1], shape_b[0] * shape_b[1])
    return AlikePair(
        a=candidate.a,
        b=candidate.b,
        shift=candidate.shift,
        kind="near-identical" if share >= NEARLY_ALL else "overlapping crops",
    )


def _look(candidate: Candidate, paths: Sequence[Path], in_a: Window, store: GrayStore) -> Likeness:
    x, y = candidate.shift
    in_b = Window(col_off=in_a.col_off - x, row_off=in_a.row_off - y, width=in_a.width, height=in_a.height)
    return compare(store.read(paths[candidate.a], in_a), store.read(paths[candidate.b], in_b))


def _around(shared: Window, place: tuple[int, int]) -> Window:
    """The part of an overlap that is compared."""
    width, height = min(shared.width, COMPARED_PX), min(shared.height, COMPARED_PX)
    return Window(
        col_off=max(shared.col_off, min(place[0] - width // 2, shared.col_end - width)),
        row_off=max(shared.row_off, min(place[1] - height // 2, shared.row_end - height)),
        width=width,
        height=height,
    )
