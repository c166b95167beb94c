"""Alike images of a table, looked for where the split asks for it."""

import logging

from terrazzo.errors import DataError
from terrazzo.progress import Progress
from terrazzo.rasters.options import DataOptions
from terrazzo.samples.audit.search import find_alike
from terrazzo.samples.split.options import SplitOptions
from terrazzo.samples.table import Samples

log = logging.getLogger(__name__)


def with_alike(samples: Samples, data: DataOptions, split: SplitOptions, progress: Progress) -> Samples:
    """The table with the pairs of images that show the same ground without saying so.

    As it is where somebody looked before, and with [split] alike = 'off'.
    data: how the images are read. Where alike images are only warned of, images that cannot be read are a warning too.
    Raises RasterError naming all images that cannot be read.
    """
    if split.alike == "off" or samples.alike is not None:
        return samples
    try:
        return find_alike(samples, data, progress)
    except DataError as error:
        if split.alike != "warn":
            raise
        log.warning("Alike images are not looked for: %s", error)
        return samples
