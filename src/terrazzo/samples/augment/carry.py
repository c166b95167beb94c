"""Pixels of any type through a move, holes apart: what is stored in a hole never reaches a pixel beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrazzo.samples.augment.geometry import Placement
from terrazzo.samples.augment.warp import Plane, move, move_labels

AS_STORED = (np.uint8, np.uint16)
LEAST_WEIGHT = 1e-3

Holes = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Pixels after a move."""

    planes: list[Plane]
    """A band each, (height, width): uint8 or uint16 as stored, else float32 from which the band's origin is subtracted."""
    origins: list[float]
    holes: list[Holes] | None
    """A band each, where its value means nothing; None: nowhere."""


def carry(values: NDArray[Any], holes: Holes | None, origins: Sequence[float], placement: Placement) -> Carried:
    """Move pixels (bands, height, width) by a placement.

    uint8 and uint16 stay what they are, rounded where they are interpolated. All else, and what has holes to be kept out of the
    interpolation, becomes the float32 difference from an origin, so that large values such as elevations keep their digits.

    holes: (bands, height, width), True where missing. origins: one a band, a value near those of the band.
    """
    spread = holes is not None and not placement.exact
    if values.dtype in AS_STORED and not spread:
        planes, origins = list(values), [0.0] * len(values)
    else:
        origins = [float(np.float32(origin)) for origin in origins]
        planes = _differences(values, origins)
    if not placement.still:
        planes = move(_without(planes, holes), placement) if holes is not None and spread else move(planes, placement)
    moved = move_holes(holes, placement) if holes is not None else None
    if holes is not None and spread:
        _weigh(planes, holes, placement)
    return Carried(planes=planes, origins=list(origins), holes=moved)


def _differences(values: NDArray[Any], origins: Sequence[float]) -> list[Plane]:
    # in float64 where float32 has no room for the stored values; float32 itself loses nothing
    exact = np.float32 if values.dtype.itemsize <= 2 or values.dtype == np.float32 else np.float64
    differences = np.empty(values.shape, np.float32)
    for band, origin in enumerate(origins):
        np.subtract(values[band], origin, out=differences[band], dtype=exact, casting="unsafe")
    return list(differences)


def _without(planes: list[Plane], holes: Holes) -> list[Plane]:
    """Planes that are ours to write to, 0 in their holes."""
    for plane, hole in zip(planes, holes, strict=True):
        plane[hole] = 0
    return planes


def _weigh(planes: list[Plane], holes: Holes, placement: Placement) -> None:
    """Divide interpolated sums by the weight of the pixels that were there."""
    weights = move([(~hole).astype(np.float32) for hole in _distinct(holes)], placement)
    for band, plane in enumerate(planes):
        np.divide(plane, np.maximum(weights[band % len(weights)], LEAST_WEIGHT), out=plane)


def move_holes(holes: Holes, placement: Placement) -> list[Holes]:
    """By nearest neighbour as labels are, so that a labelled pixel has a value."""
    if placement.still:
        return list(holes)
    moved = [move_labels(hole.view(np.uint8), placement, "reflect").view(np.bool_) for hole in _distinct(holes)]
    return [moved[band % len(moved)] for band in range(len(holes))]


def _distinct(holes: Holes) -> list[Holes]:
    """The holes of each band, or of the first if all bands have the same."""
    return list(holes[:1]) if all(np.array_equal(hole, holes[0]) for hole in holes[1:]) else list(holes)
