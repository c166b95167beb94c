"""--aoi: the area of interest that predict maps alone."""

import logging
from collections.abc import Mapping
from pathlib import Path

from terrazzo.errors import DataError, UsageError
from terrazzo.labels.area import AreaFile
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted, listed
from terrazzo.labels.source import LabelledImage
from terrazzo.prediction.stream import Job

logger = logging.getLogger(__name__)


def load_area(given: str) -> AreaFile:
    """An area of interest: a vector file with polygons, or 'X1,Y1,X2,Y2', two opposite corners in the CRS of the images.

    Raises UsageError if it is neither, LabelError if the file cannot be read or holds no polygon.
    """
    path = Path(given).expanduser()
    if path.exists():
        return AreaFile.load(path)
    try:
        x1, y1, x2, y2 = map(float, given.split(","))
    except ValueError as error:
        raise UsageError(
            f"--aoi {given}: no such file. Give a vector file with polygons, or X1,Y1,X2,Y2, such as 500000,5840000,501000,5841000."
        ) from error
    return AreaFile.of_rectangle((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))


def jobs_within(jobs: Mapping[Path, Job], file: AreaFile) -> dict[Path, Job]:
    """The jobs of what images have in an area; images that have nothing in it are left out, which is told.

    Raises DataError if none has, LabelError if the area has no place in the CRS of an image.
    """
    within: dict[Path, Job] = {}
    beyond: list[LabelledImage] = []
    failures = Failures()
    for path, job in jobs.items():
        with failures.collect():
            image = LabelledImage(name=job.mapped.path.stem, path=job.mapped.path, grid=job.mapped.grid)
            area = file.on(image)
            if area is None:
                beyond.append(image)
            else:
                within[path] = job.within(area)
    failures.check(len(jobs), "images")
    if not within:
        raise DataError(f"--aoi {file.name} holds no pixel of {_named(beyond)}: {file.extent_on(beyond[0])}.")
    if beyond:
        logger.info("Left out, for the area of interest holds no pixel of them: %s.", listed(image.path.name for image in beyond))
    return within


def _named(images: list[LabelledImage]) -> str:
    return str(images[0].path) if len(images) == 1 else counted(len(images), "image")
