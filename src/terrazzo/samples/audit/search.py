"""The search for alike images in a samples table."""

import logging
from dataclasses import replace
from pathlib import Path

from terrazzo.labels.sentences import counted, listed
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.audit.likeness import alike_pairs
from terrazzo.samples.table import Alike, Samples

log = logging.getLogger(__name__)


def find_alike(samples: Samples, options: DataOptions, progress: Progress) -> Samples:
    """The table with the pairs of images without a place on the ground that show the same ground.

    Images with a place are compared by it, and images of the same bytes need no search. Images that are no longer where the table says
    are not looked at, which a warning tells. Raises RasterError naming all images that cannot be read.
    """
    frame = samples.frame if samples.frame.crs is None else samples.frame[samples.frame.geometry.isna()]
    images = frame.drop_duplicates("image_digest")
    found = [(str(digest), Path(path)) for digest, path in zip(images["image_digest"], images["image"], strict=True)]
    missing = [str(path) for _, path in found if not path.is_file()]
    if missing:
        log.warning(
            "%s not there, so nobody can say whether they show the same ground: %s.", counted(len(missing), "image"), listed(missing)
        )
        found = [(digest, path) for digest, path in found if path.is_file()]
    if len(found) < 2:
        return replace(samples, alike=())
    pairs = alike_pairs([path for _, path in found], options, progress)
    alike = tuple(Alike(a=found[pair.a][0], b=found[pair.b][0], shift=pair.shift, kind=pair.kind) for pair in pairs)
    return replace(samples, alike=alike)
