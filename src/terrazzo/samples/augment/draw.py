"""One augmentation: all that is drawn for one sample, before a pixel is read."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from terrazzo.rasters.window import Shape
from terrazzo.samples.augment.geometry import STILL, Placement, draw_placement
from terrazzo.samples.augment.shade import PLAIN, Shading, draw_shading
from terrazzo.samples.options import AugmentOptions

Fill = Literal["reflect", "ignore"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How one sample is moved and shaded. CPU and device obey the same."""

    placement: Placement = STILL
    shading: Shading = PLAIN
    fill: Fill = "reflect"
    """Labels of pixels from outside the window: mirrored as the image is, or left out (255)."""


AS_IS = Augmentation()


def draw_augmentation(options: AugmentOptions, rng: np.random.Generator, shape: Shape, bands: int) -> Augmentation:
    """Draw how a sample is augmented: a function of the options and the generator alone.

    shape: (height, width) of the chip.
    """
    placement, shading = draw_placement(options, rng, shape), draw_shading(options, rng, bands)
    applied = rng.random() < options.probability
    return Augmentation(placement=placement, shading=shading, fill=options.fill) if applied else AS_IS
