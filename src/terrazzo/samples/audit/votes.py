"""Which images may show the same ground, and by how much one is shifted against the other: keypoints of the same key vote."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.audit.keypoints import KEYS, Keypoints
from terrazzo.samples.draw.choose import Positions

MOST_SHARING = 40
"""Points that share a key; more of them mean that it says little, such as the key of an even slope."""
MOST_MATCHES = 8_000_000
"""Pairs of points that are looked at altogether; keeps memory low in sets of many look-alikes."""
VOTES = 2
"""Points that must agree on a shift; what is the same is then decided by comparing the pixels."""
NEAR_PX = 2
"""Pixels by which two shifts may differ and still agree."""
LOOKED_AT = 400
"""Matches of two images of which the shift is looked for; more are not needed."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Two images, by number, and how they may lie to each other."""

    a: int
    b: int
    shift: tuple[int, int]
    """The pixel (x, y) of b is the pixel (x, y) + shift of a."""
    place: tuple[int, int]
    """(x, y) in a, in the midst of the points that agree."""
    votes: int


def candidates(images: Sequence[Keypoints]) -> Iterator[Candidate]:
    """Pairs of images of which VOTES keypoints or more agree on a shift, a before b; the pairs in order, for each the best shift."""
    owner = np.repeat(np.arange(len(images)), [len(points) for points in images])
    places = np.concatenate([points.places for points in images] or [np.empty((0, 2), np.int32)])
    keys = np.concatenate([points.keys for points in images] or [np.empty((0, KEYS), np.uint32)])
    matches = [_matches(keys[:, table], owner) for table in range(KEYS)]
    first, second = (np.concatenate(side) for side in zip(*matches, strict=True))
    first, second = np.unique(np.stack([first, second]), axis=1)
    pair = owner[first] * len(images) + owner[second]
    order = np.argsort(pair, kind="stable")
    pair, shifts, at = pair[order], (places[first] - places[second])[order], places[first][order]
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    for start, count in zip(starts.tolist(), np.diff(starts, append=len(pair)).tolist(), strict=True):
        if count < VOTES:
            continue
        these = slice(start, start + min(count, LOOKED_AT))
        agree = _agreeing(shifts[these])
        if len(agree) >= VOTES:
            a, b = divmod(int(pair[start]), len(images))
            yield Candidate(a=a, b=b, shift=_middle(shifts[these][agree]), place=_middle(at[these][agree]), votes=len(agree))


def _matches(keys: NDArray[np.uint32], owner: Positions) -> tuple[Positions, Positions]:
    """Pairs of points of the same key in different images, the one of the earlier image first."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered.astype(np.int64), prepend=-1))
    sizes = np.diff(starts, append=len(ordered))
    allowed = _allowed(sizes)
    kept = np.repeat((sizes > 1) & (sizes <= allowed), sizes)
    order, ordered = order[kept], ordered[kept]
    found: list[tuple[Positions, Positions]] = []
    for step in range(1, allowed):
        same = np.flatnonzero(ordered[step:] == ordered[:-step])
        one, other = order[same], order[same + step]
        apart = owner[one] != owner[other]
        found.append((one[apart], other[apart]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    one, other = (np.concatenate(side) for side in zip(*found, strict=True))
    # points are numbered image by image, so the smaller number is of the earlier image
    return np.minimum(one, other), np.maximum(one, other)


def _allowed(sizes: Positions) -> int:
    """How many points may share a key so that the pairs stay within MOST_MATCHES for all keys together."""
    counts = np.bincount(np.minimum(sizes, MOST_SHARING + 1), minlength=MOST_SHARING + 2)[: MOST_SHARING + 1]
    numbers = np.arange(MOST_SHARING + 1)
    pairs = np.cumsum(counts * (numbers * (numbers - 1) // 2))
    return max(2, int(np.searchsorted(pairs, MOST_MATCHES // KEYS, side="right")) - 1)


def _agreeing(shifts: NDArray[np.int32]) -> Positions:
    """The matches of the shift that most agree on, give or take NEAR_PX."""
    near = (np.abs(shifts[:, None] - shifts[None]) <= NEAR_PX).all(axis=2)
    agreeing: Positions = np.flatnonzero(near[near.sum(axis=1).argmax()])
    return agreeing


def _middle(points: NDArray[np.int32]) -> tuple[int, int]:
    x, y = np.median(points, axis=0)
    return round(float(x)), round(float(y))
