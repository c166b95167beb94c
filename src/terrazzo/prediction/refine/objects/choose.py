"""What becomes of pieces of a map: which class those take that are too small, fail a rule, or fill a hole."""

import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.prediction.refine.objects.pieces import Classes, Numbers
from terrazzo.prediction.refine.objects.table import PieceTable

Chosen = NDArray[np.bool_]


def sieved(table: PieceTable, threshold: int) -> Classes:
    """The class (pieces,) of each piece once those below `threshold` pixels go to their largest neighbour, as gdal_sieve does.

    If that is too small as well, to the largest neighbour of that, and so on; of equals, to the one that is met first as the map is
    read. What leads to no piece that is large enough stays.
    """
    pixels = table.pixels
    small = pixels < threshold
    borders = table.borders.both_ways
    from_small = np.flatnonzero(small[borders.one])
    one, other, first = borders.one[from_small], borders.other[from_small], borders.first[from_small]
    order = np.lexsort((first, -pixels[other], one))
    one, other = one[order], other[order]
    begins = np.ones(len(one), np.bool_)
    begins[1:] = one[1:] != one[:-1]
    target = np.arange(len(table))
    target[one[begins]] = other[begins]
    target = _ends(target)
    return table.classes[np.where(small[target], np.arange(len(table)), target)]


def filled(table: PieceTable, holes: Chosen, background: int) -> Classes:
    """The class of each piece once chosen pieces of the background take that of the object around them.

    Those are no holes that reach the border of the map or ground without a class.
    """
    return _surrounded(table, holes & (table.classes == background) & ~table.rim, IGNORE)


def without(table: PieceTable, failed: Chosen, background: int) -> Classes:
    """The class of each piece once failed objects take that of what lies around them; what is of the background stays.

    Where nothing stays around one, that is the background.
    """
    return _surrounded(table, failed & (table.classes != background), background)


def _surrounded(table: PieceTable, changed: Chosen, otherwise: int) -> Classes:
    """Give changed pieces the class that most of their sides, shared with others that are not changed, meet; of equals the first.

    otherwise: the class where there are none; 255: their own.
    """
    borders = table.borders.both_ways
    used = changed[borders.one] & ~changed[borders.other]
    count = int(table.classes.max(initial=0)) + 1
    pairs, places = np.unique(borders.one[used] * count + table.classes[borders.other[used]], return_inverse=True)
    sides = np.bincount(places, weights=borders.sides[used], minlength=len(pairs))
    piece, index = np.divmod(pairs, count)
    order = np.lexsort((index, -sides, piece))
    piece, index = piece[order], index[order]
    begins = np.ones(len(piece), np.bool_)
    begins[1:] = piece[1:] != piece[:-1]
    becomes = table.classes.copy()
    if otherwise != IGNORE:
        becomes[changed] = otherwise
    becomes[piece[begins]] = index[begins]
    return becomes


def _ends(target: Numbers) -> Numbers:
    """Where the chains end that go from piece to piece; those that go round in circles end anywhere in them."""
    for _ in range(len(target).bit_length()):
        further = target[target]
        if np.array_equal(further, target):
            break
        target = further
    return target
