"""Where samples lie in their image and how good the map is there, as SVG text: boxes coloured by score over the ground in grey."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from terrazzo.drawing.chart import FONT, xml_text
from terrazzo.drawing.qgis import Step
from terrazzo.drawing.rgb import Picture
from terrazzo.labels.colors import Color, hex_color
from terrazzo.rasters.window import Shape, Window

Part = Literal["train", "validation", "test"]

RAMP: tuple[Color, ...] = ((165, 0, 38), (244, 109, 67), (254, 224, 144), (116, 173, 209), (49, 54, 149))
"""From bad to good, for colour-blind eyes too."""
LONGER = 360.0
"""Of the sides of the drawing, in its units."""
FILLED, PALE = 0.62, 0.32
"""Opacity of the boxes of held-out and of training samples."""
JPEG_QUALITY = 78
BORDERS = {"train": 'stroke="#000" stroke-opacity=".35" stroke-width=".6"', "held out": 'stroke="#fff" stroke-width="1.6"'}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A sample and its score."""

    window: Window
    part: Part | None
    name: str
    """Told where the pointer rests on it."""
    score: float | None
    """0 to 1; None where it has none."""


def score_steps() -> list[Step]:
    """Scores from 0 to 1 in five steps."""
    return [Step(low=number / 5, high=(number + 1) / 5, color=color) for number, color in enumerate(RAMP)]


def places_map(name: str, shape: Shape, places: Sequence[Place], picture: Picture | None = None) -> str:
    """An image with its samples as boxes; those of the training part fainter and smaller than those that are held out.

    name: of the image. shape: (height, width) in pixels of the image. picture: the image, at whatever size.
    """
    scale = LONGER / max(shape)
    height, width = (max(1.0, side * scale) for side in shape)
    steps = score_steps()
    parts = [_ground(picture, width, height)]
    # those that are held out lie above those of the training
    parts += [_box(place, scale, steps) for place in sorted(places, key=lambda place: place.part != "train")]
    held = sum(place.part != "train" for place in places)
    told = xml_text(f"{name}: {len(places)} samples, {held} of them held out, coloured by mean Dice")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2:.1f} {height + 2:.1f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{told}" style="{FONT}">{"".join(parts)}</svg>'
    )


def _ground(picture: Picture | None, width: float, height: float) -> str:
    if picture is None:
        return f'<path d="M0 0h{width:.1f}v{height:.1f}h{-width:.1f}Z" fill="currentColor" fill-opacity=".08"/>'
    buffer = io.BytesIO()
    Image.fromarray(picture).convert("L").save(buffer, format="JPEG", quality=JPEG_QUALITY)
    source = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<image href="{source}" width="{width:.1f}" height="{height:.1f}" preserveAspectRatio="none"/>'


def _box(place: Place, scale: float, steps: Sequence[Step]) -> str:
    window, inset = place.window, 0.0 if place.part == "train" else 0.8
    left, top = window.col_off * scale + inset, window.row_off * scale + inset
    width, height = (max(side * scale - 2 * inset, 1.0) for side in (window.width, window.height))
    border = BORDERS["train" if place.part == "train" else "held out"]
    fill = "none" if place.score is None else hex_color(_color(place.score, steps))
    score = "no score" if place.score is None else f"mean Dice {place.score:.3f}"
    told = xml_text(f"{place.name}{f', {place.part}' if place.part else ''}: {score}")
    opacity = PALE if place.part == "train" else FILLED
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" fill-opacity="{opacity}" {border}>'
        f"<title>{told}</title></rect>"
    )


def _color(score: float, steps: Sequence[Step]) -> tuple[int, int, int]:
    return next((step.color for step in steps if score < step.high), steps[-1].color)
