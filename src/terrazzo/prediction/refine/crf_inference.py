"""Mean-field inference in a dense conditional random field: neighbours of a colour and near ones tend to be of one class.

Each pixel is tied to all others, by how near they are (smoothness) and by how near and how alike (appearance); both weights are
Gaussian, and two pixels of different classes cost them (Potts).

Source: P. Krähenbühl and V. Koltun, Efficient inference in fully connected CRFs with Gaussian edge potentials, 2011.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from terrazzo.prediction.refine.crf_lattice import Lattice

LEAST_PROBABILITY = 1e-5
REACH = 4
"""Where the smoothness is cut off, in standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """How the pixels of a map are tied together."""

    iterations: int
    smoothness: float
    """Weight of what is near."""
    smoothness_px: float
    """Standard deviation, in pixels."""
    appearance: float
    """Weight of what is near and alike."""
    appearance_px: float
    appearance_color: float
    """Standard deviation in each band, in the units of the image."""


@dataclass(frozen=True)
class _Tie:
    """One way in which pixels are tied, normalised so that each has about the same weight in all."""

    filter: Callable[[Tensor], Tensor]
    """(pixels, channels) to the same."""
    scale: Tensor
    """(pixels, 1); 0 where a pixel has no say."""
    weight: float

    @classmethod
    def of(cls, filter_: Callable[[Tensor], Tensor], known: Tensor, weight: float) -> "_Tie":
        total = filter_(known)
        return cls(filter_, known / torch.sqrt(total + 1e-20), weight)

    def message(self, beliefs: Tensor) -> Tensor:
        """What all pixels say to each, (pixels, classes)."""
        return self.weight * self.scale * self.filter(self.scale * beliefs)


def infer(shares: Tensor, image: Tensor, known: Tensor, origin: tuple[int, int], field: Field) -> Tensor:
    """The probabilities (classes, height, width), float32, that pixels have once they have heard of each other.

    shares: what they have alone, likewise. image: (bands, height, width), float64, finite. known: (height, width) bool: the others say
    nothing. origin: (row, column) of the first pixel in the raster: the lattice lies the same wherever a window begins.
    """
    classes, height, width = shares.shape
    alone = shares.clamp(min=LEAST_PROBABILITY).log().reshape(classes, -1).T.contiguous()
    say = known.reshape(-1, 1).to(torch.float32)
    # without an image of its own the smoothness needs no lattice
    smooth = _Smoothing((height, width), field.smoothness_px)
    lattice = Lattice.of(_points(image, origin, field))
    ties = [_Tie.of(smooth, say, field.smoothness), _Tie.of(lattice.filter, say, field.appearance)]
    beliefs = alone.softmax(1)
    for _ in range(field.iterations):
        beliefs = (alone + ties[0].message(beliefs) + ties[1].message(beliefs)).softmax(1)
    return beliefs.T.reshape(classes, height, width)


def _points(image: Tensor, origin: tuple[int, int], field: Field) -> Tensor:
    """(2 + bands, pixels), float64: place, x first, and colour in units of their standard deviations."""
    bands, height, width = image.shape
    rows = torch.arange(height, dtype=torch.float64, device=image.device) + origin[0]
    columns = torch.arange(width, dtype=torch.float64, device=image.device) + origin[1]
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy")) / field.appearance_px
    return torch.cat([places, image / field.appearance_color]).reshape(2 + bands, -1)


class _Smoothing:
    """A Gaussian filter of pixels in rows and columns."""

    def __init__(self, shape: tuple[int, int], width_px: float) -> None:
        self._shape = shape
        self._taps = [math.exp(-(step**2) / (2 * width_px**2)) for step in range(math.ceil(REACH * width_px) + 1)]

    def __call__(self, values: Tensor) -> Tensor:
        planes = values.T.reshape(-1, *self._shape)
        for side in (1, 2):
            planes = self._along(planes, side)
        return planes.reshape(values.shape[1], -1).T.contiguous()

    def _along(self, planes: Tensor, side: int) -> Tensor:
        total = planes * self._taps[0]
        length = planes.shape[side]
        for step, tap in enumerate(self._taps[1:], start=1):
            if step < length:
                left, right = planes.narrow(side, 0, length - step), planes.narrow(side, step, length - step)
                total.narrow(side, step, length - step).add_(left, alpha=tap)
                total.narrow(side, 0, length - step).add_(right, alpha=tap)
        return total
