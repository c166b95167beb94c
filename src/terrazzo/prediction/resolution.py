"""The cells of an image beside those that a model was trained on, and the size in which it has the model's."""

import math

from rasterio.crs import CRS
from rasterio.errors import CRSError

from terrazzo.models.bundle import ModelCard
from terrazzo.rasters.raster import Raster
from terrazzo.rasters.window import Shape

TOLERANCE = 1.1
"""Cells up to as many times as large, or as small, as the model's are alike."""

CellSize = tuple[float, float]
"""Width and height of a cell."""


def cells_of(raster: Raster, card: ModelCard) -> CellSize | None:
    """The cell size of an image's own pixels at its centre, in the CRS of the model; None if one of both has no place on the ground."""
    crs = _crs_of(card)
    if raster.place is None or card.cell_size is None or crs is None:
        return None
    corners = raster.place.central_pixel(crs)
    if corners is None:
        return None
    place, right, below = corners
    return math.dist(place, right), math.dist(place, below)


def cells_differ(cells: CellSize | None, card: ModelCard) -> bool:
    """Whether cells are larger or smaller than the model's by more than TOLERANCE; what is not known does not differ."""
    if cells is None or card.cell_size is None:
        return False
    return any(not 1 / TOLERANCE <= own / trained <= TOLERANCE for own, trained in zip(cells, card.cell_size, strict=True))


def models_differ(one: ModelCard, other: ModelCard) -> bool:
    """Whether two models were trained on cells of other sizes; what is not known, or is in other units, does not differ."""
    crs, its = _crs_of(one), _crs_of(other)
    if crs is None or its is None or crs.units_factor != its.units_factor:
        return False
    return cells_differ(one.cell_size, other)


def _crs_of(card: ModelCard) -> CRS | None:
    """The CRS that a model's cells are measured in; None if there is none, or none that is known here."""
    try:
        return None if card.crs is None else CRS.from_user_input(card.crs)
    except CRSError:
        return None


def matching_size(raster: Raster, card: ModelCard) -> Shape | None:
    """(height, width) in pixels in which an image has the model's cells; None if it has them already, or if that cannot be told."""
    cells = cells_of(raster, card)
    if cells is None or card.cell_size is None or not cells_differ(cells, card):
        return None
    height, width = raster.own_grid.shape
    return max(1, round(height * cells[1] / card.cell_size[1])), max(1, round(width * cells[0] / card.cell_size[0]))
