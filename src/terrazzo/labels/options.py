"""[legend]: what the values of class masks mean. [labels]: how other labels become class masks."""

from typing import Literal

from pydantic import Field

from terrazzo.options import Options


class LegendOptions(Options):
    classes: list[str] | None = Field(None, min_length=2, max_length=255, description="Names of the classes; default: the masks' values.")
    values: list[int] | None = Field(None, description="The mask value of each class, 0 to 254; default: 0, 1, 2, ...")
    colors: list[str] | None = Field(None, description="The colour of each class as '#rrggbb'; default: told apart by all eyes.")
    remap: dict[int, int] = Field(default_factory=dict, description="Mask value to class value, all at once, such as {255 = 1}.")
    threshold: float | None = Field(None, description="Two classes from grey masks: values above it are class 1, the others class 0.")
    ignore: int | None = Field(
        None, ge=-(2**31), lt=2**31, description="Mask value of pixels to leave out; default 255, unless masks are 0/255."
    )
    snap: bool = Field(False, description="Values between the known ones, as JPEG compression leaves them, go to the nearest.")
    overlapping: bool = Field(
        False,
        description="A pixel may be of several of the classes, or of none: 2 to 7 of them, none of which is the background. Masks have a "
        "band a class.",
    )
    target: str | None = Field(None, description="One class against the rest: the name of the class; all others become one.")
    encoding: Literal["auto", "values", "colors", "onehot", "instances"] = Field(
        "auto",
        description="What masks hold: class values, the classes' colours, a band a class (one-hot), or object numbers (every number "
        "above 0 is an object of class 1). auto: values, or one-hot or colours where there are several bands.",
    )


class LabelOptions(Options):
    attribute: str | None = Field(None, description="Attribute of polygons or lines that holds the class, as number or name.")
    layer: str | None = Field(None, description="Layer of a vector file; default: its only one.")
    crs: str | None = Field(
        None, description="CRS of vectors whose file names none, such as 'EPSG:4326'; 'pixels': columns and rows of the image."
    )
    width: float | None = Field(None, gt=0, description="Width of lines and diameter of points, in units of the image's CRS.")
    all_touched: bool = Field(False, description="Polygons hold every pixel that they touch, not only those whose centre they cover.")
    median: int = Field(0, ge=0, le=64, description="Radius in pixels of a median filter of the labels; 0 and 1: none.")
