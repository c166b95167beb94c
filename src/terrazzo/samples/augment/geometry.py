"""The geometry of one augmented sample: where each of its pixels is taken from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrazzo.rasters.window import Shape
from terrazzo.samples.options import AugmentOptions

Matrix = NDArray[np.float64]
"""3 x 3, from output to input pixel centres, (x, y) order."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One draw of the geometry; the same for the image and its labels."""

    mirror_x: bool = False
    mirror_y: bool = False
    quarter_turns: int = 0
    angle_deg: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """(x, y) as a share of (width, height)."""
    shear_deg: float = 0.0
    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """Left, top, right and bottom: the share of the window that is cut off there, or where negative added."""

    @property
    def exact(self) -> bool:
        """Whether pixels only change places, so that none has to be interpolated."""
        return self.angle_deg == 0 and self.zoom == 1 and self.shift == (0, 0) and self.shear_deg == 0 and not any(self.crop)

    @property
    def still(self) -> bool:
        """Whether every pixel stays where it is."""
        return self.exact and not (self.mirror_x or self.mirror_y or self.quarter_turns % 4)

    def matrix(self, height: int, width: int) -> Matrix:
        """Where each pixel of the result is taken from, around the window's centre."""
        left, top, right, bottom = self.crop
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        from_x = centre_x + (self.shift[0] + (left - right) / 2) * width
        from_y = centre_y + (self.shift[1] + (top - bottom) / 2) * height
        scale_x = (-1 if self.mirror_x else 1) * (1 - left - right) / self.zoom
        scale_y = (-1 if self.mirror_y else 1) * (1 - top - bottom) / self.zoom
        angle = np.deg2rad(self.angle_deg + 90 * self.quarter_turns)
        cos, sin = np.cos(angle), np.sin(angle)
        rotate = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        shear = np.array([[1, np.tan(np.deg2rad(self.shear_deg)), 0], [0, 1, 0], [0, 0, 1]])
        to_centre = np.array([[1, 0, -centre_x], [0, 1, -centre_y], [0, 0, 1]])
        back = np.array([[scale_x, 0, from_x], [0, scale_y, from_y], [0, 0, 1]])
        matrix: Matrix = back @ shear @ rotate @ to_centre
        return matrix


STILL = Placement()


def draw_placement(options: AugmentOptions, rng: np.random.Generator, shape: Shape) -> Placement:
    """Draw a geometry; the same number of draws whatever the options, so that one option does not reshuffle another.

    shape: (height, width); only squares are turned by quarters.
    """
    mirror_x, mirror_y = rng.random(2) < 0.5
    turns = int(rng.integers(4))
    angle, zoom, shift_x, shift_y, shear, *crop = rng.uniform(-1, 1, 9).tolist()
    left, top, right, bottom = (options.crop_pad * side for side in crop)
    return Placement(
        mirror_x=bool(options.hflip and mirror_x),
        mirror_y=bool(options.vflip and mirror_y),
        quarter_turns=turns if options.quarter_turns and shape[0] == shape[1] else 0,
        angle_deg=options.rotate_deg * angle,
        zoom=(1 + options.zoom) ** zoom,
        shift=(options.shift * shift_x, options.shift * shift_y),
        shear_deg=options.shear_deg * shear,
        crop=(left, top, right, bottom),
    )
