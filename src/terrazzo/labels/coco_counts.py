"""The two forms in which COCO writes run lengths: a list of counts, and a text that packs them.

A packed count takes 5 bits a character, the lowest first, each with a sixth bit that says whether more follow, plus 48 to be readable;
it is signed, and from the fourth count on holds the difference to the count two before.

Source: the C code of the COCO API (rleToString, rleFrString).
"""

import numpy as np

from terrazzo.labels.rle import Positions

FIRST_CODE = 48
MOST_CHARACTERS = 12
"""Of one packed count: 60 bits."""


def unpack(text: str) -> Positions:
    """The counts of a packed text; some may be negative if the text was made up.

    Raises ValueError if the text is no such.
    """
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8) - np.uint8(FIRST_CODE)
    if not text.isascii() or (codes > 63).any():
        raise ValueError("it holds characters that packed counts do not have")
    if not len(codes):
        return np.zeros(0, np.int64)
    lasts = np.flatnonzero(codes < 32)
    if not len(lasts) or lasts[-1] != len(codes) - 1:
        raise ValueError("it breaks off within a count")
    firsts = np.concatenate([[0], lasts[:-1] + 1])
    lengths = lasts - firsts + 1
    if lengths.max() > MOST_CHARACTERS:
        raise ValueError("it holds a count that is too large")
    place = np.arange(len(codes)) - np.repeat(firsts, lengths)
    values = np.add.reduceat((codes & 31).astype(np.int64) << (5 * place), firsts)
    # the highest bit is the sign
    values -= (codes[lasts] & 16).astype(np.int64) * 2 << (5 * (lengths - 1))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def pack(counts: Positions) -> str:
    """The packed text of counts."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    # a signed number needs as many bits as its absolute value, and one for the sign
    bits = np.frexp(np.where(values < 0, -values - 1, values).astype(np.float64))[1] + 1
    lengths = np.maximum(1, -(-bits // 5))
    firsts = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum())) - np.repeat(firsts, lengths)
    codes = (np.repeat(values, lengths) >> (5 * place)) & 31
    codes[place < np.repeat(lengths, lengths) - 1] |= 32
    return str((codes + FIRST_CODE).astype(np.uint8).tobytes(), "ascii")
