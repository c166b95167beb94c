"""[data]: where images and labels are, and how their pixels are to be read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from terrazzo.options import Options

ScalingMethod = Literal["standard", "robust", "asinh", "range", "none"]

NodataValue = Annotated[float, Field(allow_inf_nan=True)]
"""NaN is never data, so as a nodata value it says "none for this band", which TOML has no other word for."""


class DataOptions(Options):
    root: Path | None = Field(None, description="Folder that images and labels are relative to; default: the recipe's folder.")
    images: str | None = Field(None, description="Images: a file, a folder, or a pattern such as 'images/*.tif'.")
    labels: str | None = Field(None, description="Class masks: a file, a folder, or a pattern such as '*/labels/*.png'.")
    pair_suffix: str = Field("", description="What a mask's stem has after its image's stem, such as '_train_mask'.")
    nodata: NodataValue | list[NodataValue | None] | None = Field(
        None, description="Value of pixels without data where the file does not say; one for all bands or one a band (nan: none)."
    )
    invalid: Literal["all", "any"] = Field(
        "all", description="A pixel is invalid when 'all' its bands are nodata, or when 'any' is. Single nodata bands get the band's mean."
    )
    bands: list[int] | None = Field(None, min_length=1, description="Bands to use, from 1, in the network's order; default: all.")
    hdu: int | None = Field(None, ge=0, description="FITS: which HDU holds the image, from 0.")
    picture_mpx: int = Field(512, ge=1, description="PNG and JPEG are decoded whole; larger ones, in megapixels, are refused.")
    axes: Literal["auto", "bands_first", "bands_last"] = Field("auto", description="NPY: where the bands are; auto is bands first.")
    scaling: ScalingMethod | list[ScalingMethod] = Field(
        "standard",
        description="Measured on the training part, one for all bands or one a band: standard (mean, sd), robust (median, spread), "
        "asinh (robust, then compressed: for values over decades), range (1 % to 99 % onto 0 to 1), none.",
    )
    cache_mb: int = Field(2048, ge=0, description="Decoded images are kept in memory up to this many megabytes; beyond, windows are read.")
