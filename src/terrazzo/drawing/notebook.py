"""How objects show themselves in notebooks: HTML without scripts, in which every text is escaped, and pictures of bounded size."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from terrazzo.labels.colors import hex_color
from terrazzo.labels.legend import IGNORE, Legend

LARGEST_PICTURE_PX = 512
"""The longer side of a picture; of larger maps every n-th pixel is shown."""


def map_png(values: NDArray[np.uint8], legend: Legend) -> bytes:
    """A class map (height, width) as a PNG in the colours of its legend; what has no class is transparent."""
    step = -(-max(values.shape) // LARGEST_PICTURE_PX)
    image = Image.fromarray(np.ascontiguousarray(values[::step, ::step]))
    colors = dict(zip(legend.values, legend.colors, strict=True))
    image.putpalette([level for value in range(IGNORE + 1) for level in colors.get(value, (0, 0, 0))])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", transparency=IGNORE)
    return buffer.getvalue()


def panel(title: str, facts: Mapping[str, object], legend: Legend, notes: Mapping[int, str] | None = None, png: bytes | None = None) -> str:
    """A small block: a title, facts by their names, the classes with their colours, and a picture.

    notes: what is said of a class, by its value.
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items())
    picture = "" if png is None else f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
    return f"<div><strong>{escape(title)}</strong><table>{rows}</table>{_classes(legend, notes or {})}{picture}</div>"


def _classes(legend: Legend, notes: Mapping[int, str]) -> str:
    return f"<table>{''.join(_class_row(row, notes) for row in zip(legend.values, legend.names, legend.colors, strict=True))}</table>"


def _class_row(row: tuple[int, str, Sequence[int]], notes: Mapping[int, str]) -> str:
    value, name, color = row
    red, green, blue = color
    swatch = f'<span style="display:inline-block;width:1em;height:1em;background:{hex_color((red, green, blue))}"></span>'
    return f"<tr><td>{swatch}</td><td>{value}</td><td>{escape(name)}</td><td>{escape(notes.get(value, ''))}</td></tr>"
