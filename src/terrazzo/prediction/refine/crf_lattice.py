"""Gaussian filtering in a few dimensions, such as place and colour, on the permutohedral lattice.

Points give their values to the corners of the simplex that they lie in, the corners blur with their neighbours along each axis of the
lattice, and points take back what their corners have. Time grows with points times dimensions, whatever the width of the filter.

Source: A. Adams, J. Baek, M. A. Davis, Fast high-dimensional filtering using the permutohedral lattice, 2010.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

LARGEST_CODE = 2**62


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """The lattice over some points of d coordinates. Sums are taken in one order, so that they are the same each time, on a GPU too."""

    corners: Tensor
    """(points, d + 1) int32: the vertices of the lattice that each point lies between."""
    weights: Tensor
    """(points, d + 1) float32: its barycentric coordinates."""
    givers: Tensor
    """(points (d + 1),) int32: the points that give to the first vertex, then those of the second, ..."""
    given: Tensor
    """Likewise float32: the weight of each."""
    begins: Tensor
    """(vertices,) int32: where the givers of each vertex begin."""
    neighbours: Tensor
    """(d + 1, 2, vertices) int32: the vertices on both sides of each along each axis; there is none where it is `vertices`."""

    @classmethod
    def of(cls, points: Tensor) -> "Lattice":
        """The lattice over points (d, points), float64, in units of the filter's standard deviation.

        Raises ValueError if they lie too far apart to number the vertices.
        """
        elevated = _elevated(points)
        nearest, rank = _simplices(elevated)
        weights = _barycentric(elevated - nearest, rank)
        codes, steps = _codes(nearest, rank)
        in_order, places = codes.T.reshape(-1).sort(stable=True)
        fresh = torch.ones_like(in_order, dtype=torch.bool)
        fresh[1:] = in_order[1:] != in_order[:-1]
        corners = torch.empty_like(places, dtype=torch.int32)
        corners[places] = (fresh.cumsum(0) - 1).to(torch.int32)
        return cls(
            corners=corners.view_as(weights),
            weights=weights,
            givers=(places // weights.shape[1]).to(torch.int32),
            given=weights.reshape(-1)[places],
            begins=fresh.nonzero()[:, 0].to(torch.int32),
            neighbours=_neighbours(in_order[fresh], steps),
        )

    def filter(self, values: Tensor) -> Tensor:
        """Values (points, channels), float32, filtered; the weights of a point do not add up to one."""
        lattice = embedding_bag(self.givers, values, self.begins, mode="sum", per_sample_weights=self.given)
        nothing = lattice.new_zeros(1, lattice.shape[1])
        for before, behind in self.neighbours:
            around = torch.cat([lattice, nothing])
            lattice = torch.add(lattice, around.index_select(0, before).add_(around.index_select(0, behind)), alpha=0.5)
        return embedding_bag(self.corners, lattice, mode="sum", per_sample_weights=self.weights)


def _elevated(points: Tensor) -> Tensor:
    """Points (d, points) in the plane of d + 1 coordinates whose sum is 0, in which the lattice lies."""
    count = len(points)
    index = torch.arange(1, count + 1, dtype=points.dtype, device=points.device)[:, None]
    scaled = points * (math.sqrt(2 / 3) * (count + 1)) / torch.sqrt(index * (index + 1))
    beyond = torch.cat([scaled, torch.zeros_like(scaled[:1])]).flip(0).cumsum(0).flip(0)
    beyond[1:] -= index * scaled
    return beyond


def _simplices(elevated: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest vertex of remainder 0 to each point, and how many coordinates are further from it than each; int64, (d + 1, points)."""
    count = len(elevated)
    steps = torch.round(elevated / count)
    distance = elevated - steps * count
    rank = torch.zeros_like(steps, dtype=torch.int64)
    for one in range(count):
        for other in range(one + 1, count):
            less = distance[one] < distance[other]
            rank[one] += less
            rank[other] += ~less
    # rounded coordinates need not add up to 0: those that were rounded most are moved
    rank += steps.sum(0).to(torch.int64)
    moved = (rank < 0).to(torch.int64) - (rank >= count).to(torch.int64)
    return (steps.to(torch.int64) + moved) * count, rank + moved * count


def _barycentric(distance: Tensor, rank: Tensor) -> Tensor:
    """(points, d + 1) float32: how near a point is to each corner of its simplex. distance: from the corner of remainder 0."""
    count = len(rank)
    in_order = torch.empty_like(distance).scatter_(0, rank, distance / count)
    weights = torch.empty_like(distance)
    weights[0] = 1 + in_order[-1] - in_order[0]
    weights[1:] = (in_order[:-1] - in_order[1:]).flip(0)
    # rounding takes points on a side of their simplex a little beyond it
    return weights.clamp_(min=0).T.to(torch.float32).contiguous()


def _codes(nearest: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """A number for each corner, (d + 1, points), and what is added to it from a vertex to the next along each axis, (d + 1,)."""
    count = len(rank)
    # of coordinates that add up to 0 the last says nothing
    low = nearest[:-1].amin(1) - 2 * count
    spans = nearest[:-1].amax(1) - low + 2 * count
    if math.prod(spans.tolist()) > LARGEST_CODE:
        raise ValueError(f"the points spread over {math.prod(spans.tolist()):.0e} cells of the lattice, more than can be numbered")
    factors = torch.ones_like(spans)
    for axis in range(count - 3, -1, -1):
        factors[axis] = factors[axis + 1] * spans[axis + 1]
    origin = ((nearest[:-1] - low[:, None]) * factors[:, None]).sum(0)
    # corner k is k steps from the first: each coordinate grows by k, those of the k highest ranks by d + 1 less
    factor_of_rank = torch.zeros_like(rank).scatter_(0, rank, torch.cat([factors, factors.new_zeros(1)])[:, None].expand_as(rank))
    codes = torch.empty_like(rank)
    codes[0] = origin
    for corner in range(1, count):
        codes[corner] = codes[corner - 1] + factors.sum() - count * factor_of_rank[count - corner]
    return codes, count * torch.cat([factors, factors.new_zeros(1)]) - factors.sum()


def _neighbours(vertices: Tensor, steps: Tensor) -> Tensor:
    """(d + 1, 2, vertices). vertices: their numbers, in order."""
    count = len(vertices)
    found = torch.full((len(steps), 2, count), count, dtype=torch.int32, device=vertices.device)
    for sides, step in zip(found, steps, strict=True):
        wanted = vertices + step
        place = torch.searchsorted(vertices, wanted).clamp_(max=count - 1)
        there = (vertices[place] == wanted).nonzero()[:, 0]
        sides[0, there] = place[there].to(torch.int32)
        sides[1, place[there]] = there.to(torch.int32)
    return found
