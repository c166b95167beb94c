"""Joint augmentation: one geometric map for image and labels, drawn from a generator that is passed in.

Mirrors and quarter turns alone are exact moves of pixels; anything else is composed into one affine map and warped once,
linearly for the image, by nearest neighbour for the labels.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from terrazzo.labels.legend import IGNORE
from terrazzo.samples.options import AugmentOptions

WARP_BANDS = 4
"""OpenCV warps at most this many bands rightly (and fastest) at once."""

T = TypeVar("T", bound=np.generic)
Image = NDArray[np.float32]
"""(bands, height, width), scaled."""
Labels = NDArray[np.uint8]
"""(height, width), class indices, 255 ignored."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One draw of the geometry."""

    mirror_x: bool = False
    mirror_y: bool = False
    quarter_turns: int = 0
    angle_deg: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """(x, y) as a share of (width, height)."""
    shear_deg: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether no pixel has to be interpolated."""
        return self.angle_deg == 0 and self.zoom == 1 and self.shift == (0, 0) and self.shear_deg == 0

    def matrix(self, height: int, width: int) -> NDArray[np.float64]:
        """The 3 x 3 map from output to input pixel centres, (x, y) order, around the image's centre."""
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        angle = np.deg2rad(self.angle_deg + 90 * self.quarter_turns)
        cos, sin = np.cos(angle), np.sin(angle)
        rotate = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        shear = np.array([[1, np.tan(np.deg2rad(self.shear_deg)), 0], [0, 1, 0], [0, 0, 1]])
        scale = np.diag([(-1 if self.mirror_x else 1) / self.zoom, (-1 if self.mirror_y else 1) / self.zoom, 1])
        to_centre = np.array([[1, 0, -centre_x], [0, 1, -centre_y], [0, 0, 1]])
        back = np.array([[1, 0, centre_x + self.shift[0] * width], [0, 1, centre_y + self.shift[1] * height], [0, 0, 1]])
        matrix: NDArray[np.float64] = back @ scale @ shear @ rotate @ to_centre
        return matrix


def augment(image: Image, labels: Labels, options: AugmentOptions, rng: np.random.Generator) -> tuple[Image, Labels]:
    """Move image and labels by the same map, then change the image's brightness, contrast and noise.

    The same rng state gives the same result. Shapes stay as they are.
    """
    placement = draw_placement(options, rng, square=labels.shape[0] == labels.shape[1])
    moved, moved_labels = place(image, labels, placement, options.fill)
    return shade(moved, options, rng), moved_labels


def draw_placement(options: AugmentOptions, rng: np.random.Generator, *, square: bool) -> Placement:
    """Draw a geometry; the same number of draws whatever the options, so that one option does not reshuffle another."""
    mirror_x, mirror_y = rng.random(2) < 0.5
    turns = int(rng.integers(4))
    angle, zoom, shift_x, shift_y, shear = rng.uniform(-1, 1, 5)
    return Placement(
        mirror_x=bool(options.hflip and mirror_x),
        mirror_y=bool(options.vflip and mirror_y),
        quarter_turns=turns if options.quarter_turns and square else 0,
        angle_deg=float(options.rotate_deg * angle),
        zoom=float((1 + options.zoom) ** zoom),
        shift=(float(options.shift * shift_x), float(options.shift * shift_y)),
        shear_deg=float(options.shear_deg * shear),
    )


def place(image: Image, labels: Labels, placement: Placement, fill: str) -> tuple[Image, Labels]:
    """Apply one geometry to image and labels."""
    if placement.exact:
        return _rearrange(image, placement), _rearrange(labels, placement)
    height, width = labels.shape
    matrix = placement.matrix(height, width)[:2]
    warped = np.empty_like(image)
    for first in range(0, len(image), WARP_BANDS):
        group = np.ascontiguousarray(np.moveaxis(image[first : first + WARP_BANDS], 0, -1))
        out = cv2.warpAffine(
            group, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
        )
        warped[first : first + WARP_BANDS] = np.moveaxis(out.reshape(height, width, -1), -1, 0)
    border = cv2.BORDER_REFLECT_101 if fill == "reflect" else cv2.BORDER_CONSTANT
    nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(np.ascontiguousarray(labels), matrix, (width, height), flags=nearest, borderMode=border, borderValue=IGNORE)
    return warped, moved.astype(np.uint8, copy=False)


def shade(image: Image, options: AugmentOptions, rng: np.random.Generator) -> Image:
    """Change brightness and contrast of all bands together, then add noise, all in units of the scaled values."""
    brightness, contrast = rng.uniform(-1, 1, 2)
    level = rng.random()
    if not (options.brightness or options.contrast or options.noise):
        return image
    shaded = image * np.float32((1 + options.contrast) ** contrast) + np.float32(options.brightness * brightness)
    if options.noise:
        shaded += rng.standard_normal(image.shape, np.float32) * np.float32(options.noise * level)
    return shaded.astype(np.float32, copy=False)


def _rearrange(array: NDArray[T], placement: Placement) -> NDArray[T]:
    """Mirror, then turn: what Placement.matrix says, without interpolation; bands first or none."""
    if placement.mirror_x:
        array = array[..., ::-1]
    if placement.mirror_y:
        array = array[..., ::-1, :]
    return np.rot90(array, placement.quarter_turns, axes=(-2, -1))
