"""The pieces of a class map that comes in bands of rows: connected pixels of one class, the same pieces whatever the bands.

Pieces have numbers from 1 on, band by band; those that a seam cuts have several, which are found to be one. 0 is ground without a class.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.evaluation.objects.components import Unions, diagonals
from terrazzo.labels.legend import IGNORE

BAND_PX = 2**22
"""Pixels of a band, about; its arrays take some forty bytes each."""

Classes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class MapRows:
    """Finished rows of a map, as wide as the raster."""

    row_off: int
    indices: Classes
    """(rows, width) class indices, 255 where there is none."""
    sureness: NDArray[np.uint16] | None = None
    """(rows, width): the probability of the class that was predicted, 65535 = 1; None where nobody needs it."""


@dataclass(frozen=True, kw_only=True)
class Connectivity:
    """Which pixels of a class belong together: those that share a side, or those that share a corner too."""

    corners: bool
    sides_only: int = IGNORE
    """A class whose pixels must share a side all the same: 255, none."""
    classes: int = IGNORE
    """How many classes there are: pixels of other indices are of none, and stay as they are."""

    def of(self, index: int) -> int:
        """4 or 8."""
        return 8 if self.corners and index != self.sides_only else 4


@dataclass(frozen=True, kw_only=True)
class Band:
    """The pieces of a band of rows."""

    rows: MapRows
    places: NDArray[np.int32]
    """(rows, width): the number of the piece in the band, from 1 on; 0 where there is no class."""
    classes: Classes
    """(pieces,): of the numbers 1, 2, ... of the band."""
    base: int
    """What is added to numbers above 0 to have those of the whole map."""

    def row(self, number: int) -> Numbers:
        """Numbers in the whole map along a row of the band, (width,)."""
        places: Numbers = self.places[number].astype(np.int64)
        places[places > 0] += self.base
        return places


class Labeller:
    """Numbers the pieces of a map, band by band from its top; of the same bands always alike."""

    def __init__(self, connectivity: Connectivity) -> None:
        self._connectivity = connectivity
        self._eight = np.array([connectivity.of(index) == 8 for index in range(IGNORE + 1)])
        self._last: Numbers | None = None
        """(2, width): the classes and the numbers along the last row that was joined."""
        self.unions = Unions()

    @property
    def above(self) -> Numbers | None:
        """Numbers along the last row that was joined, (width,); None at the top."""
        return None if self._last is None else self._last[1]

    def number(self, rows: MapRows) -> Band:
        """Number the pieces of the next rows."""
        places, classes = _components(rows.indices, self._connectivity)
        band = Band(rows=rows, places=places, classes=classes, base=len(self.unions))
        self.unions.extend(len(classes))
        return band

    def join(self, band: Band) -> None:
        """Pieces of the band that go on from the last row are one with what is there."""
        first, last = (np.stack([band.rows.indices[row].astype(np.int64), band.row(row)]) for row in (0, -1))
        if self._last is not None:
            for upper, lower in diagonals(self._last, first, (-1, 0, 1)):
                straight = upper.shape[1] == first.shape[1]
                alike = (upper[0] == lower[0]) & (upper[1] > 0) & (straight | self._eight[upper[0]])
                self.unions.unite(upper[1, alike], lower[1, alike])
        self._last = last


def banded(rows: Iterable[MapRows], band_px: int) -> Iterator[MapRows]:
    """The same rows in bands of one height, the last but for what is left. band_px: pixels of a band, about."""
    waiting: list[MapRows] = []
    for piece in rows:
        waiting.append(piece)
        height = max(1, band_px // piece.indices.shape[1])
        while sum(len(each.indices) for each in waiting) >= height:
            whole = _joined(waiting)
            yield _cut(whole, slice(0, height))
            waiting = [_cut(whole, slice(height, None))] if len(whole.indices) > height else []
    if waiting:
        yield _joined(waiting)


def recoded(band: Band, becomes: Classes) -> Classes:
    """Class indices of a band; where there is no piece, its own. becomes: (pieces,), the class of its numbers 1, 2, ..."""
    table = np.concatenate([np.zeros(1, np.uint8), becomes])
    return np.where(band.places > 0, table[band.places], band.rows.indices)


def _components(indices: Classes, connectivity: Connectivity) -> tuple[NDArray[np.int32], Classes]:
    """Numbers (rows, width) from 1 on, class by class, 0 where there is none; and the class of each."""
    places = np.zeros(indices.shape, np.int32)
    classes: list[Classes] = [np.zeros(0, np.uint8)]
    total = 0
    present = np.flatnonzero(np.bincount(indices.ravel(), minlength=IGNORE + 1)[: connectivity.classes])
    for index in present.tolist():
        mask = (indices == index).view(np.uint8)
        found, own = cv2.connectedComponents(mask, connectivity=connectivity.of(index), ltype=cv2.CV_32S)
        np.add(own, total, out=places, where=mask.view(np.bool_))
        classes.append(np.full(found - 1, index, np.uint8))
        total += found - 1
    return places, np.concatenate(classes)


def _joined(rows: list[MapRows]) -> MapRows:
    if len(rows) == 1:
        return rows[0]
    sureness = [each.sureness for each in rows if each.sureness is not None]
    indices = np.concatenate([each.indices for each in rows])
    return MapRows(row_off=rows[0].row_off, indices=indices, sureness=np.concatenate(sureness) if sureness else None)


def _cut(rows: MapRows, part: slice) -> MapRows:
    sureness = None if rows.sureness is None else rows.sureness[part]
    return MapRows(row_off=rows.row_off + (part.start or 0), indices=rows.indices[part], sureness=sureness)
