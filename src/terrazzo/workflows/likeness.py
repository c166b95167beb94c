"""What predict says of images that are unlike those of the training."""

import logging
from collections.abc import Sequence

from terrazzo.errors import UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import listed
from terrazzo.models.bundle import Bundle, ModelCard
from terrazzo.prediction.likeness import unlike_bands
from terrazzo.prediction.resolution import cells_differ, cells_of
from terrazzo.prediction.stream import Job

logger = logging.getLogger(__name__)
LISTED = 3
"""Images of which the figures are shown."""


def check_matching(card: ModelCard) -> None:
    """Raise UsageError if the model has no cell size of its own to read images at."""
    if card.reading.resize is not None:
        height, width = card.reading.resize
        raise UsageError(f"--match-resolution: the model works at {height} x {width} pixels, whatever the cells. Leave it out.")
    if card.cell_size is None:
        raise UsageError("--match-resolution: the model was trained on images without map coordinates and has no cell size. Leave it out.")


def tell_unlike(jobs: Sequence[Job], bundles: Sequence[Bundle]) -> None:
    """Warn of images whose cells or pixel values are unlike those that a model was trained on.

    bundles: the models that are averaged, of cells alike.
    Raises RasterError naming all images that cannot be read.
    """
    _tell_cells(jobs, bundles[0].card)
    scalings = [bundle.scaling for bundle in bundles]
    found: list[str] = []
    failures = Failures()
    for job in jobs:
        with failures.collect():
            if bands := unlike_bands(job, scalings):
                found.append(f"{job.raster.path.name}: {listed(map(str, bands), LISTED)}")
    failures.check(len(jobs), "images")
    if found:
        logger.warning(
            "Pixel values are unlike those that %s was trained on, so that maps may be poor: %s. Are units, bits and the order of "
            "bands those of the training?",
            "the model" if len(bundles) == 1 else "a model of the ensemble",
            listed(found, LISTED),
        )


def _tell_cells(jobs: Sequence[Job], card: ModelCard) -> None:
    # what is brought to one size has the cells that it has
    told = [] if card.reading.resize is not None else [(job, cells_of(job.mapped, card)) for job in jobs if not job.matched]
    other = [f"{job.raster.path.name} ({cells[0]:.4g} x {cells[1]:.4g})" for job, cells in told if cells and cells_differ(cells, card)]
    if other and card.cell_size is not None:
        width, height = card.cell_size
        logger.warning(
            "The model was trained on cells of %.4g x %.4g; those of %s are of another size, so that maps may be poor. --match-resolution "
            "reads them at the model's.",
            width,
            height,
            listed(other, LISTED),
        )
