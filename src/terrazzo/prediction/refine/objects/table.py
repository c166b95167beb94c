"""What is known of the pieces of a whole map: class, size, spread, neighbours; gathered band by band."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.refine.objects.borders import Borders, borders_of, merged_borders, rim_of
from terrazzo.prediction.refine.objects.pieces import Band, Classes, Labeller, MapRows, Numbers

Floats = NDArray[np.float64]

PIXELS, AREA_M2, X, Y, XX, YY, XY, SURENESS = range(8)
"""Rows of `PieceTable.sums`: over the pixels, of the column and row of their centres and of their products, of the probability of
the class that was predicted."""


@dataclass(frozen=True, kw_only=True)
class PieceTable:
    """The pieces of a map, numbered from 0 on."""

    place: Numbers
    """(numbers + 1,): the piece that each number of the bands has become; the first says nothing."""
    classes: Classes
    """(pieces,)."""
    sums: Floats
    """(8, pieces), see above; whole numbers in them are exact up to 2^53. NaN where square metres or probabilities are not known."""
    lows: Numbers
    """(4, pieces): first column, first row, -last column, -last row."""
    rim: NDArray[np.bool_]
    """(pieces,): whether it reaches the border of the map, or ground without a class."""
    borders: Borders

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def pixels(self) -> Numbers:
        """(pieces,)."""
        return np.asarray(self.sums[PIXELS], np.int64)


class Gathering:
    """Gathers the pieces of a map while its bands come."""

    def __init__(self, labeller: Labeller, pixel_areas: Floats | None) -> None:
        """pixel_areas: (height,), square metres of a pixel of each row, where they are known."""
        self._labeller = labeller
        self._pixel_areas = pixel_areas
        self._classes: list[Classes] = []
        self._sums: list[Floats] = []
        self._lows: list[Numbers] = []
        self._borders: list[Borders] = []
        self._rim: list[Numbers] = []

    def add(self, rows: MapRows) -> None:
        """Take the next rows."""
        band = self._labeller.number(rows)
        above = self._labeller.above
        self._labeller.join(band)
        sums, lows = _measured(band, self._pixel_areas)
        self._classes.append(band.classes)
        self._sums.append(sums)
        self._lows.append(lows)
        self._borders.append(borders_of(band, above))
        self._rim.append(rim_of(band, above))

    def table(self) -> PieceTable:
        """The pieces of all rows; those of the last reach the border."""
        roots = self._labeller.unions.roots()
        kept, place = np.unique(roots[1:], return_inverse=True)
        count = len(kept)
        classes = np.concatenate(self._classes)[kept - 1]
        sums = np.stack([_added(place, row, count) for row in np.concatenate(self._sums, axis=1)])
        lows = np.full((4, count), np.iinfo(np.int64).max)
        for low, values in zip(lows, np.concatenate(self._lows, axis=1), strict=True):
            np.minimum.at(low, place, values)
        place = np.concatenate([np.zeros(1, np.int64), place])
        rim = np.zeros(count, np.bool_)
        last = self._labeller.above
        for numbers in [*self._rim, last[last > 0] if last is not None else place[:0]]:
            rim[place[numbers]] = True
        return PieceTable(place=place, classes=classes, sums=sums, lows=lows, rim=rim, borders=merged_borders(self._borders, place))


def gather(rows: Iterable[MapRows], labeller: Labeller, pixel_areas: Floats | None) -> PieceTable:
    """The pieces of a map whose rows come from top to bottom."""
    gathering = Gathering(labeller, pixel_areas)
    for each in rows:
        gathering.add(each)
    return gathering.table()


def _measured(band: Band, pixel_areas: Floats | None) -> tuple[Floats, Numbers]:
    """The sums and lows of the pieces of a band, from stretches of rows that are of one piece: there are fewer of them than pixels."""
    places, count = band.places, len(band.classes)
    width = places.shape[1]
    begins = np.ones(places.shape, np.bool_)
    begins[:, 1:] = places[:, 1:] != places[:, :-1]
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=places.size)
    owner = places.ravel()[starts] - 1
    used = owner >= 0
    starts, lengths, owner = starts[used], lengths[used], owner[used]
    rows, columns = np.divmod(starts, width)
    rows += band.rows.row_off
    last = columns + lengths - 1
    # of the squares of whole numbers up to n the sum is n (n + 1) (2 n + 1) / 6
    squares = (last * (last + 1) * (2 * last + 1) - (columns - 1) * columns * (2 * columns - 1)) // 6
    across = lengths * (columns + last) // 2
    nothing = np.full(len(starts), np.nan)
    values = (
        lengths,
        lengths * pixel_areas[rows] if pixel_areas is not None else nothing,
        across,
        lengths * rows,
        squares,
        lengths * rows**2,
        across * rows,
    )
    sums = [_added(owner, value, count) for value in values]
    lows = np.full((4, count), np.iinfo(np.int64).max)
    for low, value in zip(lows, (columns, rows, -last, -rows), strict=True):
        np.minimum.at(low, owner, value)
    return np.stack([*sums, _sureness(band)]), lows


def _sureness(band: Band) -> Floats:
    """(pieces,): the sums of the probability of the class that was predicted."""
    count, sureness = len(band.classes), band.rows.sureness
    if sureness is None:
        return np.full(count, np.nan)
    return _added(band.places.ravel(), sureness.ravel(), count + 1)[1:]


def _added(place: NDArray[np.integer], values: NDArray[np.number], count: int) -> Floats:
    """(count,): the sums of values (n,) by their place."""
    return np.asarray(np.bincount(place, weights=values, minlength=count), np.float64)
