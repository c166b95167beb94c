"""Which numbers are drawn: each once before any twice, or in proportion to weights; functions of the generator alone."""

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def in_turn(pool: Positions, count: int, rng: np.random.Generator) -> Positions:
    """Draw `count` members of a pool in random order, each once before any twice."""
    rounds = [pool[rng.permutation(len(pool))] for _ in range(-(-count // len(pool)))] if count else []
    return np.concatenate([pool[:0], *rounds])[:count]


def in_proportion(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> Positions:
    """Draw `count` numbers, number i about `count * weights[i] / sum(weights)` times, in random order.

    How often a number is drawn differs from that by less than one: points are laid at equal distances along the weights, from a random
    start, after the numbers were shuffled. weights: not negative, one of them positive.
    """
    numbers = np.flatnonzero(weights > 0)
    numbers = numbers[rng.permutation(len(numbers))]
    ends = np.cumsum(weights[numbers])
    points = (np.arange(count) + rng.random()) * (ends[-1] / max(count, 1))
    places = np.minimum(np.searchsorted(ends, points, side="right"), len(numbers) - 1)
    drawn: Positions = rng.permutation(numbers[places])
    return drawn


def by_class(pixels: NDArray[np.int64], count: int, rng: np.random.Generator) -> tuple[Positions, Positions]:
    """Draw a class, then a window in proportion to its pixels of that class, `count` times; the windows, and the classes.

    Classes come in turn, those without a pixel never. So window i is drawn about `count * mean over classes c of (pixels[i, c] / pixels
    of c in all)` times, and each class, in the windows drawn for it, about equally often. pixels: (windows, classes).
    """
    classes = in_turn(np.flatnonzero(pixels.any(axis=0)), count, rng)
    rows = np.empty(count, np.int64)
    for index in np.unique(classes):
        mine = classes == index
        rows[mine] = in_proportion(pixels[:, index].astype(np.float64), int(np.count_nonzero(mine)), rng)
    return rows, classes


def by_group(groups: Positions, count: int, rng: np.random.Generator) -> Positions:
    """Draw a group, then a member of it, `count` times: groups in turn, and in each its members in turn. groups: of each number."""
    chosen = in_turn(np.unique(groups), count, rng)
    rows = np.empty(count, np.int64)
    for group in np.unique(chosen):
        mine = chosen == group
        rows[mine] = in_turn(np.flatnonzero(groups == group), int(np.count_nonzero(mine)), rng)
    return rows


def under_cap(groups: Positions, cap: int, rng: np.random.Generator) -> Positions:
    """Draw at most `cap` members of each group, from anywhere in it; the numbers of those drawn, in rising order.

    groups: the group of each number.
    """
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    return np.sort(order[ranks(groups[order]) < cap])


def ranks(sorted_groups: Positions) -> Positions:
    """The place, from 0, of each member in its group; members of a group lie side by side."""
    starts = np.flatnonzero(np.diff(sorted_groups, prepend=sorted_groups[:1] - 1))
    counts = np.diff(starts, append=len(sorted_groups))
    return np.arange(len(sorted_groups)) - np.repeat(starts, counts)


def repeats(drawn: Positions) -> Positions:
    """How many times each number was drawn before, at each place of a sequence."""
    order = np.argsort(drawn, kind="stable")
    found = np.empty(len(drawn), np.int64)
    found[order] = ranks(drawn[order])
    return found
