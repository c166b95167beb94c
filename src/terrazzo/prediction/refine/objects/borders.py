"""Where the pieces of a map meet: which share sides of pixels, how many, and which reach the border of the map or of what is mapped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.prediction.refine.objects.pieces import Band, Numbers


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Pairs of pieces that share sides of pixels, each array (n,)."""

    one: Numbers
    other: Numbers
    sides: Numbers
    """How many they share."""
    first: Numbers
    """Which of these comes first as the map is read: twice the place of the pixel below or right of it, and one more if right of it."""

    @property
    def both_ways(self) -> "Borders":
        """With each pair the other way round too."""
        return Borders(
            one=np.concatenate([self.one, self.other]),
            other=np.concatenate([self.other, self.one]),
            sides=np.tile(self.sides, 2),
            first=np.tile(self.first, 2),
        )


def borders_of(band: Band, above: Numbers | None) -> Borders:
    """The borders of the pieces of a band, by their numbers in the whole map. above: those along the row above, (width,)."""
    places, width = band.places, band.places.shape[1]
    origin = 2 * band.rows.row_off * width
    rows, columns = _differing(places[:-1], places[1:])
    upright = _pairs(places[rows, columns], places[rows + 1, columns], origin + 2 * ((rows + 1) * width + columns))
    rows, columns = _differing(places[:, :-1], places[:, 1:])
    level = _pairs(places[rows, columns], places[rows, columns + 1], origin + 2 * (rows * width + columns + 1) + 1)
    inside = _added(np.concatenate([upright, level], axis=1))
    found = [Borders(one=inside.one + band.base, other=inside.other + band.base, sides=inside.sides, first=inside.first)]
    if above is not None:
        below = band.row(0)
        columns = np.flatnonzero((above != below) & (above > 0) & (below > 0))
        # pieces of one class that meet there are one
        found.append(_added(_pairs(above[columns], below[columns], origin + 2 * columns)))
    return _joined(found)


def merged_borders(parts: Sequence[Borders], place: Numbers) -> Borders:
    """The borders of the pieces that numbers have become. place: (numbers + 1,), the piece of each number."""
    joined = _joined(parts)
    one, other = place[joined.one], place[joined.other]
    apart = one != other
    pairs = np.stack([np.minimum(one, other), np.maximum(one, other), joined.first, joined.sides])[:, apart]
    return _added(pairs[:3], pairs[3])


def rim_of(band: Band, above: Numbers | None) -> Numbers:
    """Numbers of the pieces of a band, and of the row above, that reach ground without a class, or a border but for the lowest."""
    places = band.places
    known = places > 0
    touching = np.zeros(len(band.classes) + 1, np.bool_)
    touching[places[:, 0]] = touching[places[:, -1]] = True
    touching[places[1:][~known[:-1]]] = touching[places[:-1][~known[1:]]] = True
    touching[places[:, 1:][~known[:, :-1]]] = touching[places[:, :-1][~known[:, 1:]]] = True
    upper = np.zeros(0, np.int64)
    if above is None:
        touching[places[0]] = True
    else:
        touching[places[0][above == 0]] = True
        upper = np.unique(above[~known[0] & (above > 0)])
    touching[0] = False
    return np.concatenate([np.flatnonzero(touching) + band.base, upper])


def _differing(one: NDArray[np.int32], other: NDArray[np.int32]) -> tuple[Numbers, Numbers]:
    rows, columns = np.nonzero((one != other) & (one > 0) & (other > 0))
    return rows, columns


def _pairs(one: NDArray[np.integer], other: NDArray[np.integer], first: Numbers) -> Numbers:
    """(3, n): the lower number, the higher one, and where."""
    return np.stack([np.minimum(one, other), np.maximum(one, other), first]).astype(np.int64)


def _added(pairs: Numbers, sides: Numbers | None = None) -> Borders:
    """Each pair once. sides: (n,) how many each of `pairs` stands for; None: one."""
    one, other, first = pairs
    order = np.lexsort((other, one))
    one, other, first = one[order], other[order], first[order]
    begins = np.ones(len(one), np.bool_)
    begins[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    starts = np.flatnonzero(begins)
    if not len(starts):
        return Borders(one=one, other=other, sides=one, first=first)
    counts = np.diff(starts, append=len(one)) if sides is None else np.add.reduceat(sides[order], starts)
    return Borders(one=one[starts], other=other[starts], sides=counts, first=np.minimum.reduceat(first, starts))


def _joined(parts: Sequence[Borders]) -> Borders:
    return Borders(
        one=np.concatenate([each.one for each in parts]),
        other=np.concatenate([each.other for each in parts]),
        sides=np.concatenate([each.sides for each in parts]),
        first=np.concatenate([each.first for each in parts]),
    )
