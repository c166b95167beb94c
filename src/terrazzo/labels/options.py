"""[legend]: what the values of class masks mean."""

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
