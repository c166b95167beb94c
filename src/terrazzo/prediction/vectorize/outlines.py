"""Outlines of the components of a label raster, along the edges of its pixels, all at once.

Where more than two components meet, or a border turns, there is a vertex, and every outline that passes there has it: neighbours share
their borders vertex by vertex.

      nw | ne     A corner of pixels. From it, borders leave east (between ne and se), south, west and north. Each is walked with its
      ---+---     component on the right, so a component's outer ring runs clockwise on the screen, and holes run the other way.
      sw | se
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

OUTSIDE = -1
EAST, SOUTH, WEST, NORTH = range(4)

Labels = NDArray[np.int32]
"""(height, width), a number of each component from 0."""
Corners = NDArray[np.bool_]
"""(height + 1, width + 1) or, of one line between rows, (width + 1,): corners of pixels."""


@dataclass(frozen=True, kw_only=True)
class _Steps:
    """The borders that leave each vertex, as `direction * vertices + vertex`."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    region: NDArray[np.int32]
    """(4 * vertices,): the component on the right; OUTSIDE where no border leaves, or none that is wanted."""
    follower: NDArray[np.int64]
    """(4 * vertices,): where the outline goes on."""


def outlines(labels: Labels, wanted: NDArray[np.bool_], seams: tuple[Corners, Corners]) -> NDArray[np.object_]:
    """Polygons of 4-connected components in pixels, x = column and y = row, exactly along the edges of the pixels.

    labels: every component from 0 on is one 4-connected piece. wanted: (components,); the others are None. seams: (top, bottom),
    where the first and the last line of corners have vertices besides, because others do on their far side.
    """
    found = np.full(len(wanted), None, np.object_)
    steps = _steps(labels, wanted, seams)
    walked, offsets = _rings(steps)
    if not len(walked):
        return found
    vertices = len(steps.rows)
    corners = walked % vertices
    owner = steps.region[walked[offsets[:-1]]]
    x, y = steps.columns[corners], steps.rows[corners]
    # rings of one component side by side, the outer one first
    order = np.lexsort((_areas(x, y, offsets) < 0, owner))
    lengths = np.diff(offsets)[order]
    taken = np.repeat(offsets[:-1][order] - np.cumsum(lengths) + lengths, lengths) + np.arange(len(walked))
    closed = shapely.linearrings(
        np.stack([x[taken], y[taken]], axis=1).astype(np.float64), indices=np.repeat(np.arange(len(lengths)), lengths)
    )
    owners, places = np.unique(owner[order], return_inverse=True)
    found[owners] = shapely.polygons(closed, indices=places)
    return found


def vertices_of(above: NDArray[np.integer], below: NDArray[np.integer]) -> tuple[Corners, Corners]:
    """Of the line of corners between two rows of classes: where a whole raster has vertices, and where parts of it cut there have.

    above, below: (width,). The ends of the line are vertices where the classes at them differ; of parts always.
    """
    turns = above[1:] != above[:-1], below[1:] != below[:-1]
    crossing = (turns[0] | turns[1]).copy()
    differs = above != below
    straight = turns[0] & turns[1] & ~differs[1:] & ~differs[:-1]
    true = np.concatenate([differs[:1], crossing & ~straight, differs[-1:]])
    return true, np.concatenate([[True], crossing, [True]])


def _steps(labels: Labels, wanted: NDArray[np.bool_], seams: tuple[Corners, Corners]) -> _Steps:
    padded = np.pad(labels, 1, constant_values=OUTSIDE)
    across, down = padded[:, 1:] != padded[:, :-1], padded[1:] != padded[:-1]
    # straight, or no border at all, where both halves are alike
    turning = (across[:-1] | across[1:]) & (down[:, :-1] | down[:, 1:])
    turning[0] |= seams[0]
    turning[-1] |= seams[1]
    rows, columns = np.nonzero(turning)
    nw, ne = padded[rows, columns], padded[rows, columns + 1]
    sw, se = padded[rows + 1, columns], padded[rows + 1, columns + 1]
    chosen = np.append(wanted, False)
    region = np.stack(
        [np.where(chosen[inner] & (inner != other), inner, OUTSIDE) for inner, other in ((se, ne), (sw, se), (nw, sw), (ne, nw))]
    )
    arrival = _arrivals(rows, columns)
    ahead = ((ne, se), (se, sw), (sw, nw), (nw, ne))
    follower = np.empty(region.shape, np.int64)
    for direction, (left, right) in enumerate(ahead):
        at, own = arrival[direction], region[direction]
        turn = np.where(left[at] == own, (direction - 1) % 4, np.where(right[at] == own, direction, (direction + 1) % 4))
        follower[direction] = turn * len(rows) + at
    return _Steps(rows=rows, columns=columns, region=region.ravel(), follower=follower.ravel())


def _arrivals(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """(4, vertices): the next vertex in each direction, where a border leads there."""
    count = len(rows)
    numbers = np.arange(count)
    by_column = np.lexsort((rows, columns))
    rank = np.empty(count, np.int64)
    rank[by_column] = numbers
    last = max(count - 1, 0)
    south, north = by_column[np.minimum(rank + 1, last)], by_column[np.maximum(rank - 1, 0)]
    return np.stack([np.minimum(numbers + 1, last), south, np.maximum(numbers - 1, 0), north])


def _rings(steps: _Steps) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps of all rings, ring by ring in their order, and where each ring begins, with the end."""
    used = np.flatnonzero(steps.region != OUTSIDE)
    place = np.empty(len(steps.region), np.int64)
    place[used] = np.arange(len(used))
    follower = place[steps.follower[used]]
    head = _heads(follower)
    left = _left(follower, head)
    order = np.lexsort((-left, head))
    begins = np.flatnonzero(np.diff(head[order], prepend=-1))
    return used[order], np.append(begins, len(used))


def _heads(follower: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lowest step of each step's ring, by looking twice as far ahead each time."""
    head: NDArray[np.int64] = np.arange(len(follower))
    far = follower
    while True:
        lower: NDArray[np.int64] = np.minimum(head, head[far])
        # a ring that nothing lower was found in has been seen all around
        if np.array_equal(lower, head):
            return head
        head = lower
        far = far[far]


def _left(follower: NDArray[np.int64], head: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many steps each step is before the end of its ring, which begins at its head."""
    far = np.where(head[follower] == follower, np.arange(len(follower)), follower)
    left: NDArray[np.int64] = (far != np.arange(len(follower))).astype(np.int64)
    active = np.flatnonzero(left)
    while len(active):
        ahead = far[active]
        left[active], far[active] = left[active] + left[ahead], far[ahead]
        active = active[left[far[active]] > 0]
    return left


def _areas(x: NDArray[np.int64], y: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Twice the area of each ring, above 0 where it is clockwise on the screen."""
    following = np.arange(1, len(x) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    areas: NDArray[np.int64] = np.add.reduceat(x * y[following] - x[following] * y, offsets[:-1])
    return areas
