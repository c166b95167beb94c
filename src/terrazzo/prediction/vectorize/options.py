"""[vectors]: how class maps become polygons and lines."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class VectorOptions(Options):
    geometry: Literal["polygons", "borders", "centrelines"] = Field(
        "polygons",
        description="What vectorize writes: polygons of the classes, or lines where they border on others, such as shorelines; the edge of "
        "the map and of its gaps is no border. Or the lines along the middle of classes, such as roads.",
    )
    classes: str | None = Field(
        None,
        description="Names or values of the classes to outline, with commas between, or 'all'; default: all but the background, which is "
        "the value 0 where it is called background or has no name.",
    )
    simplify_px: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="Smooth away details of about so many pixels, in neighbours alike; 0: outlines follow the edges of the pixels. Borders "
        "and centre lines move by so many at most (Douglas and Peucker).",
    )
    widest_px: int = Field(
        128,
        ge=1,
        le=1024,
        description="Centre lines: where a class is wider than so many pixels it is an area and has none. The memory for each band of "
        "rows grows with it.",
    )
    spur_px: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="Centre lines: those that end freely and are shorter than so many pixels are left out; default: those shorter than the "
        "class is wide there.",
    )
